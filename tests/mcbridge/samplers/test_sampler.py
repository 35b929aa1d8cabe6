"""Samplers: densities that belong to their points, channel weights, files."""

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands import Evaluation
from mcbridge.integration import integrate
from mcbridge.maps import VegasMap
from mcbridge.random import Streams
from mcbridge.samplers import ChannelWeights, Sampler, drop_channels, survey


def flow_channel(dim=2, eps=0.1, seed=1):
    generator = np.random.default_rng(seed)
    spec = core.FlowSpec(dim)
    params = (0.1 * generator.normal(size=spec.parameters)).astype(np.float32)
    grid = [np.concatenate([[0], np.sort(generator.random(9)), [1]]) for _ in range(dim)]
    return core.ChannelSampler(dim, grid=grid, spec=spec, params=params, eps=eps)


def weights(channels=2):
    generator = np.random.default_rng(7)
    return ChannelWeights(((generator.normal(size=(channels, 1)), generator.normal(size=channels)),))


def test_points_have_the_density_that_is_reported():
    sampler = Sampler([flow_channel()])
    u, density = sampler.draw(0, 20_000, np.random.default_rng(1))
    np.testing.assert_allclose(sampler.density(0, u), density, rtol=1e-3)
    ones = 1 / density
    assert abs(ones.mean() - 1) < 4 * ones.std() / np.sqrt(len(u))
    assert sampler.has_flow
    assert sampler.dim == 2


