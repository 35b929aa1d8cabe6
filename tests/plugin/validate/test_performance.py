"""Figures of merit with errors: known values for known weights, errors that are the scatter."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.integration import Samples
from plugin.validate.performance import Measured, gain, performance
from plugin.validate.points import BLOCKS, Points


def points(weight, channel=None, seconds=1e-6):
    """Points of given event weights in equal blocks."""
    n = len(weight)
    channel = np.zeros(n, dtype=np.int64) if channel is None else channel
    samples = Samples(np.zeros((n, 1)), channel, weight, np.ones(n))
    block = np.arange(n) * BLOCKS // n
    return Points("flow", samples, weight, block, np.full(BLOCKS, seconds * n / BLOCKS))


def test_figures_of_flat_weights_are_known():
    """Weights uniform in (0, 1), a tenth of the points outside the cuts."""
    generator = np.random.default_rng(1)
    weight = generator.random(100_000) * (generator.random(100_000) > 0.1)
    found = performance(points(weight))
    assert found.cross_section.value == pytest.approx(0.45, abs=4 * found.cross_section.error)
    assert found.efficiency["exact"].value == pytest.approx(0.45, rel=0.02)
    assert found.efficiency_after_cuts["exact"].value == pytest.approx(0.5, rel=0.02)
    expected = np.sqrt(0.9 / 3 - 0.45**2) / 0.45
    assert found.rsd.value == pytest.approx(expected, abs=4 * found.rsd.error)
    assert found.kish.value == pytest.approx(1 / (1 + expected**2), abs=4 * found.kish.error)
    assert found.seconds_per_event.value == pytest.approx(1e-6 / found.efficiency["quantile"].value)
    assert found.dof == BLOCKS - 1
    assert found.chi2 == pytest.approx(found.dof, abs=4 * np.sqrt(2 * found.dof))


def test_channels_are_strata():
    """A channel with three times as many points counts as much as its integral."""
    generator = np.random.default_rng(2)
    channel = (np.arange(40_000) % 4 > 0).astype(np.int64)
    weight = np.where(channel == 0, 2.0, 1.0) * generator.uniform(0.5, 1.5, 40_000)
    found = performance(points(weight, channel))
    assert found.cross_section.value == pytest.approx(3.0, abs=4 * found.cross_section.error)
    assert found.rsd.value == pytest.approx(1 / np.sqrt(12), abs=4 * found.rsd.error)
    assert found.efficiency["exact"].value == pytest.approx(1 / 1.5, rel=0.01)


def test_the_errors_are_the_scatter():
    generator = np.random.default_rng(3)
    found = [performance(points(generator.exponential(size=4000))) for _ in range(60)]
    for name in ("rsd", "kish"):
        values = np.array([getattr(one, name).value for one in found])
        errors = np.array([getattr(one, name).error for one in found])
        assert np.std(values) == pytest.approx(np.mean(errors), rel=4 / np.sqrt(2 * len(values)))


def test_a_gain_has_the_error_of_a_ratio():
    found = gain(Measured(4.0, 0.04), Measured(2.0, 0.04))
    assert found.value == 2.0
    assert found.error == pytest.approx(2.0 * np.hypot(0.01, 0.02))
    assert not np.isfinite(gain(Measured(1.0, 0.1), Measured(0.0, 0.0)).value)
