"""Functions as integrands: whatever vegas integrates gives the same numbers here."""

import numpy as np
import pytest
import vegas

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation, FunctionIntegrand, Integrand

REGION = [[0, 2], [1, 4]]


def scalar(x):
    return x[0] * x[1] ** 2


@vegas.lbatchintegrand
def lbatch(x):
    return x[:, 0] * x[:, 1] ** 2


@vegas.rbatchintegrand
def rbatch(x):
    return x[0] * x[1] ** 2


class LBatch(vegas.LBatchIntegrand):
    def __call__(self, x):
        return x[:, 0] * x[:, 1] ** 2


class RBatch(vegas.RBatchIntegrand):
    def __call__(self, x):
        return x[0] * x[1] ** 2


def array(x):
    return [x[0] * x[1] ** 2, x[0]]


@vegas.lbatchintegrand
def lbatch_matrix(x):
    f = x[:, 0] * x[:, 1] ** 2
    return np.stack([f, x[:, 0], x[:, 1], 1 + f], axis=1).reshape(-1, 2, 2)


def dictionary(x):
    return {"f": x[0] * x[1] ** 2, "moments": [x[0], x[1]]}


@vegas.rbatchintegrand
def rbatch_dictionary(x):
    return {"f": x[0] * x[1] ** 2, "moments": np.array([x[0], x[1]])}


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (scalar, 1),
        (lbatch, 1),
        (rbatch, 1),
        (LBatch(), 1),
        (RBatch(), 1),
        (array, 2),
        (lbatch_matrix, 4),
        (dictionary, 3),
        (rbatch_dictionary, 3),
    ],
    ids=["scalar", "lbatch", "rbatch", "LBatch", "RBatch", "array", "matrix", "dictionary", "rbatch dictionary"],
)
def test_every_form_of_a_function_gives_the_same_weight(function, size):
    integrand = FunctionIntegrand(function, REGION)
    assert isinstance(integrand, Integrand)
    u = np.random.default_rng(1).random((20, 2))
    result = integrand(u, 0)
    x = np.array([0, 1]) + u * np.array([2, 3])
    np.testing.assert_allclose(result.weight, 6.0 * x[:, 0] * x[:, 1] ** 2, rtol=1e-13)
    assert integrand.size == size
    if size == 1:
        assert type(result) is Evaluation
    else:
        assert result.components.shape == (20, size)
        np.testing.assert_array_equal(result.components[:, 0], result.weight)


def test_dictionary_arguments_reach_the_function():
    @vegas.rbatchintegrand
    def function(x):
        return x["r"] ** 2 * np.sin(x["angle"][0])

    integrand = FunctionIntegrand(function, {"r": (0, 1), "angle": [(0, np.pi), (0, 2 * np.pi)]})
    u = np.array([[0.5, 0.5, 0.1]])
    assert integrand(u).weight[0] == pytest.approx(2 * np.pi**2 * 0.25)


def test_the_name_is_that_of_the_function():
    assert FunctionIntegrand(scalar, REGION).name == "scalar"
    assert FunctionIntegrand(LBatch(), REGION).name == "LBatch"
    assert FunctionIntegrand(scalar, REGION, name="test").name == "test"


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: x[:, 0], "lbatchintegrand"),
        (lambda x: "text", "raised"),
        (lambda x: x[7], "raised IndexError"),
        (lambda x: [], "empty array"),
        (vegas.lbatchintegrand(lambda x: x[:3, 0]), "wrong number of values"),
        (vegas.rbatchintegrand(lambda x: x[0, :1]), "wrong number of values"),
    ],
)
def test_a_failing_function_is_told_in_a_sentence(function, words):
    with pytest.raises(AmplitudeError) as error:
        FunctionIntegrand(function, REGION)(np.full((10, 2), 0.3))
    assert words in str(error.value)


@pytest.mark.parametrize(("function", "words"), [(3, "is a int"), (LBatch, "give an object")])
def test_what_is_no_function_is_refused(function, words):
    with pytest.raises(UserError, match=words):
        FunctionIntegrand(function, REGION)


def test_coordinates_that_do_not_exist_are_refused():
    with pytest.raises(UserError, match="coordinate 2 does not exist"):
        FunctionIntegrand(scalar, REGION, periodic=[2])
    with pytest.raises(UserError, match=r"discrete\[1\]"):
        FunctionIntegrand(scalar, REGION, discrete={1: [0, 0.5, 0.4, 1]})
