"""Buffers of points."""

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.integration import Samples


def some(n=10, alpha=True):
    generator = np.random.default_rng(n)
    return Samples(
        u=generator.random((n, 3)),
        channel=np.arange(n) % 2,
        weight=generator.random(n),
        density=1 + generator.random(n),
        alpha=np.tile([0.25, 0.75], (n, 1)) if alpha else None,
    )


def test_event_weights_are_alpha_f_over_g():
    samples = some()
    expected = samples.weight / samples.density * np.where(samples.channel == 0, 0.25, 0.75)
    np.testing.assert_allclose(samples.event_weights, expected)
    samples.channel_weight = np.full(10, 0.5)
    np.testing.assert_allclose(samples.event_weights, samples.weight / samples.density * 0.5)
    single = some(alpha=False)
    np.testing.assert_allclose(single.event_weights, single.weight / single.density)


def test_select_concatenate_and_channels():
    samples = some()
    halves = [samples.select(slice(0, 4)), samples.select(np.arange(4, 10))]
    joined = Samples.concatenate(halves)
    np.testing.assert_array_equal(joined.u, samples.u)
    np.testing.assert_array_equal(joined.alpha, samples.alpha)
    assert len(samples.of_channel(1)) == 5
    assert np.all(samples.of_channel(1).channel == 1)
    assert len(samples.select(samples.weight > 2)) == 0
    assert joined.dim == 3
    assert joined.features is None


def test_parts_that_do_not_fit_are_refused():
    with pytest.raises(UserError, match=r"Samples\.alpha is missing in 1 of 2 parts"):
        Samples.concatenate([some(), some(alpha=False)])
    with pytest.raises(UserError, match="at least one part"):
        Samples.concatenate([])
    with pytest.raises(UserError, match=r"Samples\.weight has 3 rows; u has 2"):
        Samples(np.zeros((2, 1)), np.zeros(2, dtype=int), np.zeros(3), np.ones(2))
