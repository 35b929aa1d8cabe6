"""Replicas: densities on grid and cells without the mixture, normalisation, and the sampler file."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import bayesian_density


def numbers(spec, shape, generator, size=0.1):
    return (size * generator.normal(size=(*shape, spec.parameters))).astype(np.float32)


def plain(m=4, channels=1, dim=2, eps=0.3, seed=1):
    """A sampler whose replicas scatter around its flow."""
    generator = np.random.default_rng(seed)
    spec = core.FlowSpec(dim, hidden=8, bins=5)
    own = numbers(spec, (channels,), generator)
    grids = [[np.concatenate([[0], np.sort(generator.random(9)), [1]]) for _ in range(dim)] for _ in range(channels)]
    sources = [core.ChannelSampler(dim, grid, None, spec, params, eps) for grid, params in zip(grids, own, strict=True)]
    replicas = Replicas(spec, own[None] + numbers(spec, (m, channels), generator, 0.03), {"prior": 1.0})
    return Sampler(sources, replicas=replicas)


def with_cells(eps=0.3):
    generator = np.random.default_rng(8)
    spec = core.FlowSpec(1, hidden=8, bins=5, context=2)
    cells = core.Cells((1,), [[[0.0, 0.3]], [[0.3, 1.0]]], [0.5, 0.5], [0.2, 0.8], np.eye(2))
    source = core.ChannelSampler(2, [np.array([0.0, 0.4, 1.0])], cells, spec, numbers(spec, (), generator), eps)
    return Sampler([source], replicas=Replicas(spec, numbers(spec, (5, 1), generator)))


@pytest.mark.parametrize("sampler", [plain(), plain(channels=3), with_cells()])
def test_the_density_of_a_replica_is_that_of_a_sampler_with_its_parameters_and_no_mixture(sampler):
    """Grid jacobian, cell table and cell volume included; the sampler's own code is the reference."""
    u = np.random.default_rng(2).random((500, 2))
    for channel, source in enumerate(sampler.channels):
        found = sampler.replica_densities(channel, u)
        assert found.shape == (len(sampler.replicas), 500)
        for m in range(len(sampler.replicas)):
            params = sampler.replicas.parameters[m, channel]
            alone = core.ChannelSampler(source.dim, source.grid, source.cells, source.spec, params, 0.5)
            assert found[m] == pytest.approx(alone.densities(u)[1], rel=1e-5)


@pytest.mark.parametrize("sampler", [plain(), with_cells()])
def test_every_replica_is_normalised_on_points_drawn_from_their_mean(sampler):
    """``<p_m/p> = 1``: the sampler draws, the mean of the replicas weights."""
    n = 40_000
    u, density = sampler.draw(0, n, np.random.default_rng(4))
    found = bayesian_density(sampler, u, np.zeros(n, dtype=np.int64))
    for ratio in found.ratios.T:
        terms = ratio * found.mean / density
        assert abs(terms.mean() - 1.0) < 4 * terms.std() / np.sqrt(n)
    assert found.ratios.mean(axis=1) == pytest.approx(1.0, rel=1e-9)
    assert found.relative == pytest.approx(found.replicas.std(axis=0, ddof=1) / found.mean, rel=1e-9)


def test_points_are_judged_in_the_channel_that_drew_them():
    sampler = plain(channels=2)
    u = np.random.default_rng(2).random((60, 2))
    channel = np.arange(60) % 2
    found = bayesian_density(sampler, u, channel).replicas
    for index in (0, 1):
        assert np.array_equal(found[:, channel == index], sampler.replica_densities(index, u[channel == index]))


def test_nothing_lies_outside_the_hypercube():
    sampler = plain()
    u = np.array([[0.5, 0.5], [1.2, 0.5], [np.nan, 0.5]])
    assert np.array_equal(sampler.replica_densities(0, u) > 0.0, np.tile([True, False, False], (4, 1)))


def test_replicas_survive_the_file_and_every_change_of_the_sampler(tmp_path):
    sampler = plain(channels=2)
    sampler.save(tmp_path / "sampler.mcb")
    again = Sampler.load(tmp_path / "sampler.mcb")
    u = np.random.default_rng(2).random((50, 2))
    assert again.replicas.information == {"prior": 1.0}
    assert again.replicas.spec == sampler.replicas.spec
    for other in (again, sampler.with_eps(1.0), sampler.with_active([True, False])):
        assert np.array_equal(other.replica_densities(1, u), sampler.replica_densities(1, u))
    assert sampler.with_replicas(None).replicas is None
    sampler.with_replicas(None).save(tmp_path / "none.mcb")
    assert Sampler.load(tmp_path / "none.mcb").replicas is None


def test_replicas_of_a_sampler_without_a_flow_lie_on_its_grid():
    sampler = plain()
    source = sampler.channels[0]
    bare = Sampler([core.ChannelSampler(2, source.grid)], replicas=sampler.replicas)
    u = np.random.default_rng(2).random((50, 2))
    assert np.array_equal(bare.replica_densities(0, u), sampler.replica_densities(0, u))


def test_what_does_not_fit_is_told():
    sampler = plain()
    spec = sampler.replicas.spec
    with pytest.raises(UserError, match="at least 2 are needed"):
        Replicas(spec, np.zeros((1, 1, spec.parameters)))
    with pytest.raises(UserError, match=r"must be \(replicas, channels"):
        Replicas(spec, np.zeros((4, spec.parameters)))
    with pytest.raises(UserError, match="not finite"):
        Replicas(spec, np.full((4, 1, spec.parameters), np.nan))
    with pytest.raises(UserError, match="for 1 channels; the sampler has 2"):
        plain(channels=2).with_replicas(sampler.replicas)
    with pytest.raises(UserError, match="3 continuous coordinates; the replicas have 2"):
        plain(dim=3).with_replicas(sampler.replicas)
    with pytest.raises(UserError, match="no replicas"):
        sampler.with_replicas(None).replica_densities(0, np.zeros((1, 2)))
    with pytest.raises(UserError, match="channel 1 does not exist"):
        sampler.replicas.densities(sampler.channels[0], 1, np.zeros((1, 2)))
