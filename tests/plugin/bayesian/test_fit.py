"""Fits of Bayesian flows: weighted events, several channels, determinism, and widths that shrink with statistics."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import Sampler
from plugin.bayesian import BayesianConfig, Events, fit
from plugin.flows import identity_parameters

SPEC = core.FlowSpec(2, hidden=8, bins=4)


def wedge(n, generator):
    return np.stack([np.sqrt(generator.random(n)), generator.random(n)], axis=1)


def fitted(events, spec=SPEC, seed=1, **options):
    generator = np.random.default_rng(seed)
    config = BayesianConfig(**{"mean_steps": 300, "steps": 400, "batch": 256, "draws": 4, **options})
    return fit(spec, identity_parameters(spec, events.channels, generator), events, config, generator)


def densities(replicas, y, channel=0, spec=SPEC):
    points = np.ascontiguousarray(y, dtype=np.float32)
    return np.exp([core.log_density(spec, replica[channel], points)[1] for replica in replicas]).astype(np.float64)


def band(events, x, **options):
    """Mean and spread of the density along lines of constant y, of 20 replicas."""
    replicas = fitted(events, **options).flow.replicas(20, np.random.default_rng(9))
    lines = np.stack(np.meshgrid(x, np.linspace(0.2, 0.8, 7), indexing="ij"), axis=-1).reshape(-1, 2)
    found = densities(replicas, lines).reshape(20, len(x), 7)
    return found.mean(axis=(0, 2)), found.std(axis=0, ddof=1).mean(axis=1)


def test_the_wedge_ramp_is_learned_within_its_band_from_unweighted_and_from_weighted_events():
    generator = np.random.default_rng(4)
    n = 20_000
    x = np.linspace(0.2, 0.9, 8)
    unweighted = Events.unweighted(wedge(n, generator))
    flat = generator.random((2 * n, 2))
    weighted = Events(flat, 3.0 * flat[:, 0], np.zeros(2 * n, dtype=np.int64))
    assert unweighted.n_eff == pytest.approx([n])
    assert weighted.n_eff == pytest.approx([2 * n * 0.75], rel=0.02)  # <x>^2 / <x^2>
    for events in (unweighted, weighted):
        mean, sigma = band(events, x)
        assert np.all(np.abs(mean - 2 * x) < 4 * sigma), (mean / (2 * x), sigma)
        assert np.all(sigma < 0.25 * mean)


def test_more_events_make_a_narrower_band():
    generator = np.random.default_rng(4)
    x = np.linspace(0.3, 0.8, 6)
    few = band(Events.unweighted(wedge(2_000, generator)), x)[1].mean()
    many = band(Events.unweighted(wedge(200_000, generator)), x)[1].mean()
    assert many < 0.6 * few


def test_the_same_seed_gives_the_same_posterior():
    events = Events.unweighted(wedge(2_000, np.random.default_rng(4)))
    first, again, other = (fitted(events, seed=seed, mean_steps=20, steps=20).flow for seed in (1, 1, 2))
    assert np.array_equal(first.mean.detach().numpy(), again.mean.detach().numpy())
    assert np.array_equal(first.log_sigma.detach().numpy(), again.log_sigma.detach().numpy())
    assert not np.array_equal(first.mean.detach().numpy(), other.mean.detach().numpy())


def test_a_fit_starts_from_the_given_parameters():
    events = Events.unweighted(wedge(2_000, np.random.default_rng(4)))
    start = identity_parameters(SPEC, 1, np.random.default_rng(1)) + np.float32(0.01)
    flow = fit(SPEC, start, events, BayesianConfig(steps=0, initial_sigma=1e-5), np.random.default_rng(1)).flow
    assert np.array_equal(flow.mean.detach().numpy(), start)
    replicas = flow.replicas(4, np.random.default_rng(1))
    assert np.abs(replicas - start).max() < 1e-4


def test_every_channel_learns_its_own_density():
    generator = np.random.default_rng(4)
    n = 10_000
    rising = wedge(n, generator)
    falling = 1.0 - wedge(3 * n, generator)
    events = Events(
        np.concatenate([rising, falling]), np.ones(4 * n), np.repeat([0, 1], [n, 3 * n]).astype(np.int64), None, 2
    )
    assert events.n_eff == pytest.approx([n, 3 * n])
    replicas = fitted(events).flow.replicas(16, np.random.default_rng(2))
    points = np.stack([np.linspace(0.2, 0.9, 8), np.full(8, 0.5)], axis=1)
    assert densities(replicas, points, 0).mean(axis=0) == pytest.approx(2 * points[:, 0], rel=0.25)
    assert densities(replicas, points, 1).mean(axis=0) == pytest.approx(2 * (1 - points[:, 0]), rel=0.3, abs=0.1)
    assert np.bincount(events.channel[events.draw(64, generator)]).tolist() == [64, 64]


def test_events_of_samples_are_seen_through_grid_and_cells():
    """Density u^2 on a grid and a choice of two cells: weights and conditions follow the sampler."""
    grid = [np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.25, 1.0])]
    boxes = [[[0.0, 0.3]], [[0.3, 1.0]]]
    cells = core.Cells((1,), boxes, [0.5, 0.5], [0.5, 0.5], np.eye(2))
    sampler = Sampler([core.ChannelSampler(3, [grid[0], grid[1]], cells)])
    generator = np.random.default_rng(3)
    u, density = sampler.draw(0, 5000, generator)
    weight = np.where(u[:, 1] < 0.3, 0.0, u[:, 0] ** 2)
    events = Events.of_samples(Samples(u, np.zeros(5000, dtype=np.int64), weight, density), sampler, ())
    live = weight > 0.0
    assert len(events) == live.sum()
    assert np.array_equal(events.context, np.tile([0.0, 1.0], (live.sum(), 1)))
    assert events.weight == pytest.approx(weight[live] / density[live])
    y, _ = sampler.channels[0].inverse_grid(u[live])
    assert events.y == pytest.approx(y, abs=1e-6)


def test_a_signed_integrand_is_refused():
    sampler = Sampler([core.ChannelSampler(2)])
    u, density = sampler.draw(0, 100, np.random.default_rng(3))
    samples = Samples(u, np.zeros(100, dtype=np.int64), u[:, 0] - 0.5, density)
    with pytest.raises(UserError, match="event weights are negative; a Bayesian flow learns"):
        Events.of_samples(samples, sampler, ())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 0}, "draws is 0"),
        ({"batch": 4, "draws": 8}, "batch is 4; it must be at least the number of draws"),
        ({"initial_sigma": 0.0}, "initial_sigma is 0.0"),
        ({"steps": 1.5}, "steps is 1.5"),
    ],
)
def test_impossible_settings_are_told(options, words):
    with pytest.raises(UserError, match=words):
        BayesianConfig(**options)


def test_points_outside_the_hypercube_and_wrong_channels_are_told():
    with pytest.raises(UserError, match="unit hypercube"):
        Events.unweighted([[0.5, 1.5]])
    events = Events.unweighted([[0.5, 0.5]])
    with pytest.raises(UserError, match="2 channels; the events have 1"):
        fit(
            SPEC,
            identity_parameters(SPEC, 2, np.random.default_rng(1)),
            events,
            BayesianConfig(),
            np.random.default_rng(1),
        )
