"""Widths of a posterior, tempered on exact points."""

import numpy as np
import pytest

from mcbridge import core
from mcbridge.integration import Samples
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import pulls_of
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
    return sampler, points, lambda scale: Replicas(SPEC, start + np.float32(scale) * noise, {"temperature": scale})


@pytest.mark.parametrize("width", [0.1, 1.0, 3.0])
def test_the_factor_is_found_and_the_coverage_right(width):
    factors = []
    for seed in range(6):
        sampler, points, make = world(width, seed)
        sampler.replicas, scale = temper(make, sampler, points)
        factors.append(scale)
        pull, _, _, share = pulls_of(sampler, points, [7.0])
        assert share @ (np.abs(pull) < 1.0) == pytest.approx(0.683, abs=0.05)
        assert sampler.replicas.information["temperature"] == scale
    assert np.exp(np.mean(np.log(factors))) == pytest.approx(width, rel=0.35)


def test_too_few_points_leave_the_widths_alone():
    sampler, points, make = world(0.1)
    replicas, scale = temper(make, sampler, points.select(slice(0, 100)))
    assert scale == 1.0
    assert replicas.information["temperature"] == 1.0
    assert sampler.replicas is None


def test_without_tempering_the_interval_would_be_far_too_wide():
    sampler, points, make = world(0.1)
    sampler.replicas = make(1.0)
    pull, *_ = pulls_of(sampler, points, [7.0])
    assert np.mean(np.abs(pull) < 1.0) > 0.97
