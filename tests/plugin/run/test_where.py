"""The same seed and card give the same file wherever the work is done, and whatever happens to the workers."""

from __future__ import annotations

import json
import os
import threading
import time

import numpy as np
import pytest

from mcbridge.errors import UserError
from plugin.card import load_card, override
from plugin.run import run
from plugin.run.workers import MakeProcess, absolute
from tests.plugin.run.test_resume import content_hash, job  # noqa: F401 (fixture)

FLOW = """training: {evaluations: 4000, steps: 20, fine_tuning_steps: 10}
uncertainties: {replicas: 3, steps: 10}
"""


@pytest.fixture
def flow_job(job, monkeypatch):  # noqa: F811
    """A folder with a card that asks for a flow."""
    path = job / "card.yaml"
    path.write_text(path.read_text().replace("sampler: vegas", "sampler: flow") + FLOW)
    monkeypatch.chdir(job)
    return job


def done(folder, name, **scaling):
    card = load_card(folder / "card.yaml")
    entries = {**card.scaling.model_dump(mode="json"), **scaling}
    return run(override(card, scaling=entries), folder / name, quiet=True)


def test_threads_processes_and_dask_give_the_same_file_as_this_process(flow_job):
    pytest.importorskip("distributed")
    here = done(flow_job, "here")
    expected = here.events.read_bytes()
    for name, scaling in (
        ("threads", {"workers": 2, "backend": "threads"}),
        ("processes", {"workers": 2}),
        ("dask", {"workers": 2, "cluster": "local"}),
    ):
        other = done(flow_job, name, **scaling)
        assert other.events.read_bytes() == expected, name
        assert other.integral.mean == here.integral.mean
        assert other.integral.error == here.integral.error
        assert other.summary["amplitude_evaluations"] == here.summary["amplitude_evaluations"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 5])
def test_one_and_five_workers_give_the_same_file(flow_job, workers):
    assert content_hash(done(flow_job, "here").events) == content_hash(done(flow_job, "w", workers=workers).events)


class Reaper(threading.Thread):
    """Kills workers of this process three times while a run makes progress."""

    def __init__(self, log):
        super().__init__(daemon=True)
        self.log, self.killed = log, 0
        self.before = set(self.children())

    @staticmethod
    def children():
        found = []
        for task in os.listdir("/proc/self/task"):
            try:
                with open(f"/proc/self/task/{task}/children") as stream:
                    found += [int(pid) for pid in stream.read().split()]
            except OSError:
                continue
        return found

    def progress(self):
        return self.log.read_text().count('"done"') if self.log.exists() else 0

    def run(self):
        seen = 0
        while self.killed < 3:
            time.sleep(0.05)
            if self.progress() <= seen:
                continue
            for pid in self.children():
                if pid not in self.before and self.is_worker(pid):
                    os.kill(pid, 9)
                    self.killed += 1
                    seen = self.progress() + 1
                    break

    @staticmethod
    def is_worker(pid):
        try:
            with open(f"/proc/{pid}/cmdline") as stream:
                return "spawn_main" in stream.read()
        except OSError:
            return False


@pytest.mark.slow
@pytest.mark.parametrize("scaling", [{"workers": 2}, {"workers": 2, "cluster": "local"}], ids=["processes", "dask"])
def test_workers_that_are_killed_change_nothing(job, monkeypatch, scaling):  # noqa: F811
    monkeypatch.chdir(job)
    path = job / "card.yaml"
    path.write_text(path.read_text().replace("evaluations: 12000", "evaluations: 120000"))
    expected = content_hash(done(job, "here").events)
    reaper = Reaper(job / "killed" / "run.jsonl")
    reaper.start()
    found = done(job, "killed", **scaling)
    assert reaper.killed == 3
    assert content_hash(found.events) == expected


RARE = """
import numpy as np

def matrix_element(momenta):
    value = 1.0 + (momenta[:, 2, 3] / momenta[:, 2, 0]) ** 2
    bad = np.arctan2(momenta[:, 2, 2], momenta[:, 2, 1]) % 1.0 < {share}
    kind = "{kind}"
    if kind == "exception":
        if bad.any():
            raise FloatingPointError("denominator vanishes")
        return value
    return np.where(bad, np.nan if kind == "nan" else np.inf, value)
"""


