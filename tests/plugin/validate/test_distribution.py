"""Comparisons of weighted samples: p-values are uniform where nothing differs, and small where something does."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from plugin.validate.distribution import compare, edges_for
from plugin.validate.sample import Column, WeightedSample


def sample(x, weight, trials=None, stratum=None, other_squares=None):
    """Points with weights; one stratum unless given."""
    stratum = np.zeros(len(x), dtype=np.int64) if stratum is None else stratum
    trials = np.bincount(stratum) if trials is None else np.array(trials)
    return WeightedSample("s", weight / trials[stratum], stratum, trials, {"x": Column(x)}, other_squares)


def importance(generator, n, power):
    """x^power-shaped density on (0, 1) for the integrand 2 x: weights vary unless power is 1."""
    x = generator.random(n) ** (1.0 / (power + 1.0))
    return sample(x, 2.0 * x / ((power + 1.0) * x**power))


def stratified(generator, n):
    """The integrand 2 x in two strata of fixed size, below and above 0.6."""
    low, high = 0.6 * generator.random(n // 3), 0.6 + 0.4 * generator.random(n - n // 3)
    x = np.concatenate([low, high])
    stratum = (np.arange(n) >= n // 3).astype(np.int64)
    return sample(x, 2.0 * x * np.where(stratum == 0, 0.6, 0.4), stratum=stratum)


@pytest.mark.parametrize("kind", ["weights", "strata"])
def test_probabilities_are_uniform_for_equal_distributions(kind):
    generator = np.random.default_rng(3)
    found = []
    for _ in range(100):
        first = importance(generator, 8000, 0.2)
        second = importance(generator, 9000, 1.3) if kind == "weights" else stratified(generator, 9000)
        found.append(compare("x", first, second))
    for p in ([f.p_chi2 for f in found], [f.p_ks for f in found]):
        assert stats.kstest(p, "uniform").pvalue > 1e-3
        assert 0.005 < min(p) * len(p) < 10.0


def test_unweighted_points_give_the_usual_kolmogorov_smirnov_probability():
    generator = np.random.default_rng(4)
    for shift in (0.0, 0.02, 0.04):
        x, y = generator.normal(size=20000), generator.normal(shift, 1.0, size=15000)
        found = compare("x", sample(x, np.ones(20000)), sample(y, np.ones(15000)))
        expected = stats.ks_2samp(x, y, method="asymp").pvalue
        # the distance is read at 160 edges instead of all points, and the probability is simulated
        assert np.log10(found.p_ks) == pytest.approx(np.log10(expected), abs=0.25 + 0.12 * abs(np.log10(expected)))


def test_a_tilt_and_a_hole_are_found():
    generator = np.random.default_rng(5)
    x, y = generator.random(200_000), generator.random(200_000)
    flat = sample(x, np.ones(len(x)))
    assert compare("x", flat, sample(y, 1.0 + 0.05 * (2.0 * y - 1.0))).p_ks < 1e-10
    hole = compare("x", flat, sample(y, 1.0 * ((y < 0.5) | (y > 0.52))))
    assert hole.p_chi2 < 1e-100
    assert "0.5" in hole.worst_bin


def test_the_variance_that_a_starving_sampler_does_not_see_comes_from_the_other():
    """The candidate draws 10 points of 100,000 in a region with a tenth of the integral: it sees 0 to 20 of them."""
    generator = np.random.default_rng(6)
    tail, share, alarms, naive = 0.1, 1e-4, 0, 0
    for _ in range(12):
        n = 100_000
        x = generator.random(n)
        rare = generator.random(n) < share
        y = np.where(rare, tail * generator.random(n), tail + (1 - tail) * generator.random(n))
        density = np.where(y < tail, share / tail, (1 - share) / (1 - tail))
        other = np.where(x < tail, tail / share, (1 - tail) / (1 - share)) / (n * n)
        reference, candidate = sample(x, np.ones(n), other_squares=other), sample(y, 1.0 / density)
        naive += compare("x", sample(x, np.ones(n)), candidate).p_ks < 1e-3
        alarms += compare("x", reference, candidate).p_ks < 1e-3
    assert alarms == 0
    assert naive >= alarms


def test_edges_follow_a_narrow_peak_and_cover_the_tails():
    generator = np.random.default_rng(7)
    x = np.concatenate([generator.normal(0.5, 1e-4, 9000), generator.random(1000)])
    column, own = Column(x), sample(x, np.ones(len(x)))
    edges = edges_for(column, column, own, own)
    assert np.sum(np.abs(edges - 0.5) < 1e-3) > 60
    assert edges[0] < 0.02
    assert edges[-1] > 0.98
    constant = Column(np.full(10, 3.0))
    assert len(edges_for(constant, constant, sample(x[:10], np.ones(10)), sample(x[:10], np.ones(10)))) < 3


def test_classes_are_compared_by_chi2_and_rare_ones_joined():
    generator = np.random.default_rng(8)
    names = ("a", "b", "c")

    def classes(shares, n=20000):
        values = generator.choice(3, n, p=shares).astype(float)
        found = sample(values, np.ones(n))
        found.columns = {"x": Column(values, names)}
        return found

    equal = compare("x", classes([0.6, 0.3999, 0.0001]), classes([0.6, 0.3999, 0.0001]))
    assert equal.p_chi2 > 1e-4
    assert equal.p_ks is None
    assert equal.categories == ("a", "b, c")
    assert compare("x", classes([0.6, 0.3, 0.1]), classes([0.55, 0.35, 0.1])).p_chi2 < 1e-10
