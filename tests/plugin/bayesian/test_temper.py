"""Widths of a posterior, tempered on exact points."""

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import pulls_of
from mcbridge.uncertainties.marginals import marginal_chi2, replica_chi2
from plugin.bayesian import temper

SPEC = core.FlowSpec(2, blocks=2, hidden=8, layers=2, bins=6)


def world(width, seed=1, n=4000):
    """A flow, replicas around it for any factor, and exact points whose truth is off by ``width`` of them."""
    generator = np.random.default_rng(seed)
    start = generator.normal(0.0, 0.3, (1, SPEC.parameters)).astype(np.float32)
    noise = generator.normal(0.0, 0.1, (32, 1, SPEC.parameters)).astype(np.float32)
    truth = start + width * generator.normal(0.0, 0.1, start.shape).astype(np.float32)
    grid = [np.array([0.0, 1.0])] * 2
    sampler = Sampler([core.ChannelSampler(2, grid, None, SPEC, start[0], 0.2)])
    u, density = sampler.draw(0, n, generator)
    exact = core.log_density(SPEC, truth, u.astype(np.float32))[1]
    points = Samples(u, np.zeros(n, dtype=np.int64), 7.0 * np.exp(exact.astype(np.float64)), density)
    return sampler, points, lambda scale: Replicas(SPEC, start + np.float32(scale) * noise, {"width_factor": scale})


@pytest.mark.parametrize("width", [0.1, 1.0])
def test_the_factor_is_found_and_histograms_agree(width):
    factors, ratios, covered = [], [], []
    for seed in range(6):
        sampler, points, make = world(width, seed)
        sampler.replicas, scale = temper(make, sampler, points)
        factors.append(scale)
        fresh = world(width, seed, 10_000)[1]
        ratios.append(marginal_chi2(sampler, fresh)[0])
        pull, _, _, share = pulls_of(sampler, points, [7.0])
        covered.append(share @ (np.abs(pull) < 1.0))
        assert sampler.replicas.information["width_factor"] == scale
    assert np.exp(np.mean(np.log(factors))) == pytest.approx(width, rel=0.35)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.3)
    # here the truth is a draw from the posterior, so that single points are covered as well as histograms
    assert np.mean(covered) == pytest.approx(0.683, abs=0.12)


def test_histograms_of_the_replicas_own_truth_have_a_chi2_of_their_bins():
    """Replicas and truth from one distribution: chi2/dof is 1 on average over many truths."""
    ratios = []
    for seed in range(20):
        sampler, points, make = world(1.0, seed)
        sampler.replicas = make(1.0)
        ratios.append(marginal_chi2(sampler, points)[0])
    assert np.mean(ratios) == pytest.approx(1.0, abs=4.0 * np.std(ratios, ddof=1) / np.sqrt(20))
    assert np.std(ratios, ddof=1) / np.sqrt(20) < 0.15


def test_covariance_of_few_replicas_is_corrected():
    """Hartlap et al.: without the factor, 32 replicas of 7 bins would give a chi2 of 9.4 instead of 7."""
    generator = np.random.default_rng(2)
    found = []
    for _ in range(400):
        rows = generator.normal(size=(32, 8))
        found.append(replica_chi2(generator.normal(size=8), np.cov(rows, rowvar=False), 32)[0])
    assert np.mean(found) == pytest.approx(7.0, abs=4.0 * np.std(found) / 20)
    with pytest.raises(UserError, match="10 replicas are too few"):
        replica_chi2(np.zeros(8), np.eye(8), 10)


def test_too_few_points_leave_the_widths_alone():
    sampler, points, make = world(0.1)
    replicas, scale = temper(make, sampler, points.select(slice(0, 100)))
    assert scale == 1.0
    assert replicas.information["width_factor"] == 1.0
    assert sampler.replicas is None


def test_without_tempering_the_interval_would_be_far_too_wide():
    sampler, points, make = world(0.1)
    sampler.replicas = make(1.0)
    pull, *_ = pulls_of(sampler, points, [7.0])
    assert np.mean(np.abs(pull) < 1.0) > 0.97
