"""Calibrated intervals cover what they promise, on exact points of processes and toys that nothing was tuned on."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.integration import Guard, fresh_weights, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Replicas, survey
from mcbridge.uncertainties import bayesian_density, calibrate, positive_part
from mcbridge.uncertainties.band import uncertainty_band
from mcbridge.uncertainties.surrogate import SurrogateEvents
from mcbridge.unweighting import largest_weights, policy_named, unweight
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


def observables(momenta):
    """Ten observables (n,) of lepton pairs, by name."""
    minus, plus = momenta[:, 2], momenta[:, 3]
    pair = minus + plus

    def pt(p):
        return np.hypot(p[:, 1], p[:, 2])

    return {
        "mass": np.sqrt(pair[:, 0] ** 2 - np.sum(pair[:, 1:] ** 2, axis=1)),
        "rapidity": np.arctanh(pair[:, 3] / pair[:, 0]),
        "pT": pt(minus),
        "eta of l-": np.arcsinh(minus[:, 3] / pt(minus)),
        "eta of l+": np.arcsinh(plus[:, 3] / pt(plus)),
        "difference in eta": np.arcsinh(minus[:, 3] / pt(minus)) - np.arcsinh(plus[:, 3] / pt(plus)),
        "phi": np.arctan2(minus[:, 2], minus[:, 1]),
        "energy of l-": np.log(minus[:, 0]),
        "larger energy": np.log(np.maximum(minus[:, 0], plus[:, 0])),
        "energy of the pair": np.log(pair[:, 0]),
    }


@pytest.mark.slow
def test_the_band_of_surrogate_events_covers_the_exact_distributions_of_drell_yan():
    from mcbridge.processes.drell_yan import DrellYan

    process = DrellYan()
    sampler = with_replicas(process, 200_000, 1500)
    n = 100_000
    trials = fresh_weights(process, sampler, 50_000, Streams(3), purpose="largest weight")
    policy = policy_named("quantile", quantile=1e-3)
    w_max = largest_weights([trials.event_weights], policy, np.random.default_rng(1))
    exact = np.concatenate([chunk.batch.momenta for chunk in unweight(process, sampler, w_max, n, Streams(4))])
    chunks = list(SurrogateEvents(process, sampler, [1.0], n, Streams(5)))
    momenta = np.concatenate([chunk.batch.momenta for chunk in chunks])
    u, channel = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("u", "channel"))
    ratios = bayesian_density(sampler, u, channel).ratios
    truth = observables(exact)
    for name, values in observables(momenta).items():
        edges = np.quantile(truth[name], np.linspace(0.0, 1.0, 9))
        band = uncertainty_band(values, ratios, edges, np.ones(n))
        expected = np.histogram(truth[name], edges)[0]
        counting = np.sqrt(expected + band.values)
        pulls = (band.values - expected) / np.hypot(band.sigma, counting)
        assert np.sqrt(np.mean(pulls**2)) < 1.6, (name, pulls)
        assert np.abs(pulls).max() < 4.0, (name, pulls)
