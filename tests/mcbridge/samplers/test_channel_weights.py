"""Learned channel weights without torch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.samplers import ChannelWeights


def network(channels=3, features=2, hidden=8, scale=1.0, seed=1):
    generator = np.random.default_rng(seed)
    return ChannelWeights(
        (
            (generator.normal(size=(hidden, features)), generator.normal(size=hidden)),
            (scale * generator.normal(size=(channels, hidden)), scale * generator.normal(size=channels)),
        )
    )


def prior(n, channels=3, seed=2):
    values = np.random.default_rng(seed).random((n, channels))
    values[: n // 3, 0] = 0.0
    return values / values.sum(axis=1, keepdims=True)


def test_an_output_of_zero_gives_the_prior():
    features = np.random.default_rng(3).normal(size=(50, 2))
    np.testing.assert_allclose(network(scale=0.0)(features, prior(50)), prior(50), atol=1e-15)


@given(scale=st.floats(0, 1e4), seed=st.integers(0, 1000))
def test_weights_are_positive_and_sum_to_one(scale, seed):
    features = np.random.default_rng(seed).normal(size=(30, 2))
    alpha = network(scale=scale, seed=seed)(features, prior(30))
    assert np.all(alpha >= 0)
    np.testing.assert_allclose(alpha.sum(axis=1), 1.0, rtol=1e-12)
    assert np.all(alpha[:10, 0] == 0)  # where the prior vanishes


def test_the_formula():
    weights = network()
    features = np.array([[0.3, -0.7]])
    hidden = weights.layers[0][0] @ features[0] + weights.layers[0][1]
    hidden = np.where(hidden > 0, hidden, 0.01 * hidden)
    logits = weights.layers[1][0] @ hidden + weights.layers[1][1]
    p = np.array([0.2, 0.3, 0.5])
    expected = p * np.exp(logits) / np.sum(p * np.exp(logits))
    np.testing.assert_allclose(weights(features, p[None])[0], expected, rtol=1e-12)


def test_arrays_for_the_file_give_the_network_back():
    weights = network()
    again = ChannelWeights.from_arrays({**weights.to_arrays(), "other": np.zeros(3)})
    features = np.random.default_rng(4).normal(size=(10, 2))
    np.testing.assert_array_equal(weights(features, prior(10)), again(features, prior(10)))
    assert ChannelWeights.from_arrays({}) is None


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match="at least one linear layer"):
        ChannelWeights(())
    with pytest.raises(UserError, match="layer 1"):
        ChannelWeights(((np.ones((3, 2)), np.ones(3)), (np.ones((2, 4)), np.ones(2))))
    with pytest.raises(UserError, match="trained for 2 features and 3 channels"):
        network()(np.zeros((5, 4)), prior(5))
    with pytest.raises(UserError, match="without"):
        ChannelWeights.from_arrays({"channel_weights.0.weight": np.ones((2, 2))})
