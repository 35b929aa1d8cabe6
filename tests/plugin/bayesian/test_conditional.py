"""Densities conditional on a nuisance parameter, with a variation whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from binnis import augment, learn_conditional
from mcbridge.errors import UserError

SLOPE, LEAST = 30.0, 20.0  # of a falling pT spectrum [GeV]


def variation(values, a):
    """``1 + a ((pT - 15 GeV)/100 GeV)^2`` (arXiv:2110.13632, eq. 23)."""
    return 1.0 + a * ((values[:, 0] - 15.0) / 100.0) ** 2


def events(n, generator):
    """pT above 20 GeV, exponential, and a rapidity that is independent of it."""
    return np.stack([LEAST + generator.exponential(SLOPE, n), generator.normal(0.0, 1.5, n)], axis=1)


# <((pT - 15)/100)^2> of the spectrum: (5 + e)^2 with e exponential
MOMENT = (25.0 + 2.0 * 5.0 * SLOPE + 2.0 * SLOPE**2) / 1e4


def true_ratio(pt, a):
    return (1.0 + a * ((pt - 15.0) / 100.0) ** 2) / (1.0 + a * MOMENT)


@pytest.fixture(scope="module")
def learned():
    generator = np.random.default_rng(1)
    values = events(40_000, generator)
    augmented = augment(values, np.ones(40_000), variation, (0.0, 30.0), 0.0, generator)
    return learn_conditional(
        *augmented,
        nominal=0.0,
        span=(0.0, 30.0),
        kinds=("length", "rapidity"),
        replicas=16,
        steps=800,
        bayesian_steps=500,
    )


def test_the_ratio_of_densities_follows_the_variation(learned):
    pt = np.array([22.0, 30.0, 45.0, 70.0, 100.0])
    values = np.stack([pt, np.full(5, 0.3)], axis=1)
    for a in (5.0, 15.0, 30.0):
        found = learned.ratio(values, a)
        assert found == pytest.approx(true_ratio(pt, a), rel=0.3), a  # from 0.16 to 3.1


def test_sigma_syst_is_half_the_envelope_and_falls_with_a_smaller_span(learned):
    pt = np.array([22.0, 70.0, 100.0])
    values = np.stack([pt, np.zeros(3)], axis=1)
    expected = 0.5 * np.abs(true_ratio(pt, 30.0) - 1.0)
    found = learned.sigma_syst(values)
    assert found == pytest.approx(expected, rel=0.35)
    assert np.all(learned.sigma_syst(values, span=(0.0, 5.0)) < found)


def test_densities_are_normalised_for_every_parameter(learned):
    """On events of the nominal density ``<p(x|a)/p(x|0)>`` is 1; a tenth of it lies in a tail with few events."""
    values = events(20_000, np.random.default_rng(7))
    for a in (0.0, 10.0, 30.0):
        ratio = learned.ratio(values, a)
        assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)


def test_mistakes_are_told(learned):
    values = events(200, np.random.default_rng(1))
    ones = np.ones(200)
    generator = np.random.default_rng(1)
    with pytest.raises(UserError, match="outside the span 0 to 30"):
        learned(values, 31.0)
    with pytest.raises(UserError, match="must be increasing"):
        augment(values, ones, variation, (3.0, 3.0), 3.0, generator)
    with pytest.raises(UserError, match=r"nominal is 5\.0; it must lie in the span"):
        augment(values, ones, variation, (0.0, 1.0), 5.0, generator)
    with pytest.raises(UserError, match="negative or not finite"):
        augment(values, ones, lambda x, a: -a, (0.0, 1.0), 0.0, generator)
    with pytest.raises(UserError, match=r"returned the shape \(\)"):
        augment(values, ones, lambda x, a: 1.0, (0.0, 1.0), 0.0, generator)
    with pytest.raises(UserError, match=r"nuisance has the shape \(3,\)"):
        learn_conditional(values, np.ones(3), ones, nominal=0.0)
    with pytest.raises(UserError, match="did you mean 'rapidity'"):
        learn_conditional(values, ones, ones, nominal=0.0, kinds=("length", "rapidty"))
    with pytest.raises(UserError, match="needs at least 100"):
        learn_conditional(values[:50], ones[:50], ones[:50], nominal=0.0)
    with pytest.raises(UserError, match="weights are negative"):
        learn_conditional(values, np.linspace(0, 1, 200), -ones, nominal=0.0, steps=1)
