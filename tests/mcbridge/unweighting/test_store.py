"""Points of an integration as the first trials of the unweighting."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mcbridge.integration import Samples
from mcbridge.random import Streams
from mcbridge.unweighting import Quantile, largest_weights, unweight_points
from mcbridge.unweighting.pieces import Piece, trials_of_channels, work
from mcbridge.unweighting.store import PointStore
from tests.mcbridge.unweighting.test_unweight import check_moments, collect
from tests.mcbridge.unweighting.toys import Power, TwoChannels, Wedge


def evaluated(source, sampler, n, seed):
    """n independent points of every channel, as an integration keeps them."""
    generator = np.random.default_rng(seed)
    parts = []
    for channel in range(source.channels):
        u, density = sampler.draw(channel, n, generator)
        found = source(u, channel)
        alpha = sampler.alpha(found)
        parts.append(
            Samples(
                u,
                np.full(n, channel),
                found.weight,
                density,
                channel_weight=None if alpha is None else alpha[:, channel],
            )
        )
    return Samples.concatenate(parts)


def maxima(source, points, q=1e-3):
    weights = [points.event_weights[points.channel == channel] for channel in range(source.channels)]
    return largest_weights(weights, Quantile(q), np.random.default_rng(0))


@pytest.mark.parametrize(("source", "sampler"), [(Wedge(), Power(0.3)), (TwoChannels(), Power(2.5, 0.2))], ids=str)
def test_stored_points_are_tried_once_and_fresh_ones_follow(source, sampler):
    points = evaluated(source, sampler, 10_000, 1)
    stream = unweight_points(source, sampler, maxima(source, points), 20_000, Streams(1), trials=points)
    u, _, weight = collect(stream)
    assert len(weight) == 20_000
    assert len(np.unique(u, axis=0)) == 20_000
    assert stream.totals.stored == len(points)
    assert stream.totals.trials > len(points)
    known = {tuple(row) for row in points.u}
    share = np.mean([tuple(row) in known for row in u])
    assert 0.1 < share < 0.9
    check_moments(u, weight)


def test_stored_points_cost_no_evaluation():
    class Counted(Wedge):
        calls = 0

        def __call__(self, u, channel):
            self.calls += 1
            return super().__call__(u, channel)

    source, sampler = Counted(), Power(0.3)
    points = evaluated(source, sampler, 50_000, 2)
    assert source.calls == 1
    stream = unweight_points(source, sampler, maxima(source, points), 1000, Streams(2), trials=points)
    assert len(collect(stream)[0]) == 1000
    assert source.calls == 1


def test_largest_weights_from_the_same_points_leave_no_bias():
    """Many tiny samples with a coarse quantile: all sums of weights have their exact averages, 5 pb and its moments."""
    source, sampler = TwoChannels(), Power(2.5, 0.2)
    u, weights, sums = [], [], []
    for seed in range(1500):
        points = evaluated(source, sampler, 40, seed)
        w_max = maxima(source, points, 0.05)
        piece = Piece(source, sampler, w_max, 60, Streams(seed), "test", records=False)
        found = work(piece, 0, PointStore(points, 2).take(trials_of_channels(piece, 0)))
        assert found.stored > 40
        u.append(found.u)
        weights.append(found.weight * np.sum(w_max) / 60)
        sums.append(np.sum(weights[-1]))
    assert abs(np.mean(sums) - 5.0) < 4.0 * np.std(sums) / np.sqrt(1500) < 0.1
    check_moments(np.concatenate(u), np.concatenate(weights))


def test_the_executor_makes_no_difference():
    source, sampler = TwoChannels(), Power(2.5, 0.2)
    points = evaluated(source, sampler, 1500, 3)
    w_max = maxima(source, points)
    alone = collect(unweight_points(source, sampler, w_max, 3000, Streams(7), chunk=700, trials=points))
    with ThreadPoolExecutor(3) as pool:
        stream = unweight_points(
            source, sampler, w_max, 3000, Streams(7), chunk=700, executor=pool, window=5, trials=points
        )
        together = collect(stream)
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one, other)


def test_a_store_hands_every_point_out_once():
    points = evaluated(TwoChannels(), Power(2.5, 0.2), 5, 4)
    store = PointStore(points, 2)
    first, second = store.take(np.array([3, 0])), store.take(np.array([3, 9]))
    assert [len(part) for part in (*first, *second)] == [3, 0, 2, 5]
    assert store.left == 0
    together = np.concatenate([part.u for part in (first[0], second[0], second[1])])
    assert np.array_equal(together, points.u)
    weights = np.concatenate([part.weight for part in (first[0], second[0], second[1])])
    assert np.array_equal(weights, points.event_weights)
