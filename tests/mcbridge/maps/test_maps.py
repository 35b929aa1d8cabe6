"""Maps: bijections whose jacobians are what they say."""

import numpy as np
import pytest
import vegas
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.maps import ComposedMap, FlowMap, IdentityMap, Map, VegasMap


def random_map(seed, dim, increments):
    generator = np.random.default_rng(seed)
    return VegasMap([np.concatenate([[0], np.sort(generator.random(increments - 1)), [1]]) for _ in range(dim)])


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), dim=st.integers(1, 20), increments=st.integers(1, 200))
def test_forward_and_inverse_compose_to_the_identity(seed, dim, increments):
    vegas_map = random_map(seed, dim, increments)
    u = np.random.default_rng(seed + 1).random((30, dim))
    for one in (vegas_map, ComposedMap([vegas_map, random_map(seed + 2, dim, 7)]), IdentityMap(dim)):
        assert isinstance(one, Map)
        x, jacobian = one.forward(u)
        back, inverse = one.inverse(x)
        np.testing.assert_allclose(back, u, atol=1e-9)
        np.testing.assert_allclose(jacobian * inverse, 1.0, rtol=1e-6)
        assert np.all((x >= 0) & (x <= 1))


def test_the_map_is_that_of_vegas():
    adaptive = vegas.AdaptiveMap([[0, 0.1, 0.5, 1], [-1, 0.5, 2, 4]])
    ours = VegasMap.from_adaptive_map(adaptive)
    y = np.random.default_rng(3).random((100, 2))
    x, jacobian = ours.forward(y)
    limits = np.array([[0, 1], [-1, 4]])
    np.testing.assert_allclose(limits[:, 0] + x * (limits[:, 1] - limits[:, 0]), adaptive(y), atol=1e-14)
    np.testing.assert_allclose(jacobian * 5.0, adaptive.jac(y), rtol=1e-13)
    for mine, theirs in zip(ours.to_adaptive_map(limits).extract_grid(), adaptive.extract_grid(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-14)


def test_the_jacobian_integrates_to_one():
    vegas_map = random_map(5, 3, 20)
    x = np.random.default_rng(6).random((200_000, 3))
    density = vegas_map.inverse(x)[1]
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(len(x))


def test_the_edges_belong_to_the_map():
    vegas_map = random_map(7, 2, 50)
    edges = np.array([[0.0, 1.0], [1.0, 0.0]])
    for points, jacobian in (vegas_map.forward(edges), vegas_map.inverse(edges)):
        np.testing.assert_array_equal(points, edges)
        assert np.all(np.isfinite(jacobian))
        assert np.all(jacobian > 0)


def test_a_map_becomes_a_sampler_with_its_density():
    vegas_map = random_map(8, 2, 10)
    sampler = vegas_map.sampler()
    u, density = sampler.draw(0, 1000, np.random.default_rng(1))
    np.testing.assert_allclose(vegas_map.inverse(u)[1], density, rtol=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_flow_on_a_vegas_map_is_a_bijection_with_its_density(dtype):
    spec = core.FlowSpec(3, context=2)
    generator = np.random.default_rng(9)
    parameters = (0.2 * generator.normal(size=spec.parameters)).astype(dtype)
    composed = ComposedMap([FlowMap(spec, parameters, context=np.array([1.0, 0.0])), random_map(10, 3, 5)])
    assert isinstance(composed.maps[0], Map)
    u = generator.random((50_000, 3))
    x, jacobian = composed.forward(u)
    back, density = composed.inverse(x)
    tolerance = 1e-9 if dtype is np.float64 else 1e-3
    assert np.median(np.abs(back - u)) < tolerance
    np.testing.assert_allclose(np.median(jacobian * density), 1.0, rtol=tolerance)
    # Points of the map have the density 1/jacobian: the mean of x over uniform x is 1/2.
    for moment, exact in ((np.ones(len(x)), 1.0), (x[:, 0], 0.5), (x[:, 1] * x[:, 2], 0.25)):
        weighted = moment * jacobian
        assert abs(weighted.mean() - exact) < 4 * weighted.std() / np.sqrt(len(x))


@pytest.mark.parametrize(
    "grid", [[], [[0, 0.5, 0.5, 1]], [[0, 0.7, 0.3, 1]], [[0.1, 1]], [[0, 2]], [[0]], [[[0, 1]]], [[0, np.nan, 1]]]
)
def test_impossible_grids_are_refused(grid):
    with pytest.raises(UserError):
        VegasMap(grid)


def test_shapes_are_checked():
    with pytest.raises(UserError, match=r"\(n, 3\)"):
        IdentityMap(3).forward(np.zeros((4, 2)))
    with pytest.raises(UserError, match="dim is 0"):
        IdentityMap(0)
    with pytest.raises(UserError, match="at least one map"):
        ComposedMap([IdentityMap(2), IdentityMap(3)])
