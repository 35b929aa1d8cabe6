"""The band of an observable: from replica weights, not from sigma_stat in quadrature."""

from __future__ import annotations

import boost_histogram as bh
import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import bayesian_density
from mcbridge.uncertainties.band import uncertainty_band

M = 40
EDGES = np.linspace(0.0, 1.0, 7)


def model():
    """Replicas that scatter widely, on one channel of two dimensions."""
    generator = np.random.default_rng(1)
    spec = core.FlowSpec(2, hidden=8, bins=5)
    own = (0.2 * generator.normal(size=spec.parameters)).astype(np.float32)
    spread = (0.1 * generator.normal(size=(M, 1, spec.parameters))).astype(np.float32)
    return Sampler([core.ChannelSampler(2, None, None, spec, own, 0.5)], replicas=Replicas(spec, own + spread))


def events(sampler, n, seed=2):
    """n points that follow the mean of the replicas, by hit or miss, and what the replicas say about them."""
    generator = np.random.default_rng(seed)
    u = np.zeros((0, 2))
    while len(u) < n:
        trial, density = sampler.draw(0, 2 * n, generator)
        p = sampler.replica_densities(0, trial).mean(axis=0)
        ratio = p / density
        u = np.concatenate([u, trial[generator.random(2 * n) * ratio.max() < ratio]])
    return u[:n], bayesian_density(sampler, u[:n], np.zeros(n, dtype=np.int64))


def test_the_band_from_replica_weights_is_that_of_separate_samples_and_not_the_quadrature_sum():
    sampler = model()
    n = 60_000
    u, density = events(sampler, n)
    band = uncertainty_band(u[:, 0], density.ratios / n, EDGES, np.full(n, 1.0 / n))
    spec, parameters = sampler.replicas.spec, sampler.replicas.parameters
    generator = np.random.default_rng(8)
    separate = []
    for m in range(M):
        points, _ = core.sample(spec, parameters[m, 0], generator.random((n, 2), dtype=np.float32))
        separate.append(np.histogram(points[:, 0], EDGES)[0] / n)
    separate = np.array(separate)
    counting = np.sqrt(separate.mean(axis=0) / n)
    expected = np.sqrt(np.maximum(separate.std(axis=0, ddof=1) ** 2 - counting**2, 0.0))
    # the same replicas in both, so that only counting errors and the chance of 60,000 events differ
    for replica, reference in zip(band.replicas, separate, strict=True):
        assert np.all(np.abs(replica - reference) < 5 * np.sqrt(2) * counting * (1 + replica))
    assert band.sigma == pytest.approx(expected, rel=0.1)
    index = np.digitize(u[:, 0], EDGES) - 1
    quadrature = np.sqrt(np.bincount(index, (density.relative / n) ** 2, len(EDGES) - 1))
    assert np.all(band.sigma > 5 * quadrature)


def test_mean_values_and_statistical_errors():
    generator = np.random.default_rng(3)
    values = generator.random(1000)
    weight = generator.exponential(size=1000)
    table = weight[:, None] * (1.0 + np.array([-0.1, 0.0, 0.1]))
    band = uncertainty_band(values, table, EDGES, weight)
    assert band.values == pytest.approx(np.histogram(values, EDGES, weights=weight)[0])
    assert band.mean == pytest.approx(band.values)
    assert band.relative == pytest.approx(0.1)
    assert band.statistical == pytest.approx(np.sqrt(np.histogram(values, EDGES, weights=weight**2)[0]))
    assert band.total == pytest.approx(np.hypot(band.sigma, band.statistical))
    correlation = band.covariance / np.outer(band.sigma, band.sigma)
    assert correlation == pytest.approx(np.ones((6, 6)))
    assert uncertainty_band(values, table, EDGES).values == pytest.approx(band.values)


def test_weights_by_id_and_axes_of_boost_histogram_are_taken():
    generator = np.random.default_rng(3)
    values, table = generator.normal(0.5, 0.5, 500), generator.exponential(size=(500, 4))
    named = {f"binn_{m + 1:03d}": table[:, m] for m in range(4)} | {"scale_1": np.ones(500)}
    expected = uncertainty_band(values, table, EDGES)
    for band in (
        uncertainty_band(values, named, EDGES),
        uncertainty_band(values, named, bh.axis.Regular(6, 0.0, 1.0)),
    ):
        assert band.mean == pytest.approx(expected.mean)
        assert band.sigma == pytest.approx(expected.sigma)
    assert np.sum(expected.values) < np.sum(table.mean(axis=1))  # values outside the axis stay outside
    assert np.array(expected.histogram.values()) == pytest.approx(expected.values)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros(3), np.ones((4, 2)), EDGES), r"must be \(n,\) and \(n, replicas\)"),
        ((np.zeros(3), np.ones((3, 1)), EDGES), "at least 2"),
        ((np.zeros(3), np.ones((3, 2)), [1.0, 0.0]), "increasing edges"),
        ((np.zeros(3), {"scale_1": np.ones(3)}, EDGES), "no weights binn_001"),
        ((np.zeros(3), np.ones((3, 2)), EDGES, np.ones(2)), "weight has the shape"),
    ],
)
def test_what_does_not_fit_is_told(arguments, words):
    with pytest.raises(UserError, match=words):
        uncertainty_band(*arguments)
