"""Calibration: pulls with known width are calibrated to nominal coverage; regions that stay outside are named."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import calibrate, calibrate_pulls, positive_part
from mcbridge.uncertainties.calibration import weighted_quantile


def pulls(n=40_000, width=1.0, weighted=False, seed=1):
    """Pulls, log f/I, sigma and shares of n points."""
    generator = np.random.default_rng(seed)
    share = generator.exponential(size=n) if weighted else np.ones(n)
    return width * generator.normal(size=n), generator.normal(size=n), np.full(n, 0.1), share / share.sum()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("width", [0.4, 1.0, 3.0])
def test_the_calibrated_intervals_cover_whatever_the_width_of_the_pulls(width, weighted):
    found = calibrate_pulls(*pulls(width=width, weighted=weighted))
    error = 4 * np.sqrt(0.68 * 0.32 / (found.central.points / 2))
    assert found.central.calibrated["68"] == pytest.approx(0.6827, abs=error)
    assert found.central.calibrated["95"] == pytest.approx(0.9545, abs=error / 2)
    assert found.factor["68"] == pytest.approx(width, rel=0.04)
    assert found.factor["95"] == pytest.approx(width, rel=0.04)
    assert found.pull_width == pytest.approx(width, rel=0.04)
    assert not found.warnings
    raw = {0.4: 0.9876, 1.0: 0.6827, 3.0: 0.2611}[width]
    assert found.central.raw["68"] == pytest.approx(raw, abs=error)


def test_calibrated_coverage_comes_from_points_that_did_not_fix_it():
    """Half of the points have pulls ten times as wide: the factor of one half fails on the other."""
    pull, truth, sigma, share = pulls()
    pull[1::2] *= 10.0
    found = calibrate_pulls(pull, truth, sigma, share)
    assert found.factor["68"] == pytest.approx(1.0, rel=0.04)
    assert found.central.calibrated["68"] < 0.12


def test_a_region_that_the_band_does_not_cover_is_named():
    pull, truth, sigma, share = pulls()
    pull[truth < np.quantile(truth, 0.025)] += 8.0
    found = calibrate_pulls(pull, truth, sigma, share)
    assert found.central.calibrated["68"] == pytest.approx(0.6827, abs=0.02)
    assert len(found.warnings) == 1
    assert "the lowest densities" in found.warnings[0]
    assert found.ranges[0].calibrated["68"] < 0.05


def test_points_without_a_finite_pull_count_as_not_covered():
    pull, truth, sigma, share = pulls()
    pull[truth > np.quantile(truth, 0.975)] = np.inf
    found = calibrate_pulls(pull, truth, sigma, share)
    assert found.ranges[-1].raw["95"] == 0.0
    assert np.isfinite(found.pull_width)


def test_pulls_of_a_sampler_are_what_they_are_said_to_be():
    """Two replicas 1 +- a x-tilt around the exact density 1: sigma_log is known, the truth is known."""
    spec = core.FlowSpec(1, hidden=4, bins=4)
    generator = np.random.default_rng(3)
    parameters = (0.3 * generator.normal(size=(6, 1, spec.parameters))).astype(np.float32)
    sampler = Sampler([core.ChannelSampler(1)], replicas=Replicas(spec, parameters))
    u, density = sampler.draw(0, 5000, generator)
    weight = 7.0 * 2.0 * u[:, 0]
    samples = Samples(u, np.zeros(5000, dtype=np.int64), weight, density)
    p = sampler.replica_densities(0, u)
    expected = (np.log(p.mean(axis=0)) - np.log(2 * u[:, 0])) / np.std(np.log(p), axis=0, ddof=1)
    found = calibrate(sampler, samples, [7.0])
    inner = np.argsort(u[:, 0])
    share = u[:, 0] / u[:, 0].sum()
    rank = np.empty(5000)
    rank[inner] = np.cumsum(share[inner]) - 0.5 * share[inner]
    own = (rank >= 0.025) & (rank < 0.975)
    assert found.pull_mean == pytest.approx(np.average(expected[own], weights=share[own]), rel=1e-6)
    assert found.points == pytest.approx(5000 * 0.75, rel=0.05)
    json.dumps(found.as_json(), allow_nan=False)
    assert "sigma to be multiplied" in str(found)


def test_what_cannot_be_calibrated_is_told():
    with pytest.raises(UserError, match="needs at least 100"):
        calibrate_pulls(*pulls(n=60))
    spec = core.FlowSpec(1, hidden=4, bins=4)
    sampler = Sampler([core.ChannelSampler(1)], replicas=Replicas(spec, np.zeros((2, 1, spec.parameters))))
    u = np.linspace(0.1, 0.9, 20)[:, None]
    signed = Samples(u, np.zeros(20, dtype=np.int64), u[:, 0] - 0.5, np.ones(20))
    with pytest.raises(UserError, match=r"10 of 20 event weights are negative, 0\.5 of the integral"):
        calibrate(sampler, signed, [1.0])


def test_the_weighted_quantile_is_the_smallest_value_with_enough_weight():
    values, weight = np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 2.0])
    assert [weighted_quantile(values, weight, share) for share in (0.2, 0.25, 0.26, 0.75, 0.76, 1.0)] == [
        1,
        1,
        2,
        2,
        3,
        3,
    ]


def test_a_negligible_share_of_negative_weights_is_left_out_and_stated():
    u = np.linspace(0.0, 1.0, 1001)[:, None]
    samples = Samples(u, np.zeros(1001, dtype=np.int64), np.where(u[:, 0] < 0.0005, -1e-2, 1.0), np.full(1001, 2.0))
    positive, share = positive_part(samples)
    assert share == pytest.approx(1e-5, rel=1e-2)
    assert positive.weight.tolist() == [0.0] + 1000 * [1.0]
    assert positive_part(positive) == (positive, 0.0)
