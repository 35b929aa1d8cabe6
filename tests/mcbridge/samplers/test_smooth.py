"""Smooth maps: monotone, of smooth density, normalised, and fitted to the points of a survey."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.integrands import Evaluation
from mcbridge.integration import Samples
from mcbridge.random import Streams
from mcbridge.samplers import survey
from mcbridge.samplers.smooth import smooth_knots, smooth_sampler


class Bumps:
    """A peak in the first coordinate; a choice between two shapes in the second, if ``discrete``."""

    name, channels, periodic = "bumps", 1, ()

    def __init__(self, discrete: bool) -> None:
        self.dim = 2
        self.discrete = {1: (0.0, 0.5, 1.0)} if discrete else {}

    def __call__(self, u, channel):
        f = np.exp(-((u[:, 0] - 0.4) ** 2) / (2 * 0.08**2))
        return Evaluation(f * np.where(u[:, 1] < 0.5, 1.0, 5.0 * u[:, 0]))


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=40))
def test_knots_stay_increasing_and_keep_those_given(widths):
    knots = np.concatenate([[0.0], np.cumsum(widths)]) / np.sum(widths)
    knots[-1] = 1.0
    found = smooth_knots(knots, 20 * len(widths))
    assert found[0] == 0.0
    assert found[-1] == 1.0
    assert np.all(np.diff(found) > 0.0)
    assert found[::20] == pytest.approx(knots, abs=1e-12)


def test_tails_are_divided_where_their_points_lie_at_one_end():
    """A narrow normal density in a wide interval: 90% of the first increment is next to empty."""
    from scipy.stats import truncnorm

    normal = truncnorm(-10, 10, loc=0.5, scale=0.05)
    knots, fine = normal.ppf(np.linspace(0, 1, 21)), normal.ppf(np.linspace(0, 1, 401))
    for grid, least, most in ((smooth_knots(knots, fine=fine), 0.0, 0.1), (smooth_knots(knots), 1.0, 2.0)):
        levels = np.linspace(0.0, 1.0, len(grid))
        for quantile in (0.014, 0.03):
            place = normal.ppf(quantile)
            density = np.diff(np.interp([place - 1e-3, place + 1e-3], grid, levels)) / 2e-3
            assert least <= abs(np.log(density / normal.pdf(place))) <= most
    flat = smooth_knots(np.linspace(0, 1, 21), fine=np.linspace(0, 1, 401))
    assert flat == pytest.approx(np.linspace(0, 1, len(flat)), abs=1e-12)


def test_knots_too_narrow_for_a_curve_stay_as_they_are():
    knots = np.array([0.0, 0.5, 0.5 + 1e-16, 0.5 + 2e-16, 1.0])
    assert np.array_equal(smooth_knots(knots), knots)


def test_the_density_jumps_by_little():
    """The quantiles of a normal density: 20 equal increments jump by up to a factor of 9, their curve by 5%."""
    from scipy.stats import truncnorm

    knots = truncnorm(-5, 5, loc=0.5, scale=0.1).ppf(np.linspace(0, 1, 21))

    def jumps(grid):
        return np.abs(np.diff(np.log(np.diff(grid))))

    assert np.max(jumps(knots)) > 2.0
    found = jumps(smooth_knots(knots))
    assert np.max(found) < 0.25
    assert np.max(found[50:-50]) < 0.05  # 90% of the probability


@pytest.mark.parametrize("discrete", [False, True])
def test_the_smooth_map_of_a_survey_is_a_density_close_to_vegas(discrete):
    integrand = Bumps(discrete)
    found = survey(integrand, 40_000, Streams(1))
    smooth = smooth_sampler(found.sampler, found.samples, 20)
    generator = np.random.default_rng(2)
    flat = generator.random((200_000, 2))
    density = smooth.density(0, flat)
    assert density.mean() == pytest.approx(1.0, abs=4 * density.std() / np.sqrt(len(flat)))
    spread = []
    for sampler in (found.sampler, smooth):
        u, drawn = sampler.draw(0, 100_000, np.random.default_rng(3))
        assert drawn == pytest.approx(sampler.density(0, u), rel=1e-6)
        weight = integrand(u, 0).weight / drawn
        spread.append(weight.std() / weight.mean())
        exact = integrand(flat, 0).weight
        difference = weight.mean() - exact.mean()
        assert abs(difference) < 4 * np.hypot(weight.std() / np.sqrt(1e5), exact.std() / np.sqrt(2e5))
    assert spread[1] < spread[0] + 0.2  # the tails beyond the last knots are left to the flow


def test_a_channel_without_weight_keeps_its_grid():
    found = survey(Bumps(False), 2_000, Streams(4))
    empty = Samples(found.samples.u, found.samples.channel, 0.0 * found.samples.weight, found.samples.density)
    kept = smooth_sampler(found.sampler, empty, 20).channels[0]
    for one, other in zip(kept.grid, found.sampler.channels[0].grid, strict=True):
        assert np.array_equal(one, other)
