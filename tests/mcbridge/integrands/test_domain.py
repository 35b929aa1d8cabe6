"""Regions of integration: every form of vegas, and what is none."""

import gvar
import numpy as np
import pytest
import vegas

from mcbridge.errors import UserError
from mcbridge.integrands import Domain


@pytest.mark.parametrize(
    ("region", "dim", "volume"),
    [
        ([[0, 1]], 1, 1.0),
        (3 * [(-1, 2)], 3, 27.0),
        (np.array([[[0, 1], [0, 2]], [[1, 3], [2, 6]]]), 4, 16.0),
        ({"r": (0, 1), "phi": [(0, 2), (0, 4)]}, 3, 8.0),
        (vegas.AdaptiveMap([[0, 0.1, 1], [-1, 0, 1]]), 2, 2.0),
        (vegas.Integrator([[0, 2], [0, 3]]), 2, 6.0),
        (vegas.Integrator({"a": (0, 2), "b": [(1, 4)]}), 2, 6.0),
    ],
)
def test_every_region_of_vegas_is_understood(region, dim, volume):
    domain = Domain(region)
    assert domain.dim == dim
    assert domain.volume == pytest.approx(volume)
    u = np.random.default_rng(1).random((50, dim))
    x = domain.from_unit(u)
    assert np.all(x >= domain.limits[:, 0])
    assert np.all(x <= domain.limits[:, 1])
    np.testing.assert_allclose(domain.to_unit(x), u, atol=1e-14)


@pytest.mark.parametrize("region", [4 * [[0, 1]], {"r": (0, 1), "phi": [(0, 2), (0, 4)]}, [[[0, 1], [0, 2]]]])
@pytest.mark.parametrize("mode", ["rbatch", "lbatch"])
def test_points_have_the_form_that_vegas_gives_them(region, mode):
    ours = Domain(region)
    theirs = vegas.Integrator(region, neval=1000).sample(mode=mode)[1]
    x = np.random.default_rng(2).random((len(theirs) if mode == "lbatch" and not ours.is_dictionary else 40, ours.dim))
    formatted = ours.format(x, mode)
    if ours.is_dictionary:
        assert isinstance(formatted, gvar.BufferDict)
        for key in theirs:
            assert formatted[key].ndim == theirs[key].ndim
    else:
        assert formatted.ndim == theirs.ndim
        assert (
            formatted.shape[:-1] == theirs.shape[:-1] if mode == "rbatch" else formatted.shape[1:] == theirs.shape[1:]
        )


def test_the_template_lies_inside():
    domain = Domain({"a": (5, 6), "b": [(1, 2), (-4, -3)]})
    assert np.all(domain.template.buf > domain.limits[:, 0])
    assert np.all(domain.template.buf < domain.limits[:, 1])


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ([[1, 0]], "lower limit must be below"),
        ([[0, 1], [2, 2]], "interval 1 of region"),
        ([[0, np.inf]], "must be finite"),
        ([[0, np.nan]], "must be finite"),
        ([[0, 1, 2], [0, 1, 2]], "pairs"),
        ([[0, 1], [0]], "pairs"),
        ("abc", "pairs"),
        (7, "pairs"),
        ([], "pairs"),
        ([0, 1], "one-dimensional"),
        ({}, "empty dictionary"),
        ({"x": (1, 0)}, "region['x']"),
        ({"x": "y"}, "region['x']"),
    ],
)
def test_an_impossible_region_is_named(region, words):
    with pytest.raises(UserError) as error:
        Domain(region)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_mode_is_refused():
    with pytest.raises(UserError, match="'rbatch' or 'lbatch'"):
        Domain([[0, 1]]).format(np.zeros((1, 1)), "batch")
