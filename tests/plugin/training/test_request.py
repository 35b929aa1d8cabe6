"""New points asked for ahead: the same sampler whether workers evaluate them meanwhile or not, and no waiting."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation
from plugin.training import TrainingConfig
from tests.plugin.training.test_train import Toy, chain, diagonal, figures

SHORT = {"steps": 120, "fine_tuning_steps": 20, "rounds": 2, "check_every": 10}


class Elsewhere(Toy):
    """An integrand that stands for workers: it notes which thread called it."""

    elsewhere = True

    def __init__(self, function, dim):
        super().__init__(function, dim)
        self.threads = []

    def __call__(self, u, channel):
        self.threads.append(threading.current_thread() is threading.main_thread())
        return super().__call__(u, channel)


def test_the_sampler_does_not_depend_on_who_evaluates_ahead():
    inner = diagonal().function
    here = chain(Toy(inner, 2), ahead=0.5, **SHORT)[1]
    integrand = Elsewhere(inner, 2)
    there = chain(integrand, ahead=0.5, **SHORT)[1]
    assert not all(integrand.threads)  # the new points came from another thread
    u = np.random.default_rng(1).random((1000, 2))
    np.testing.assert_array_equal(here.sampler.density(0, u), there.sampler.density(0, u))
    assert here.evaluations == there.evaluations
    at_the_end = chain(Toy(inner, 2), **SHORT)[1]
    assert np.any(at_the_end.sampler.density(0, u) != here.sampler.density(0, u))
    assert figures(Toy(inner, 2), here.sampler).rsd < 1.5 * figures(Toy(inner, 2), at_the_end.sampler).rsd


def test_the_training_goes_on_while_points_are_evaluated():
    inner = diagonal().function
    went_on, evaluating = threading.Event(), threading.Event()

    class Waiting(Elsewhere):
        def __call__(self, u, channel):
            if threading.current_thread() is not threading.main_thread():
                evaluating.set()
                assert went_on.wait(60.0)  # only further steps of the training set it
            return super().__call__(u, channel)

    looks = []

    def note(status):
        if status.stage != "density":
            return
        looks.append(status)
        # The points are asked for after the first look. The training may be done before their thread has begun.
        if len(looks) > 1 and evaluating.wait(30.0):
            went_on.set()

    chain(Waiting(inner, 2), ahead=0.8, on_progress=note, **SHORT)
    assert went_on.is_set()


def test_failures_of_points_asked_for_ahead_are_judged():
    inner = diagonal().function

    class Failing(Elsewhere):
        def __call__(self, u, channel):
            main = threading.current_thread() is threading.main_thread()
            return super().__call__(u, channel) if main else Evaluation(np.full(len(u), np.nan))

    with pytest.raises(AmplitudeError, match="not finite"):
        chain(Failing(inner, 2), ahead=0.5, **SHORT)


def test_an_impossible_share_is_refused():
    with pytest.raises(UserError, match=r"ahead is 1\.5"):
        TrainingConfig(ahead=1.5)
