"""Grids fitted to stored points."""

import numpy as np
import pytest
import vegas
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge.samplers.grid import BaseBins, fit_grid, grid_density, locate, regrid, uniform_grid


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), knots=st.integers(2, 3000), n=st.sampled_from([10, 40_000]), power=st.floats(0.5, 12))
def test_look_up_is_a_search(seed, knots, n, power):
    generator = np.random.default_rng(seed)
    edges = np.unique(np.concatenate([[0.0], generator.random(knots) ** power, [1.0]]))
    values = np.concatenate([generator.random(n) ** power, edges, [0.0, 1.0]])
    expected = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    np.testing.assert_array_equal(locate(edges, values), expected)


def test_the_density_of_a_grid_integrates_to_one():
    grid = [np.array([0, 0.1, 0.15, 1]), np.array([0, 0.5, 1])]
    u = np.random.default_rng(1).random((200_000, 2))
    density = grid_density(grid, u)
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(len(u))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1e3), min_size=2, max_size=40), st.integers(1, 300))
def test_new_knots_increase_and_share_equally(masses, increments):
    mass = np.array(masses) + 1e-9
    edges = np.linspace(0, 1, len(mass) + 1)
    knots = regrid(edges, mass, increments)
    assert knots[0] == 0
    assert knots[-1] == 1
    assert np.all(np.diff(knots) > 0)
    cumulative = np.interp(knots, edges, np.concatenate([[0], np.cumsum(mass)])) / mass.sum()
    np.testing.assert_allclose(np.diff(cumulative), 1 / increments, atol=1e-6)


def test_the_mixture_of_grids_is_their_average():
    grids = [uniform_grid(2, 10), [np.array([0, 0.2, 1]), np.array([0, 0.6, 1])]]
    u = np.random.default_rng(2).random((1000, 2))
    bins = BaseBins.of(grids[0], u)
    expected = 0.25 * grid_density(grids[0], u) + 0.75 * grid_density(grids[1], u)
    assert np.mean(np.abs(bins.mixture(grids, [1, 3]) / expected - 1)) < 1e-2


def fit(function, dim, increments, power, n=100_000):
    u = np.random.default_rng(3).random((n, dim))
    bins = BaseBins.of(uniform_grid(dim, 100), u)
    return fit_grid(bins, function(u), np.ones(n), increments, power)


def weights(function, grid, n=200_000):
    u = np.random.default_rng(4).random((n, len(grid)))
    x = np.empty_like(u)
    jacobian = np.ones(n)
    for axis, knots in enumerate(grid):
        position = u[:, axis] * (len(knots) - 1)
        index = np.minimum(position.astype(int), len(knots) - 2)
        x[:, axis] = knots[index] + np.diff(knots)[index] * (position - index)
        jacobian *= np.diff(knots)[index] * (len(knots) - 1)
    return function(x) * jacobian


def vegas_grid(function, dim, increments, n=100_000, adaptations=10):
    """vegas' own map, adapted to the same points."""
    x = np.random.default_rng(3).random((n, dim))
    adaptive = vegas.AdaptiveMap(dim * [[0, 1]], ninc=increments)
    for _ in range(adaptations):
        y, jacobian = np.empty_like(x), np.empty(n)
        adaptive.invmap(x, y, jacobian)
        adaptive.add_training_data(y, (jacobian * function(x)) ** 2)
        adaptive.adapt(alpha=0.5)
    return [np.array(knots) for knots in adaptive.extract_grid()]


@pytest.mark.parametrize("power", [2.0, 5.0])
def test_a_product_is_learned_better_than_by_vegas_from_the_same_points(power):
    def function(u):
        return 3 * u[:, 0] ** 2 * np.exp(-u[:, 1])

    ours, theirs = (weights(function, grid) for grid in (fit(function, 2, 200, power), vegas_grid(function, 2, 200)))
    assert ours.std() / ours.mean() < min(0.1, theirs.std() / theirs.mean())


@pytest.mark.parametrize("power", [2.0, 5.0])
def test_a_step_gets_a_knot(power):
    def function(u):
        return ((u[:, 0] > 0.123) & (u[:, 1] < 0.777)).astype(float)

    grid = fit(function, 2, 64, power)
    # Without it, the step would lie anywhere in an increment, which are 1/64 wide.
    assert np.min(np.abs(grid[0] - 0.123)) < 3e-3
    assert np.min(np.abs(grid[1] - 0.777)) < 3e-3
    found = weights(function, grid)
    assert found.std() / found.mean() < 0.3


def test_nothing_to_fit_leaves_the_grid_uniform():
    grid = fit(lambda u: np.zeros(len(u)), 2, 10, 2.0, 100)
    for knots in grid:
        np.testing.assert_allclose(knots, np.linspace(0, 1, 11), atol=1e-12)


def test_huge_and_tiny_values_do_no_harm():
    expected = fit(lambda u: u[:, 0] ** 4, 1, 50, 5.0, 10_000)
    for scale in (1e-250, 1e300):
        grid = fit(lambda u, scale=scale: scale * u[:, 0] ** 4, 1, 50, 5.0, 10_000)
        np.testing.assert_allclose(grid[0], expected[0], rtol=1e-9)
