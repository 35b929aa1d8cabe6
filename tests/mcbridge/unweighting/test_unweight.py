"""Unweighted samples have the moments of the density, whatever the policy, the sign or the channels."""

import logging
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation
from mcbridge.integration.guard import Guard
from mcbridge.random import Streams
from mcbridge.unweighting import Exact, Quantile, UnweightingStatus, largest_weights, unweight, unweight_points
from tests.mcbridge.unweighting.toys import Power, TwoChannels, Wedge

MOMENTS = {
    "u0": (lambda u: u[:, 0], 2 / 3),
    "u1": (lambda u: u[:, 1], 3 / 4),
    "u0 u1^2": (lambda u: u[:, 0] * u[:, 1] ** 2, 2 / 5),
}


def collect(stream):
    chunks = list(stream)
    return tuple(np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("u", "channel", "weight"))


def pilot(source, sampler, policy, n=20_000, seed=99):
    generator = np.random.default_rng(seed)
    weights = []
    for channel in range(source.channels):
        u, density = sampler.draw(channel, n, generator)
        evaluation = source(u, channel)
        alpha = sampler.alpha(evaluation)
        weights.append(evaluation.weight / density * (1.0 if alpha is None else alpha[:, channel]))
    return largest_weights(weights, policy, generator)


def check_moments(u, weight, moments=MOMENTS):
    """Weighted means agree with the closed forms within 4 standard errors."""
    for name, (moment, expected) in moments.items():
        values = moment(u) - expected
        pull = np.sum(weight * values) / np.sqrt(np.sum(weight**2 * values**2))
        assert abs(pull) < 4.0, (name, pull)


@pytest.mark.parametrize("policy", [Exact(), Quantile(1e-3), Quantile(0.05)], ids=str)
def test_an_unweighted_sample_has_the_moments_of_the_density(policy):
    source, sampler = Wedge(), Power(0.3)
    stream = unweight_points(source, sampler, pilot(source, sampler, policy), 40_000, Streams(1))
    u, _, weight = collect(stream)
    assert len(weight) == 40_000
    check_moments(u, weight)
    totals = stream.totals
    assert abs(totals.cross_section - 5.0) < 4.0 * totals.error < 0.2
    if isinstance(policy, Quantile):
        assert totals.overweight_share == pytest.approx(policy.q, rel=0.5)
        assert np.max(weight) > 1.0
        # Without the overweights' weights the sample would be biased: the test above sees it at q = 0.05.
        assert totals.kish < 40_000


def test_dropping_the_excess_weight_would_be_seen():
    """The same sample with all weights set to 1 fails the moments that the weighted one passes."""
    source, sampler = Wedge(), Power(0.3)
    stream = unweight_points(source, sampler, pilot(source, sampler, Quantile(0.05)), 40_000, Streams(1))
    u, _, weight = collect(stream)
    with pytest.raises(AssertionError):
        check_moments(u, np.ones_like(weight))


def test_a_largest_weight_that_is_far_too_small_stays_unbiased():
    stream = unweight_points(Wedge(), Power(0.3), [2.0], 40_000, Streams(2))
    u, _, weight = collect(stream)
    check_moments(u, weight)
    assert abs(stream.totals.cross_section - 5.0) < 4.0 * stream.totals.error


def test_negative_weights_keep_their_sign_and_the_signed_moments():
    """f < 0 below u_1 = 0.5: the integral of 3 u^2 sign is 1 - 2/8, of 3 u^3 sign 3/4 (1 - 2/16)."""
    source, sampler = Wedge(negative=0.5), Power(0.5)
    stream = unweight_points(source, sampler, pilot(source, sampler, Exact()), 40_000, Streams(3))
    u, _, weight = collect(stream)
    assert set(np.unique(np.sign(weight))) == {-1.0, 1.0}
    assert np.all(weight[u[:, 1] < 0.5] < 0.0)
    assert np.all(weight[u[:, 1] >= 0.5] > 0.0)
    check_moments(u, weight, {"u1": (lambda u: u[:, 1], 0.75 * (1 - 2 / 16) / (1 - 2 / 8)), "u0": MOMENTS["u0"]})
    totals = stream.totals
    assert abs(totals.cross_section - 5.0 * 0.75) < 4.0 * totals.error
    assert totals.tried.negative_fraction == pytest.approx(1 / 8, abs=4 * np.sqrt(0.11 / totals.accepted))


