"""Held-out histograms: a right band covers, a wrong one is told by its factor, and noise is not taken for an answer."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.uncertainties.held_out import compare_histograms, pair_histogram

BINS, DRAWN = 400, 10**7


def toy(sigma, true_sigma, events, seed=1):
    """Bins of equal content; replicas scatter by ``sigma``, the truth is one more draw of ``true_sigma``."""
    generator = np.random.default_rng(seed)
    replicas = (1.0 + sigma * generator.standard_normal((64, BINS))) / BINS
    truth = (1.0 + true_sigma * generator.standard_normal(BINS)) / BINS
    held = generator.poisson(np.maximum(truth, 0.0) * events) / events
    return compare_histograms(held, replicas, events, DRAWN)


def test_a_right_band_covers_and_has_the_factor_one():
    found = toy(0.2, 0.2, 100_000)
    assert abs(found.factor - 1.0) < 4 * found.factor_error / 2
    assert found.raw["68"] == pytest.approx(0.683, abs=4 * np.sqrt(0.68 * 0.32 / BINS))
    assert found.raw["95"] == pytest.approx(0.954, abs=4 * np.sqrt(0.95 * 0.05 / BINS))


@pytest.mark.parametrize("true_sigma", [0.1, 0.6])
def test_the_factor_repairs_a_wrong_band(true_sigma):
    found = toy(0.2, true_sigma, 100_000)
    assert abs(found.factor_squared - (true_sigma / 0.2) ** 2) < 4 * found.factor_error * max(
        1, (true_sigma / 0.2) ** 2
    )
    assert abs(found.raw["68"] - 0.683) > 0.1
    assert found.calibrated["68"] == pytest.approx(0.683, abs=0.1)


def test_where_the_counting_error_hides_the_band_there_is_no_factor():
    found = toy(0.01, 0.01, 1000)
    assert found.factor is None
    assert found.calibrated is None
    assert found.as_json()["factor"] is None


def test_histograms_of_pairs_are_shares_and_see_a_correlation():
    generator = np.random.default_rng(2)
    points = generator.random((20_000, 3))
    points[:, 1] = np.mod(points[:, 0] + 0.1 * generator.random(20_000), 1.0)
    shares, number = pair_histogram(points, None, 1e4)
    assert [shares[number == pair].sum() for pair in range(3)] == pytest.approx([1.0, 1.0, 1.0])
    assert len(shares) == 3 * 36
    flat = 1 / 36
    assert np.max(np.abs(shares[number == 0] - flat)) > 0.05  # of coordinates 0 and 1
    assert np.max(np.abs(shares[number == 1] - flat)) < 0.01
    assert len(pair_histogram(points[:, :1], generator.random(20_000), 1000.0)[0]) == 36
