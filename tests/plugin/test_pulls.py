"""Unbiased and honest: independent integrations scatter around the exact value by what their errors say."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.integration import Guard, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from plugin.training import TrainingConfig, train


def trained_sampler(known, seed=11, evaluations=30_000):
    streams = Streams(seed)
    guard = Guard()
    found = survey(known, evaluations // 2, streams, guard=guard)
    trained = train(known, found.sampler, found.samples, TrainingConfig(), streams, evaluations // 2, guard=guard)
    assert not trained.diverged
    assert trained.sampler.has_flow
    return trained.sampler


def pulls_of(known, sampler, repetitions, evaluations=20_000):
    pulls = []
    for seed in range(repetitions):
        found = integrate(known, sampler, evaluations, 5, Streams(1000 + seed), purpose="pull")
        pulls.append((found.mean - known.exact) / found.error)
    return np.array(pulls)


def check(pulls, mean, width, largest=None):
    assert abs(pulls.mean()) < mean, f"mean of {len(pulls)} pulls is {pulls.mean():.3f}"
    assert abs(pulls.std(ddof=1) - 1) < width, f"width of {len(pulls)} pulls is {pulls.std(ddof=1):.3f}"
    if largest is not None:
        assert np.abs(pulls).max() < largest, f"largest pull is {np.abs(pulls).max():.2f}"


def mistrained(sampler, seed=3):
    """The same sampler with random flow parameters: a flow that has learned nothing and starves regions."""
    from mcbridge import core

    generator = np.random.default_rng(seed)
    channels = []
    for channel in sampler.channels:
        params = channel.params
        if params is not None:
            params = (params + 0.15 * generator.normal(size=params.shape)).astype(np.float32)
        channels.append(
            core.ChannelSampler(
                channel.dim, channel.grid, channel.cells, channel.spec, params, 0.1 if channel.spec else 1.0
            )
        )
    return Sampler(channels, sampler.channel_weights, sampler.metadata, sampler.active)


def test_frozen_flow_gives_pulls_of_unit_width(known):
    pulls = pulls_of(known, trained_sampler(known), 60)
    check(pulls, mean=4 / np.sqrt(60), width=4 / np.sqrt(120), largest=5)


@pytest.mark.slow
def test_frozen_flow_gives_pulls_of_unit_width_over_200_integrations(known):
    check(pulls_of(known, trained_sampler(known), 200), mean=0.25, width=0.15, largest=5)


@pytest.mark.slow
def test_a_mistrained_flow_stays_unbiased_thanks_to_the_mixture(known):
    check(pulls_of(known, mistrained(trained_sampler(known)), 200, 40_000), mean=0.25, width=0.15, largest=5)


def spend(seconds_per_point):
    """Burn CPU time as an amplitude would, so that the automatic choice has something to save."""
    import time

    def burn(n):
        end = time.process_time() + n * seconds_per_point
        while time.process_time() < end:
            pass

    return burn


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["flow", "auto"])
def test_whole_chains_give_pulls_of_unit_width(known, mode):
    """Survey, training and choice anew for each of 30 seeds; single-channel ones through the public Integrator."""
    pulls = []
    burn = spend(150e-6 if mode == "auto" else 0.0)  # dear enough for a training to be worth a try
    for seed in range(30):
        if known.channels == 1:
            import vegas

            from plugin.integrator import Integrator

            @vegas.lbatchintegrand
            def function(x):
                burn(len(x))
                return known.function(np.asarray(x))

            result = Integrator(known.dim * [[0, 1]], sampler=mode, seed=seed)(function, nitn=5, neval=8000)
            pulls.append((result.mean - known.exact) / result.sdev)
        else:
            sampler = trained_sampler(known, seed=seed, evaluations=20_000)
            if mode == "auto":
                from mcbridge.integration import fresh_weights
                from plugin.choice import Goal, decide, figures_of_channels

                def figures(candidate, seed=seed):
                    fresh = fresh_weights(known, candidate, 4000, Streams(seed), purpose="choice")
                    weights = [fresh.event_weights[fresh.channel == i] for i in range(known.channels)]
                    return figures_of_channels(weights, 1e-5)

                vegas_sampler = sampler.vegas()
                if decide(figures(vegas_sampler), figures(sampler), Goal(0, 20_000)).sampler == "vegas":
                    sampler = vegas_sampler
            found = integrate(known, sampler, 20_000, 5, Streams(seed), purpose="pull")
            pulls.append((found.mean - known.exact) / found.error)
    check(np.array(pulls), mean=0.6, width=0.35, largest=5)