def test_channels_are_combined_without_bias():
    source, sampler = TwoChannels(), Power(2.5, 0.2)
    w_max = pilot(source, sampler, Quantile(1e-3))
    stream = unweight_points(source, sampler, w_max, 40_000, Streams(4))
    u, channel, weight = collect(stream)
    check_moments(u, weight)
    totals = stream.totals
    assert abs(totals.cross_section - 5.0) < 4.0 * totals.error
    # alpha_0 = u_0^2 has the mean 1/2 under the density 2 u_0.
    share = np.sum(weight * (channel == 0)) / np.sum(weight)
    assert abs(share - 0.5) < 4.0 * 0.5 / np.sqrt(len(weight))
    assert totals.trials_per_channel / totals.trials == pytest.approx(w_max / np.sum(w_max), abs=0.02)
    assert np.sum(totals.accepted_per_channel) == totals.accepted


def test_the_order_of_events_says_nothing_about_their_channel():
    """Also the first events of every chunk have the channel composition of all (a chunk may be cut anywhere)."""
    source, sampler = TwoChannels(), Power(2.5, 0.2)
    w_max = pilot(source, sampler, Quantile(1e-3))
    first = []
    for seed in range(300):
        stream = unweight_points(source, sampler, w_max, 20, Streams(1000 + seed), chunk=512)
        first.append(collect(stream)[1])
    share = np.mean(np.concatenate(first) == 0)
    assert abs(share - 0.5) < 4.0 * 0.5 / np.sqrt(6000)


def test_a_channel_with_largest_weight_zero_is_never_tried():
    stream = unweight_points(TwoChannels(), Power(2.5, 0.2), [0.0, 5.0], 500, Streams(5))
    assert set(collect(stream)[1]) == {1}
    assert stream.totals.trials_per_channel[0] == 0


def test_efficiency_before_and_after_cuts():
    """Of uniform trials of 2 u_0 3 u_1^2 with u_0 > 1/2, half are cut away; the mean weight is 3/4 of 5 pb."""
    source = Wedge(cut=0.5)
    stream = unweight_points(source, Power(0.0), [30.0], 5000, Streams(6))
    collect(stream)
    totals = stream.totals
    error = totals.error / 30.0
    assert abs(totals.efficiency - 0.75 * 5.0 / 30.0) < 4.0 * error
    assert totals.efficiency_after_cuts == pytest.approx(totals.efficiency * totals.trials / totals.tried.nonzero)
    assert abs(totals.tried.nonzero / totals.trials - 0.5) < 4.0 * 0.5 / np.sqrt(totals.trials)
    assert abs(totals.accepted / totals.trials - totals.efficiency) < 4.0 * np.sqrt(totals.efficiency / totals.trials)


def test_the_cross_section_of_many_short_runs_is_unbiased():
    """Stopping when enough events are there leaves at most a relative bias of 1/n_events."""
    pulls = []
    for seed in range(200):
        stream = unweight_points(Wedge(), Power(0.3), [25.0], 300, Streams(seed), chunk=64)
        collect(stream)
        pulls.append(stream.totals.pull(5.0, 0.0))
    assert abs(np.mean(pulls)) < 4.0 / np.sqrt(200)
    assert 0.8 < np.std(pulls) < 1.2


