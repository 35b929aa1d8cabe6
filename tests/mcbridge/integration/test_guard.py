"""Failures of an integrand: counted, reported with their points, fatal above a stated share."""

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation
from mcbridge.integration import Guard, evaluate


class Scripted:
    name, dim, periodic, discrete = "scripted", 2, (), {}

    def __init__(self, answer, channels=1):
        self.answer, self.channels = answer, channels

    def __call__(self, u, channel):
        return self.answer(u)


U = np.random.default_rng(1).random((2000, 2))
HALF = np.full((2000, 2), 0.5)


def nan_at_first(u):
    weight = np.ones(len(u))
    weight[0] = np.nan
    return Evaluation(weight)


def test_a_single_nan_counts_as_zero_and_is_remembered(caplog):
    guard = Guard()
    result = evaluate(Scripted(nan_at_first), U, 0, guard)
    assert result.weight[0] == 0.0
    assert np.all(result.weight[1:] == 1.0)
    assert (guard.log.failures, guard.log.evaluations) == (1, 2000)
    assert guard.log.fraction == pytest.approx(5e-4)
    assert guard.log.examples[0].u == tuple(U[0])
    assert "nan at u" in caplog.text
    assert "1 of 2000" in str(guard.log)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_too_many_failures_end_the_run(bad):
    with pytest.raises(AmplitudeError, match=r"2000 of 2000 points, more than the tolerated fraction 0.001; the first"):
        evaluate(Scripted(lambda u: Evaluation(np.full(len(u), bad))), U, 0)


def test_failures_are_tolerated_up_to_the_stated_fraction():
    guard = Guard(max_failure_fraction=0.1)

    def some(u):
        return Evaluation(np.where(np.arange(len(u)) % 20 == 0, np.inf, 1.0))

    for _ in range(5):
        evaluate(Scripted(some), U, 0, guard)
    assert guard.log.failures == 500
    assert len(guard.log.examples) == guard.log.keep


def test_one_early_failure_does_not_end_the_run():
    guard = Guard()
    evaluate(Scripted(nan_at_first), U[:10], 0, guard)
    with pytest.raises(AmplitudeError):
        evaluate(Scripted(nan_at_first), U[:10], 0, guard)


def test_a_failing_alpha_outside_the_cuts_does_no_harm():
    def cut(u):
        weight = (u[:, 0] > 0.5).astype(float)
        alpha = np.where(weight[:, None] > 0, 0.5, np.nan) * np.ones((len(u), 2))
        return Evaluation(weight, alpha, np.where(weight[:, None] > 0, 1.0, np.inf))

    result = evaluate(Scripted(cut, channels=2), U, 0)
    assert np.all(np.isfinite(result.alpha))
    assert np.all(np.isfinite(result.features))


def raises(u):
    raise ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("answer", "channels", "words"),
    [
        (raises, 1, "raised ZeroDivisionError in channel 0: division by zero"),
        (lambda u: np.ones(len(u)), 1, "returned a ndarray; it must return an Evaluation"),
        (lambda u: Evaluation(np.ones(3)), 1, r"weight of shape (3,) for 2000 points; expected (2000,)"),
        (lambda u: Evaluation(np.ones((len(u), 1))), 1, "weight of shape (2000, 1)"),
        (lambda u: Evaluation("text"), 1, "no array of numbers"),
        (lambda u: Evaluation(np.ones(len(u))), 2, "no channel weights"),
        (lambda u: Evaluation(np.ones(len(u)), np.ones((len(u), 3))), 2, "alpha of shape (2000, 3)"),
        (lambda u: Evaluation(np.ones(len(u)), np.ones((len(u), 2))), 2, "sum to 1"),
        (lambda u: Evaluation(np.ones(len(u)), np.full((len(u), 2), np.nan)), 2, "sum to 1"),
        (lambda u: Evaluation(np.ones(len(u)), HALF * [3, -1]), 2, "between 0 and 1"),
        (lambda u: Evaluation(np.ones(len(u)), HALF, np.ones(len(u))), 2, "features of shape (2000,)"),
        (lambda u: Evaluation(np.ones(len(u)), HALF, np.full((len(u), 1), np.nan)), 2, "features that are not finite"),
    ],
)
def test_wrong_answers_are_told_in_a_sentence(answer, channels, words):
    with pytest.raises(AmplitudeError) as error:
        evaluate(Scripted(answer, channels), U, 0)
    assert words in str(error.value)
    assert "scripted" in str(error.value)


@pytest.mark.parametrize(
    "options", [{"max_failure_fraction": 2.0}, {"max_failure_fraction": -1}, {"minimum_points": -1}]
)
def test_an_impossible_guard_is_refused(options):
    with pytest.raises(UserError):
        Guard(**options)