def test_draws_are_reproducible():
    sampler = Sampler([flow_channel()])
    first, second = (sampler.draw(0, 100, np.random.default_rng(3))[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_share_of_vegas_can_be_changed():
    sampler = Sampler([flow_channel(), flow_channel(seed=2)])
    assert [channel.eps for channel in sampler.with_eps(0.5).channels] == [0.5, 0.5]
    assert [channel.eps for channel in sampler.with_eps([0.2, 1]).channels] == [0.2, 1.0]
    assert sampler.channels[0].eps == pytest.approx(0.1)
    for eps in ([0.1], 1.5, [-0.1, 0.1]):
        with pytest.raises(UserError, match="eps"):
            sampler.with_eps(eps)


def test_the_vegas_part_of_a_sampler_is_that_of_the_survey():
    """Learned channel weights belong to the flows: with the VEGAS maps they may be very wrong."""
    metadata = {"allocation": [0.1, 0.9], "vegas_allocation": [0.4, 0.6], "training": {}, "process": "p"}
    sampler = Sampler([flow_channel(), flow_channel(seed=2)], weights(), metadata)
    vegas = sampler.vegas()
    assert not vegas.has_flow
    assert vegas.channel_weights is None
    assert vegas.metadata == {"allocation": [0.4, 0.6], "process": "p"}
    u = np.random.default_rng(1).random((100, 2))
    np.testing.assert_allclose(vegas.density(0, u), sampler.channels[0].inverse_grid(u)[1], rtol=1e-6)


def test_channel_weights_are_the_prior_unless_learned():
    evaluation = Evaluation(np.ones(3), np.array([[0.2, 0.8]] * 3), np.array([[-1.0], [0.0], [1.0]]))
    channels = [flow_channel(), flow_channel(seed=2)]
    np.testing.assert_array_equal(Sampler(channels).alpha(evaluation), evaluation.alpha)
    learned = Sampler(channels, weights()).alpha(evaluation)
    assert not np.allclose(learned, evaluation.alpha)
    np.testing.assert_allclose(learned.sum(axis=1), 1)
    assert Sampler(channels[:1]).alpha(Evaluation(np.ones(3))) is None
    with pytest.raises(UserError, match="no features"):
        Sampler(channels, weights()).alpha(Evaluation(np.ones(3), evaluation.alpha))


def test_files_bring_everything_back(tmp_path):
    sampler = Sampler(
        [flow_channel(), flow_channel(seed=2)], weights(), {"allocation": [3.0, 1.0], "name": "test"}, [True, False]
    )
    sampler.save(tmp_path / "sampler.mcb")
    again = Sampler.load(tmp_path / "sampler.mcb")
    for channel in (0, 1):
        one, two = (each.draw(channel, 1000, np.random.default_rng(1)) for each in (sampler, again))
        np.testing.assert_array_equal(one[0], two[0])
        np.testing.assert_array_equal(one[1], two[1])
    assert again.metadata == sampler.metadata
    assert again.active == (True, False)
    evaluation = Evaluation(np.ones(2), np.array([[0.2, 0.8]] * 2), np.array([[-1.0], [0.5]]))
    np.testing.assert_allclose(again.alpha(evaluation), sampler.alpha(evaluation), rtol=1e-6)


def test_files_that_are_no_samplers_are_named(tmp_path):
    (tmp_path / "text").write_text("nothing")
    with pytest.raises(UserError, match="text"):
        Sampler.load(tmp_path / "text")
    core.write_sampler_file(tmp_path / "other.mcb", [flow_channel()], "no json", {})
    with pytest.raises(UserError, match="not written by a sampler"):
        Sampler.load(tmp_path / "other.mcb")


def test_allocation_comes_from_the_metadata():
    channels = [flow_channel(), flow_channel(seed=2)]
    np.testing.assert_allclose(Sampler(channels).allocation, 0.5)
    np.testing.assert_allclose(Sampler(channels, metadata={"allocation": [3, 1]}).allocation, [0.75, 0.25])
    np.testing.assert_allclose(Sampler(channels, active=[False, True]).allocation, [0, 1])
    with pytest.raises(UserError, match="allocation"):
        _ = Sampler(channels, metadata={"allocation": [1, 2, 3]}).allocation


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([],), "at least one channel"),
        (([flow_channel(2), flow_channel(3)],), "dimensions"),
        (([flow_channel()], weights()), "for 2 channels"),
        (([flow_channel()], None, None, [False]), "active"),
        (([flow_channel()], None, None, [True, True]), "active"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        Sampler(*arguments)


class Overlapping:
    """f = 1 on the square; three channels with prior weights that overlap everywhere, the third of them tiny."""

    name, dim, channels, periodic, discrete, exact = "overlapping", 2, 3, (), {}, 1.0

    def __init__(self, apart=False):
        self.apart = apart

    def __call__(self, u, channel):
        small = 0.002 * np.ones(len(u))
        if self.apart:  # the third channel alone covers a strip
            small = np.where(u[:, 0] < 0.001, 1.0, 0.0)
        first = (1 - small) * u[:, 1]
        return Evaluation(np.ones(len(u)), np.stack([first, 1 - small - first, small], axis=1))


def test_small_channels_are_dropped_without_bias():
    integrand = Overlapping()
    found = survey(integrand, 20_000, Streams(1))
    reduced = drop_channels(found.sampler, found.samples, 0.01)
    assert reduced.active == (True, True, False)
    result = integrate(integrand, reduced, 200_000, 4, Streams(2))
    assert result.points[2] == 0
    assert abs(result.mean - 1) < 4 * result.error
    assert "not used" in str(reduced)
    # With 0.2% dropped, a bias would be seen.
    assert result.error < 0.002 / 2


def test_a_channel_that_covers_something_alone_is_kept():
    integrand = Overlapping(apart=True)
    found = survey(integrand, 20_000, Streams(1))
    assert drop_channels(found.sampler, found.samples, 0.01).active == (True, True, True)
    result = integrate(integrand, drop_channels(found.sampler, found.samples, 0.01), 50_000, 2, Streams(2))
    assert abs(result.mean - 1) < 4 * result.error


def test_nothing_is_dropped_at_threshold_zero_and_one_channel_stays(constant):
    found = survey(constant([0.5, 0.5]), 2000, Streams(1))
    assert drop_channels(found.sampler, found.samples, 0.0).active == (True, True)
    assert sum(drop_channels(found.sampler, found.samples, 0.9).active) == 1
    with pytest.raises(UserError, match="threshold"):
        drop_channels(found.sampler, found.samples, 1.0)


def test_learned_channel_weights_leave_the_integral_alone():
    class TwoEnds:
        name, dim, channels, periodic, discrete = "two ends", 1, 2, (), {}

        def __call__(self, u, channel):
            x = np.sqrt(u[:, 0]) if channel == 0 else 1 - np.sqrt(u[:, 0])
            densities = np.stack([2 * x, 2 * (1 - x)], axis=1)
            f = 3 * x**2
            alpha = densities / densities.sum(axis=1, keepdims=True)
            return Evaluation(f / np.maximum(densities[:, channel], 1e-300), alpha, 2 * x[:, None] - 1)

    sampler = Sampler(2 * VegasMap([[0, 1]]).sampler().channels, weights())
    results = [integrate(TwoEnds(), each, 100_000, 4, Streams(3)) for each in (sampler, Sampler(sampler.channels))]
    for result in results:
        assert abs(result.mean - 1) < 4 * result.error
    assert results[0].error != pytest.approx(results[1].error, rel=0.01)
    kept = integrate(TwoEnds(), sampler, 1000, 1, Streams(4), keep=True)
    total = sum(kept.samples.of_channel(channel).event_weights.mean() for channel in (0, 1))
    assert total == pytest.approx(kept.mean, rel=1e-12)