def test_events_do_not_depend_on_workers():
    source, sampler = TwoChannels(), Power(2.5, 0.2)
    w_max = pilot(source, sampler, Quantile(1e-3))
    alone = collect(unweight_points(source, sampler, w_max, 3000, Streams(7), chunk=700))
    with ThreadPoolExecutor(3) as pool:
        stream = unweight_points(source, sampler, w_max, 3000, Streams(7), chunk=700, executor=pool, window=5)
        for one, other in zip(alone, collect(stream), strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_stream_can_be_read_twice_and_shorter_samples_are_its_beginning():
    stream = unweight_points(Wedge(), Power(0.3), [25.0], 2000, Streams(8), chunk=256)
    once, again = collect(stream), collect(stream)
    shorter = collect(unweight_points(Wedge(), Power(0.3), [25.0], 777, Streams(8), chunk=256))
    np.testing.assert_array_equal(once[0], again[0])
    np.testing.assert_array_equal(once[0][:777], shorter[0])
    assert stream.totals.events == 2000


def test_another_seed_gives_other_events():
    one = collect(unweight_points(Wedge(), Power(0.3), [25.0], 100, Streams(8)))
    other = collect(unweight_points(Wedge(), Power(0.3), [25.0], 100, Streams(9)))
    assert not np.array_equal(one[0], other[0])


def test_records_are_made_of_the_accepted_points_only_and_in_their_order():
    source = TwoChannels()
    chunks = list(unweight(source, Power(2.5, 0.2), [18.0, 18.0], 400, Streams(10), chunk=500))
    for chunk in chunks:
        np.testing.assert_array_equal(chunk.batch.scale, chunk.u[:, 0])
    assert sum(map(len, chunks)) == 400
    assert 400 <= source.recorded < 400 + 500
    ids = np.concatenate([chunk.batch.process_id for chunk in chunks])
    assert abs(np.mean(ids == 1) - 0.25) < 4.0 * np.sqrt(0.25 * 0.75 / 400)


def test_progress_tells_events_trials_and_efficiency():
    seen: list[UnweightingStatus] = []
    collect(unweight_points(Wedge(), Power(0.3), [25.0], 1000, Streams(11), chunk=512, on_progress=seen.append))
    assert [status.events for status in seen] == sorted(status.events for status in seen)
    assert seen[-1].events == seen[-1].n_events == 1000
    assert seen[-1].trials == 512 * len(seen)
    assert 0.0 < seen[-1].efficiency < 1.0
    assert seen[-1].rate > 0.0


def test_totals_print_as_tables():
    stream = unweight_points(Wedge(), Power(0.3), [25.0], 100, Streams(12))
    collect(stream)
    assert "100 of 100" in str(stream.totals)
    assert "efficiency after cuts" in stream.totals._repr_html_()
    assert stream.totals.as_dict()["events"] == 100


def test_nothing_accepted_is_told_in_a_sentence():
    class Empty(Wedge):
        def __call__(self, u, channel):
            return Evaluation(np.zeros(len(u)))

    with pytest.raises(AmplitudeError, match="all weights of wedge are zero"):
        collect(unweight_points(Empty(), Power(0.0), [1.0], 10, Streams(13), max_trials=5000))
    with pytest.raises(AmplitudeError, match="largest weight of every channel of wedge is zero"):
        unweight_points(Wedge(), Power(0.0), [0.0], 10, Streams(13))


def test_an_absurd_efficiency_ends_at_the_limit_on_trials():
    with pytest.raises(AmplitudeError, match="max_trials = 5000"):
        collect(unweight_points(Wedge(), Power(0.0), [1e9], 10, Streams(14), max_trials=5000))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"w_max": [1.0, 2.0]}, "w_max has shape"),
        ({"w_max": [np.inf]}, "finite"),
        ({"w_max": [-1.0]}, "not negative"),
        ({"n_events": 0}, "n_events is 0"),
        ({"chunk": 0}, "chunk is 0"),
        ({"max_trials": 0}, "max_trials is 0"),
    ],
)
def test_nonsense_arguments_are_refused(arguments, message):
    given = {"w_max": [25.0], "n_events": 10, **arguments}
    with pytest.raises(UserError, match=message):
        unweight_points(Wedge(), Power(0.0), streams=Streams(15), **given)


def test_an_integrand_without_records_is_refused():
    class Plain:
        name, dim, channels, periodic, discrete = "plain", 2, 1, (), {}

        def __call__(self, u, channel):
            return Evaluation(np.ones(len(u)))

    with pytest.raises(UserError, match="without event records"):
        unweight(Plain(), Power(0.0), [1.0], 10, Streams(16))
    assert len(collect(unweight_points(Plain(), Power(0.0), [1.0], 10, Streams(16)))[0]) == 10


def test_rare_failures_are_counted_and_frequent_ones_end_the_run():
    class Sick(Wedge):
        def __init__(self, share):
            super().__init__(name="sick")
            self.share = share

        def __call__(self, u, channel):
            weight = super().__call__(u, channel).weight
            return Evaluation(np.where(u[:, 0] < self.share, np.nan, weight))

    guard = Guard()
    collect(unweight_points(Sick(3e-4), Power(0.0), [30.0], 5000, Streams(17), guard=guard))
    assert guard.log.failures > 0
    assert guard.log.evaluations > 5000
    assert guard.log.examples[0].u[0] < 3e-4
    with pytest.raises(AmplitudeError, match="not finite"):
        collect(unweight_points(Sick(0.01), Power(0.0), [30.0], 5000, Streams(17)))


def test_a_raising_record_is_told_with_its_channel():
    class Broken(Wedge):
        def events(self, u, channel, choice):
            raise RuntimeError("no colours left")

    with pytest.raises(AmplitudeError, match="no colours left"):
        list(unweight(Broken(), Power(0.0), [30.0], 10, Streams(18)))


def test_too_many_overweights_are_warned_of(caplog):
    with caplog.at_level(logging.WARNING):
        collect(unweight_points(Wedge(), Power(0.0), [1.0], 1000, Streams(19)))
    assert "w_max comes from too few trials" in caplog.text
