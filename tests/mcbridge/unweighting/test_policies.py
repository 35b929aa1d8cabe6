"""What "the largest weight" means, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcbridge.errors import UserError
from mcbridge.unweighting import (
    Exact,
    MedianOfMaxima,
    Quantile,
    efficiency,
    efficiency_after_cuts,
    kish,
    largest_weights,
    overweight_share,
    policy_named,
)

RNG = np.random.default_rng(0)

weight_samples = hnp.arrays(
    np.float64, st.integers(1, 60), elements=st.one_of(st.just(0.0), st.floats(1e-6, 1e6), st.floats(-1e6, -1e-6))
)


@given(weight_samples)
def test_exact_is_the_largest_absolute_weight(weights):
    assert Exact()(weights, RNG) == max(abs(w) for w in weights)


@given(weight_samples, st.floats(0.0, 0.9))
def test_quantile_is_the_smallest_w_max_whose_excess_is_within_q(weights, q):
    w_max = Quantile(q)(weights, RNG)
    total = np.sum(np.abs(weights))

    def excess(bound):
        return sum(max(abs(w) - bound, 0.0) for w in weights)

    assert excess(w_max) <= q * total + 1e-9 * total
    if w_max > 0.0:
        lower = w_max * (1.0 - 1e-6)
        # Just below, the excess is larger than q allows.
        assert excess(lower) >= q * total - 1e-9 * total
        assert excess(lower) > excess(w_max)


@given(weight_samples)
def test_quantile_of_zero_is_exact(weights):
    assert Quantile(0.0)(weights, RNG) == pytest.approx(Exact()(weights, RNG), rel=1e-12)


def test_quantile_found_by_bisection_for_exponential_weights():
    """For weights with density exp(-w) the excess over w_max is exp(-w_max): w_max = -log q."""
    weights = -np.log(np.random.default_rng(1).random(1_000_000))
    # The excess share e^-t of N points has relative error sqrt(2 e^t / N), so that w_max has the same absolute one.
    sigma = np.sqrt(2.0 * 1e3 / 1e6)
    assert abs(Quantile(1e-3)(weights, RNG) + np.log(1e-3)) < 4.0 * sigma


def test_median_of_maxima_matches_maxima_of_explicit_bootstrap_replicas():
    weights = np.random.default_rng(2).exponential(size=3000)
    generator = np.random.default_rng(3)
    explicit = [np.max(generator.choice(weights, 500)) for _ in range(4000)]
    ours = [MedianOfMaxima(replicas=1, size=500)(weights, generator) for _ in range(4000)]
    error = np.std(explicit) / np.sqrt(4000) * np.sqrt(2.0)
    assert abs(np.mean(ours) - np.mean(explicit)) < 4.0 * error


def test_median_of_maxima_ignores_one_outlier():
    weights = np.append(np.random.default_rng(4).random(100_000), 1e6)
    assert MedianOfMaxima(replicas=101, size=10_000)(weights, np.random.default_rng(5)) < 1.0


def test_every_policy_gives_zero_without_any_weight():
    for name in ("exact", "quantile", "median"):
        assert policy_named(name)(np.zeros(100), RNG) == 0.0
    assert largest_weights([np.zeros(5), np.array([1.0, -3.0])], Exact(), RNG).tolist() == [0.0, 3.0]


def test_exact_looks_at_the_stated_number_of_trials():
    weights = np.array([1.0, 2.0, 9.0])
    assert Exact(trials=2)(weights, RNG) == 2.0
    with pytest.raises(UserError, match="10 trials"):
        Exact(trials=10)(weights, RNG)


def test_a_wrong_policy_name_is_told_with_the_nearest():
    with pytest.raises(UserError, match="did you mean 'quantile'"):
        policy_named("quantil")


@pytest.mark.parametrize(
    "make", [lambda: Quantile(1.0), lambda: Quantile(-0.1), lambda: Exact(0), lambda: MedianOfMaxima(0)]
)
def test_nonsense_is_refused(make):
    with pytest.raises(UserError):
        make()
    with pytest.raises(UserError, match="not finite"):
        Exact()(np.array([1.0, np.nan]), RNG)


@given(weight_samples)
def test_efficiency_counts_all_trials_and_after_cuts_only_those_with_weight(weights):
    w_max = 7.0
    nonzero = [w for w in weights if w]
    assert efficiency(weights, w_max) == pytest.approx(sum(map(abs, weights)) / len(weights) / w_max)
    expected = sum(map(abs, nonzero)) / len(nonzero) / w_max if nonzero else 0.0
    assert efficiency_after_cuts(weights, w_max) == pytest.approx(expected)


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0.0, 1e8)))
def test_kish_size_lies_between_one_and_the_number_of_weights(weights):
    size = kish(weights)
    if np.any(weights):
        assert 1.0 - 1e-9 <= size <= np.count_nonzero(weights) * (1.0 + 1e-9)
    else:
        assert size == 0.0


def test_kish_size_of_equal_weights_is_their_number_and_tiny_weights_do_not_underflow():
    assert kish(np.full(17, 1e-200)) == pytest.approx(17.0)
    assert kish(np.array([1.0, 1.0, -1.0])) == pytest.approx(1.0 / 3.0)


def test_overweight_share_of_the_quantile_policy_is_q():
    weights = np.random.default_rng(6).lognormal(size=50_000)
    assert overweight_share(weights, Quantile(0.01)(weights, RNG)) == pytest.approx(0.01, rel=1e-9)


def test_a_largest_weight_of_zero_is_refused():
    with pytest.raises(UserError, match="w_max is 0"):
        efficiency(np.ones(3), 0.0)