@pytest.mark.parametrize("kind", ["nan", "infinity", "exception"])
@pytest.mark.parametrize("workers", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_an_amplitude_that_fails_rarely_is_reported_and_one_that_fails_often_stops(job, monkeypatch, kind, workers):  # noqa: F811
    if workers and kind != "exception":
        pytest.skip("the same code as in this process")
    monkeypatch.chdir(job)
    (job / "amplitude.py").write_text(RARE.format(share=1e-4, kind=kind))
    found = done(job, "rare", workers=workers)
    failures = found.summary["failures"]
    assert 0 < failures["not_finite"] < 15  # about 24000 points
    assert failures["not_finite"] == len(failures["examples"])
    text = "FloatingPointError: denominator vanishes at u = (" if kind == "exception" else f"{kind[:3]} at u = ("
    assert all(example.startswith(text) for example in failures["examples"])
    (job / "amplitude.py").write_text(RARE.format(share=1e-2, kind=kind))
    with pytest.raises(UserError, match=r"tolerated fraction 0\.001") as caught:
        done(job, "often", workers=workers)
    if kind == "exception":
        assert "raised FloatingPointError in channel 0: denominator vanishes" in str(caught.value)
    assert not (job / "often").exists()


def test_the_thresholds_are_entries_of_the_card(job, monkeypatch):  # noqa: F811
    monkeypatch.chdir(job)
    (job / "amplitude.py").write_text(RARE.format(share=1e-2, kind="nan"))
    card = override(load_card(job / "card.yaml"), failures={"fraction": 0.05, "minimum_points": 0}, events=0)
    found = run(card, job / "tolerant", quiet=True)
    assert 100 < found.summary["failures"]["not_finite"] < 600
    exact = run(override(card, failures={"fraction": 1.0}), job / "more", quiet=True)
    assert exact.integral.mean == found.integral.mean


def test_the_log_for_programs_has_states_and_progress(job, monkeypatch):  # noqa: F811
    monkeypatch.chdir(job)
    done(job, "out")
    lines = [json.loads(line) for line in (job / "out" / "run.jsonl").read_text().splitlines()]
    states = [line["state"] for line in lines if line.get("status") == "done"]
    assert states == ["survey", "training", "choice", "uncertainties", "integration", "unweighting", "events", "report"]
    last = [line for line in lines if line.get("state") == "Unweighting"][-1]
    assert last["done"] == last["total"] == 3000
    assert 0.0 < last["efficiency"] < 1.0
    assert last["cross_section"] > 0.0
    assert any(line.get("message", "").startswith("cross section") for line in lines)


def test_status_is_printed(job, monkeypatch):  # noqa: F811
    from typer.testing import CliRunner

    from plugin.commands.main import app

    monkeypatch.chdir(job)
    done(job, "out")
    shown = CliRunner().invoke(app, ["status", "out"]).output
    assert "finished" in shown
    assert shown.count("done") == 8
    status = json.loads(CliRunner().invoke(app, ["status", "out", "--json"]).output)
    assert status["status"] == "finished"
    assert "there is no run folder" in str(CliRunner().invoke(app, ["status", "absent"]).exception)


def test_processes_are_made_again_from_another_folder(job, tmp_path_factory, monkeypatch):  # noqa: F811
    section = load_card(job / "card.yaml").process
    make = MakeProcess.of(section, job)
    assert absolute(section, job).amplitude == str(job / "amplitude.py:matrix_element")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    made = make()
    assert made.dim == 2
    assert np.all(np.isfinite(made(np.full((3, 2), 0.4), 0).weight))
    assert make.key != MakeProcess.of(section, job / "other").key


def test_a_scheduler_that_does_not_answer_is_told(job, monkeypatch):  # noqa: F811
    cluster = pytest.importorskip("mcbridge.scaling.cluster")
    monkeypatch.setattr(cluster, "_PATIENCE", 0.5)
    monkeypatch.chdir(job)
    start = time.monotonic()
    with pytest.raises(UserError, match=r"the Dask scheduler tcp://127\.0\.0\.1:1 does not answer"):
        done(job, "out", scheduler="tcp://127.0.0.1:1")
    assert time.monotonic() - start < 20.0
    assert not (job / "out").exists()
