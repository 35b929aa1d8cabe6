"""Chunks on workers: the same numbers as in this process, through deaths and hanging; what does not work is told."""

from __future__ import annotations

import os
import threading
import time

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integration import integrate
from mcbridge.random import Streams
from mcbridge.scaling import Context, InProcess, Processes, SamplerFile, Threads, integration_map, processes
from tests.mcbridge.scaling.toys import Make, Slope, flat_sampler


@pytest.fixture
def sampler_file(tmp_path):
    flat_sampler().save(tmp_path / "flat.mcb")
    return SamplerFile.of(tmp_path / "flat.mcb")


def result(workers, context, costs=None, evaluations=20_000, chunk=1000):
    return integrate(
        Slope(),
        context.sampler(),
        evaluations,
        4,
        Streams(3),
        chunk=chunk,
        keep=True,
        chunk_map=integration_map(workers, context, None if costs is None else costs.append),
    )


def here():
    return integrate(Slope(), flat_sampler(), 20_000, 4, Streams(3), chunk=1000, keep=True)


def assert_same(one, other):
    assert (one.mean, one.error, one.chi2) == (other.mean, other.error, other.chi2)
    np.testing.assert_array_equal(one.samples.u, other.samples.u)
    np.testing.assert_array_equal(one.samples.event_weights, other.samples.event_weights)


@pytest.mark.parametrize("make", [InProcess, lambda: Threads(3), lambda: Processes(2)], ids=["here", "threads", "two"])
def test_results_do_not_depend_on_where_chunks_are_done(make, sampler_file):
    workers, costs = make(), []
    try:
        found = result(workers, Context(Make(), "slope", sampler_file), costs)
    finally:
        workers.close()
    assert_same(found, here())
    assert abs(found.mean - 1.5) < 4 * found.error
    assert sum(cost.evaluations for cost in costs) == 20_000
    assert len(costs) == 24  # 4 iterations, 2 channels, chunks of 1000, 1000 and 500 points


@pytest.mark.parametrize("deed", ["die", "hang"])
def test_a_worker_that_dies_or_hangs_is_replaced_and_nothing_is_doubled(deed, sampler_file, tmp_path):
    workers, costs = Processes(2), []
    context = Context(Make(deed, str(tmp_path / "flag")), f"slope {deed}", sampler_file, time_limit=1.0)
    start = time.monotonic()
    try:
        found = result(workers, context, costs)
    finally:
        workers.close()
    assert time.monotonic() - start < 30.0
    assert (tmp_path / "flag").exists()
    assert workers.replaced == 1
    assert_same(found, here())
    assert sum(cost.evaluations for cost in costs) == 20_000


def test_workers_killed_from_outside_are_replaced(sampler_file):
    workers = Processes(2)
    context = Context(Make("wait"), "slope wait", sampler_file)
    killed = []

    def kill():
        while len(killed) < 3:
            time.sleep(0.4)
            for pid in workers.processes()[:1]:
                os.kill(pid, 9)
                killed.append(pid)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        found = result(workers, context, chunk=200)
        while not workers.replaced:
            found = result(workers, context, chunk=200)
    finally:
        workers.close()
    assert killed
    expected = integrate(Slope(), flat_sampler(), 20_000, 4, Streams(3), chunk=200, keep=True)
    assert_same(found, expected)


def test_a_worker_that_was_stopped_is_replaced(sampler_file, monkeypatch):
    import signal

    monkeypatch.setattr(processes, "_GRACE", 0.0)
    workers = Processes(1)
    context = Context(Make(), "slope", sampler_file, time_limit=4.0)
    try:
        assert_same(result(workers, context), here())
        os.kill(workers.processes()[0], signal.SIGSTOP)
        assert_same(result(workers, context), here())
        assert workers.replaced == 1
    finally:
        workers.close()


def test_workers_that_always_die_end_the_run_in_a_sentence(sampler_file):
    workers = Processes(1)
    try:
        with pytest.raises(UserError, match=r"ended 5 times in a row without finishing a chunk .*time_limit"):
            result(workers, Context(Make("always die"), "slope always die", sampler_file))
    finally:
        workers.close()
    assert not workers.processes()


def test_the_sentence_of_an_amplitude_comes_from_a_worker_as_it_is(sampler_file):
    workers = Processes(1)
    try:
        with pytest.raises(AmplitudeError, match="channel 0: no such diagram"):
            result(workers, Context(broken, "broken", sampler_file))
    finally:
        workers.close()


def broken():
    def deed(u):
        raise RuntimeError("no such diagram")

    return Slope(deed)


def test_a_file_that_workers_do_not_see_is_sent(sampler_file, tmp_path):
    context = Context(Make(), "slope", sampler_file).with_content()
    (tmp_path / "flat.mcb").unlink()
    assert context.sampler_file.load().dim == 2


def test_no_workers_are_refused():
    with pytest.raises(UserError, match="workers is 0"):
        Processes(0)
