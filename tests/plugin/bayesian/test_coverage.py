"""Calibrated intervals cover what they promise, on exact points of processes and toys that nothing was tuned on."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.integration import Guard, fresh_weights, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Replicas, survey
from mcbridge.uncertainties import bayesian_density, calibrate, positive_part
from plugin.bayesian import BayesianConfig, Events, fit
from plugin.training import TrainingConfig, train
from tests.plugin.conftest import KNOWN


def with_replicas(integrand, evaluations, steps, seed=5):
    """Survey, training and Bayesian flow; the sampler with 32 replicas."""
    streams, guard = Streams(seed), Guard()
    found = survey(integrand, evaluations // 2, streams, guard=guard)
    trained = train(integrand, found.sampler, found.samples, TrainingConfig(), streams, evaluations // 2, guard=guard)
    sampler = trained.sampler
    events = Events.of_samples(positive_part(trained.samples)[0], sampler, integrand.periodic)
    start = np.stack([channel.params for channel in sampler.channels])
    spec = sampler.channels[0].spec
    result = fit(spec, start, events, BayesianConfig(steps=steps), streams.generator("Bayesian flow"))
    replicas = result.flow.replicas(32, streams.generator("replicas"))
    return sampler.with_replicas(Replicas(spec, replicas))


def calibration_of(integrand, evaluations, steps, points):
    sampler = with_replicas(integrand, evaluations, steps)
    integral = integrate(integrand, sampler, 100_000, 5, Streams(77))
    fresh = fresh_weights(integrand, sampler, points, Streams(78), purpose="calibration")
    return sampler, fresh, calibrate(sampler, fresh, [channel.mean for channel in integral.channels])


def check(found):
    """68 +- 4 % and 95 +- 3 % over the central 95% of the cross section."""
    assert found.central.calibrated["68"] == pytest.approx(0.68, abs=0.04), str(found)
    assert found.central.calibrated["95"] == pytest.approx(0.95, abs=0.03), str(found)


@pytest.mark.parametrize("name", ["two separated narrow peaks", "cut edge"])
def test_toys_are_covered_after_calibration(name):
    sampler, fresh, found = calibration_of(KNOWN[name], 30_000, 400, 40_000)
    check(found)
    assert 0.05 < found.factor["68"] < 5.0
    # every replica is normalised where the sampler, not the replicas, has drawn
    n = len(fresh)
    density = bayesian_density(sampler, fresh.u, fresh.channel)
    for ratio in density.ratios.T:
        terms = ratio * density.mean / fresh.density
        assert abs(terms.mean() - 1.0) < 4 * terms.std() / np.sqrt(n)


def test_several_channels_are_calibrated_each_with_its_own_density():
    """A wrong channel's density or integral would shift the logarithm by far more than sigma."""
    _, _, found = calibration_of(KNOWN["two channels"], 30_000, 400, 40_000)
    check(found)
    assert abs(found.pull_mean) < 1.0
    assert found.sigma < 0.2


@pytest.mark.slow
def test_drell_yan_is_covered_after_calibration():
    from mcbridge.processes.drell_yan import DrellYan

    _, _, found = calibration_of(DrellYan(), 200_000, 1500, 100_000)
    check(found)
