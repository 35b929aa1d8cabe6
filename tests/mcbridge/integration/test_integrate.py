"""Integration with frozen samplers: unbiased, with honest errors, in as many evaluations as asked for."""

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation, FunctionIntegrand, Metered
from mcbridge.integration import Guard, fresh_weights, integrate
from mcbridge.integration.integrate import CHUNK, Accumulator
from mcbridge.maps import VegasMap
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey


def pulls(integrand, sampler, repetitions, evaluations=4000, iterations=4, **options):
    values = []
    for seed in range(repetitions):
        result = integrate(integrand, sampler, evaluations, iterations, Streams(seed), "pulls", **options)
        values.append((result.mean - integrand.exact) / result.error)
    return np.array(values)


def test_pulls_have_mean_0_and_width_1(known):
    sampler = survey(known, 8000, Streams(1)).sampler
    found = pulls(known, sampler, 150)
    assert abs(found.mean()) < 4 / np.sqrt(len(found))
    assert abs(found.std(ddof=1) - 1) < 4 / np.sqrt(2 * len(found))
    assert np.abs(found).max() < 5


@pytest.mark.slow
def test_pulls_have_mean_0_and_width_1_with_many_repetitions(known):
    sampler = survey(known, 8000, Streams(2)).sampler
    found = pulls(known, sampler, 2000, 4000)
    assert abs(found.mean()) < 4 / np.sqrt(len(found))
    assert abs(found.std(ddof=1) - 1) < 0.08


def test_the_average_is_right_to_a_thousandth(known):
    sampler = survey(known, 20_000, Streams(3)).sampler
    result = integrate(known, sampler, 400_000, 8, Streams(4))
    assert result.error < 5e-3 * abs(known.exact)
    assert abs(result.mean - known.exact) < 4 * result.error
    assert result.absolute == pytest.approx(known.absolute, abs=5 * result.error)
    assert result.Q > 1e-4


def test_the_sign_is_carried_and_its_share_reported(make):
    signed = make("signed")
    result = integrate(signed, survey(signed, 10_000, Streams(1)).sampler, 200_000, 4, Streams(2))
    expected = (signed.absolute - signed.exact) / (2 * signed.absolute)
    assert result.negative_fraction == pytest.approx(expected, abs=0.01)
    assert "negative" in str(result)


def test_evaluations_are_used_up_exactly(known):
    counted = Metered(known)
    sampler = survey(counted, 5003, Streams(1)).sampler
    assert counted.evaluations == 5003
    result = integrate(counted, sampler, 7001, 3, Streams(1))
    assert counted.evaluations == 5003 + 7001
    assert result.evaluations == 7001
    assert sum(part.n for part in result.iterations) == 7001
    fresh = fresh_weights(counted, sampler, 999, Streams(1), "fresh")
    assert len(fresh) == 999


def test_the_same_seed_gives_the_same_result_and_another_another(known):
    sampler = survey(known, 4000, Streams(1)).sampler
    first, same, other = (integrate(known, sampler, 3000, 3, Streams(seed)) for seed in (5, 5, 6))
    assert (first.mean, first.error) == (same.mean, same.error)
    assert first.mean != other.mean
    assert integrate(known, sampler, 3000, 3, Streams(5), "another purpose").mean != first.mean


def test_results_do_not_depend_on_memory_and_kept_points_reproduce_them(known):
    sampler = survey(known, 4000, Streams(1)).sampler
    n = 2 * CHUNK + 1234 if known.name == "step" else 5000
    result = integrate(known, sampler, n, 1, Streams(1), keep=True)
    weights = [result.samples.of_channel(channel).event_weights for channel in range(known.channels)]
    assert result.mean == pytest.approx(sum(part.mean() for part in weights), rel=1e-12)
    variance = sum(part.var(ddof=1) / len(part) for part in weights)
    assert result.error == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert result.rsd == pytest.approx(sum(part.std(ddof=1) for part in weights) / abs(result.mean), rel=1e-10)


def test_iterations_are_combined_by_number_of_points(make):
    step = make("step")
    sampler = VegasMap([[0, 0.5, 1], [0, 1]]).sampler()
    result = integrate(step, sampler, 4000, 4, Streams(3))
    means = np.array([part.mean for part in result.iterations])
    assert result.mean == pytest.approx(means.mean(), rel=1e-12)
    assert result.dof == 3
    assert 0 <= result.Q <= 1
    assert result.chi2_dof == pytest.approx(result.chi2 / 3)


def test_chi2_follows_its_distribution(make):
    step = make("step")
    sampler = VegasMap([[0, 0.5, 1], [0, 1]]).sampler()
    chi2 = np.array([integrate(step, sampler, 2000, 5, Streams(seed)).chi2 for seed in range(300)])
    assert abs(chi2.mean() - 4) < 4 * np.sqrt(8 / 300)


def test_allocation_follows_sigma_and_leaves_the_integral_alone(make):
    two = make("two ends")
    sampler = survey(two, 8000, Streams(1)).sampler
    skewed = integrate(two, sampler, 20_000, 2, Streams(2), allocation=[9.0, 1.0], floor=0.0)
    assert skewed.points.tolist() == [18_000, 2000]
    assert abs(skewed.mean - two.exact) < 4 * skewed.error
    best = integrate(two, sampler, 20_000, 2, Streams(2), floor=0.0)
    assert best.error <= skewed.error * 1.02
    assert best.error == pytest.approx(best.rsd * best.mean / np.sqrt(20_000), rel=0.05)


def test_a_starved_channel_is_kept_alive_by_the_floor(make):
    sampler = Sampler(2 * VegasMap([[0, 1], [0, 1]]).sampler().channels)
    result = integrate(make("two ends"), sampler, 1000, 1, Streams(1), allocation=[1.0, 0.0])
    assert result.points.tolist() == [950, 50]


def test_components_come_with_their_covariance():
    integrand = FunctionIntegrand(lambda x: [x[0], 1 - x[0], 2.0], [[0, 1]])
    result = integrate(integrand, VegasMap([[0, 1]]).sampler(), 2000, 2, Streams(1))
    covariance = result.iterations[0].component_covariance
    assert covariance[0, 1] == pytest.approx(-covariance[0, 0], rel=1e-9)
    assert covariance[2, 2] == pytest.approx(0, abs=1e-20)


def test_streaming_sums_do_not_lose_precision():
    weights = 1e9 + np.random.default_rng(1).normal(size=(5000, 1))
    accumulator = Accumulator()
    for part in np.array_split(weights, 7):
        accumulator.add(part)
    assert accumulator.sigma == pytest.approx(weights.std(ddof=1), rel=1e-6)
    assert accumulator.n == 5000
    assert accumulator.maximum == weights.max()


def test_progress_counts_points(make):
    step, seen = make("step"), []
    integrate(step, VegasMap([[0, 1], [0, 1]]).sampler(), 3000, 3, Streams(1), on_progress=lambda *a: seen.append(a))
    assert seen == [(1000, 3000), (2000, 3000), (3000, 3000)]


def test_failures_are_reported_with_the_result():
    class Sometimes:
        name, dim, channels, periodic, discrete = "sometimes", 1, 1, (), {}

        def __call__(self, u, channel):
            return Evaluation(np.where(u[:, 0] < 2e-4, np.nan, 1.0))

    guard = Guard()
    result = integrate(Sometimes(), VegasMap([[0, 1]]).sampler(), 50_000, 1, Streams(1), guard=guard)
    assert result.failures.failures > 0
    assert "not finite" in str(result)
    with pytest.raises(AmplitudeError, match="tolerated"):
        integrate(Sometimes(), VegasMap([[0, 1]]).sampler(), 50_000, 1, Streams(1), guard=Guard(1e-5))


def test_the_result_prints_iterations_and_channels(make):
    two = make("two ends")
    result = integrate(two, survey(two, 4000, Streams(1)).sampler, 4000, 3, Streams(1))
    text = str(result)
    for word in ("integral", "chi2/dof", "relative std", "evaluations", "itn", "channel", "share"):
        assert word in text
    assert result._repr_html_().count("<table>") == 3  # result, iterations, channels
    assert f">{result.summary().splitlines()[2].split()[1]}<" in result._repr_html_()
    printed = Console(width=100, file=StringIO())
    printed.print(result)
    assert "relative standard deviation" in printed.file.getvalue()
    assert len(result.summary().splitlines()) == 2 + 3 + 3 + 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"evaluations": 3, "iterations": 2}, "need at least 4"),
        ({"iterations": 0}, "iterations is 0"),
        ({"allocation": [1.0, 2.0]}, "one number"),
        ({"allocation": [-1.0]}, "one number"),
        ({"allocation": [np.nan]}, "one number"),
    ],
)
def test_impossible_arguments_are_refused(make, options, words):
    arguments = {"evaluations": 100, "iterations": 2, **options}
    with pytest.raises(UserError, match=words):
        integrate(make("step"), VegasMap([[0, 1], [0, 1]]).sampler(), streams=Streams(1), **arguments)


def test_a_sampler_of_another_integrand_is_refused(make):
    with pytest.raises(UserError, match="3 dimensions; the integrand step has 2"):
        integrate(make("step"), VegasMap(3 * [[0, 1]]).sampler(), 100, 1, Streams(1))
    with pytest.raises(UserError, match="1 channels; the integrand two ends has 2"):
        integrate(make("two ends"), VegasMap(2 * [[0, 1]]).sampler(), 100, 1, Streams(1))
