"""A run that ends at any moment goes on from there and ends with the events that it would have had."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mcbridge.errors import UserError
from plugin.run import resume, run
from plugin.run.machine import Machine
from plugin.run.statefile import STATES
from plugin.run.status import read_status
from tests.plugin.run.test_run import content_hash, here, pairs, small_card  # noqa: F401 (fixtures)

ROOT = Path(__file__).parents[3]
COMMAND = [sys.executable, "-c", "from plugin.commands.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}

SLOW = """
import time
import numpy as np

def matrix_element(momenta):
    time.sleep(2e-5 * len(momenta))
    return 1.0 + (momenta[:, 2, 3] / momenta[:, 2, 0]) ** 2
"""

CARD = """
process: {name: custom, amplitude: "amplitude.py:matrix_element", cms_energy: 91.188}
sampler: vegas
events: 3000
seed: 4
threads: 1
survey: {evaluations: 8000}
choice: {evaluations: 4000}
integration: {evaluations: 12000, iterations: 3}
scaling: {chunk: 1000, block: 1000}
"""


class Stop(BaseException):
    """Ends a run as a signal would."""


def small_flow():
    return small_card(
        sampler="flow",
        training={"evaluations": 2000, "steps": 20, "fine_tuning_steps": 10},
        uncertainties={"replicas": 3, "steps": 10},
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """The event files of runs that nothing stopped, by sampler; made once."""
    return {"folder": tmp_path_factory.mktemp("reference")}


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("state", STATES)
def test_a_run_that_ends_in_any_state_goes_on(pairs, here, monkeypatch, reference, state, begun):  # noqa: F811
    if "events" not in reference:
        whole = run(small_flow(), reference["folder"] / "out", quiet=True)
        reference["events"] = (whole.folder / "events.lhe.gz").read_bytes()
        reference["summary"] = whole.summary
    original = Machine._save

    def save(self):
        """Ends before (or right after) the end of a state was written down."""
        done = self.file.done(state)
        if done and not begun:
            self.file.states[state].status = "running"
        original(self)
        if done:
            raise Stop

    monkeypatch.setattr(Machine, "_save", save)
    with pytest.raises(Stop):
        run(small_flow(), here / "out", quiet=True)
    monkeypatch.setattr(Machine, "_save", original)
    if state == "survey" and not begun:
        assert not (here / "out").exists()  # nothing was worth to be kept
        return
    assert read_status(here / "out")["status"] == ("finished" if state == "report" and begun else "interrupted")
    result = resume(here / "out", quiet=True)
    assert (result.folder / "events.lhe.gz").read_bytes() == reference["events"]
    ignored = ("cpu_seconds", "cpu_seconds_by_stage", "vegas", "flow", "decision")  # timings
    for name, value in reference["summary"].items():
        assert name in ignored or result.summary[name] == value, name
    assert not (here / "out" / "checkpoints").exists()
    assert resume(here / "out", quiet=True).summary == result.summary  # a finished run is shown again


def start(*arguments, folder):
    return subprocess.Popen(
        [*COMMAND, "run", *arguments, "-q"],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def finish(*arguments, folder):
    process = start(*arguments, folder=folder)
    errors = process.communicate(timeout=100)[1].decode()
    assert process.returncode == 0, errors
    return content_hash(folder / "out" / "events.lhe.gz")


@pytest.fixture
def job(tmp_path):
    (tmp_path / "amplitude.py").write_text(SLOW)
    (tmp_path / "card.yaml").write_text(CARD)
    return tmp_path


def reached(job, name):
    """Whether a run is in a state, or past it."""
    try:
        return name in json.loads((job / "out" / "state.json").read_text())["states"]
    except (OSError, ValueError):
        return False


def killed_and_resumed(job, times, spread, extra=(), seed=1, state="survey"):
    """Kill a run and its resumed successors at moments after a state began, then let it end; the hash of its events."""
    generator = random.Random(seed)
    arguments = ["card.yaml", "-o", "out", *extra]
    for _ in range(times):
        process = start(*arguments, folder=job)
        while process.poll() is None and not reached(job, state):
            time.sleep(0.005)
        time.sleep(generator.uniform(*spread))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        arguments = ["--resume", "out", *extra]
        if reached(job, "report"):
            break
    return finish(*arguments, folder=job)


def test_kill_9_and_resume_give_the_same_events_with_workers_and_without(job):
    expected = finish("card.yaml", "-o", "out", folder=job)
    (job / "out").rename(job / "whole")
    assert killed_and_resumed(job, 3, (0.0, 1.5)) == expected
    (job / "out").rename(job / "first")
    assert killed_and_resumed(job, 1, (0.0, 0.1), ["--workers", "2"], state="integration") == expected
    assert json.loads((job / "out" / "state.json").read_text())["resumed"] == 1


@pytest.mark.slow
def test_ten_kills_at_random_moments_of_a_run_with_a_flow(job):
    text = CARD.replace("sampler: vegas", "sampler: flow") + (
        "training: {evaluations: 8000, steps: 60, fine_tuning_steps: 30}\nuncertainties: {replicas: 4, steps: 40}\n"
    )
    (job / "card.yaml").write_text(text)
    expected = finish("card.yaml", "-o", "out", folder=job)
    (job / "out").rename(job / "whole")
    for number in range(10):
        assert killed_and_resumed(job, 1, (0.0, 6.0), seed=number) == expected
        (job / "out").rename(job / f"run_{number}")


@pytest.fixture
def interrupted(pairs, here, monkeypatch):  # noqa: F811
    """A folder of a run that ended in the middle of its events."""
    original = Machine._save

    def save(self):
        original(self)
        if self.file.current == "unweighting":
            raise Stop

    monkeypatch.setattr(Machine, "_save", save)
    with pytest.raises(Stop):
        run(small_card(sampler="vegas"), here / "out", quiet=True)
    monkeypatch.setattr(Machine, "_save", original)
    return here / "out"


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        (
            "checkpoints/integration.safetensors",
            100,
            "state 'integration' .* cannot be read back: the checkpoint .*damaged",
        ),
        ("checkpoints/drawing.mcb", 50, "state 'uncertainties' .* cannot be read back: .*drawing.mcb"),
        ("state.json", 100, r"state\.json is damaged or of another version"),
        ("state.json", 0, r"state\.json is damaged or of another version"),
        ("card.yaml", 40, r"card\.yaml"),
    ],
)
def test_a_truncated_file_is_named_and_nothing_is_changed(interrupted, name, size, words):
    path = interrupted / name
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    before = {file: file.stat().st_size for file in interrupted.rglob("*.*") if "run." not in file.name}
    with pytest.raises(UserError, match=words) as caught:
        resume(interrupted, quiet=True)
    assert "\n" not in str(caught.value)
    after = {file: file.stat().st_size for file in interrupted.rglob("*.*") if "run." not in file.name}
    assert after.keys() == before.keys()
    path.write_bytes(whole)
    assert resume(interrupted, quiet=True).summary["events"] == 500


def test_a_state_that_was_taken_out_is_done_again(interrupted, reference):
    expected = run(small_card(sampler="vegas"), interrupted.parent / "whole", quiet=True)
    state = json.loads((interrupted / "state.json").read_text())
    for name in ("integration", "unweighting"):
        state["states"].pop(name, None)
    (interrupted / "state.json").write_text(json.dumps(state))
    (interrupted / "checkpoints" / "integration.safetensors").unlink()
    again = resume(interrupted, quiet=True)
    assert content_hash(again.events) == content_hash(expected.events)


def test_a_damaged_part_is_done_again(pairs, here, monkeypatch, reference):  # noqa: F811
    from plugin.run import states

    expected = run(small_card(sampler="vegas", events=5000), here / "whole", quiet=True)

    def fail(*arguments):
        raise UserError("the disk is full")

    original = states.join_events
    monkeypatch.setattr(states, "join_events", fail)
    with pytest.raises(UserError, match=r"the disk is full. What was computed is kept: binnis run --resume .*out"):
        run(small_card(sampler="vegas", events=5000), here / "out", quiet=True)
    monkeypatch.setattr(states, "join_events", original)
    parts = sorted((here / "out" / "checkpoints" / "parts").glob("part_*"))
    parts[0].write_bytes(parts[0].read_bytes()[:-10])
    assert content_hash(resume(here / "out", quiet=True).events) == content_hash(expected.events)


def test_two_runs_into_one_folder_are_kept_apart(job):
    process = start("card.yaml", "-o", "out", folder=job)
    while process.poll() is None and not (job / "out" / "state.json").exists():
        time.sleep(0.01)
    with pytest.raises(UserError, match=rf"in use by process {process.pid} on .*; binnis status .*out"):
        resume(job / "out", quiet=True)
    status = read_status(job / "out")
    assert (status["status"], status["by"].split()[1]) == ("running", str(process.pid))
    process.kill()
    process.communicate()
    assert read_status(job / "out")["status"] == "interrupted"


def test_folders_that_are_none_of_a_run_are_told(here):  # noqa: F811
    with pytest.raises(UserError, match="there is no run folder"):
        resume(here / "absent")
    (here / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no state\.json"):
        resume(here / "empty")


def test_a_full_disk_keeps_what_was_computed(job):
    limited = ["bash", "-c", 'ulimit -f "$0"; exec "$@"', "450", *COMMAND, "run", "card.yaml", "-o", "out", "-q"]
    failed = subprocess.run(limited, cwd=job, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert failed.returncode == 2
    sentence = " ".join(failed.stderr.split())
    assert "cannot be written: File too large. What was computed is kept: binnis run --resume out" in sentence
    assert not list((job / "out").glob("events*"))
    resumed = finish("--resume", "out", folder=job)
    (job / "out").rename(job / "first")
    assert resumed == finish("card.yaml", "-o", "out", folder=job)


def test_a_folder_that_becomes_read_only_is_told(interrupted, monkeypatch):
    import tempfile

    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(UserError, match="cannot be written: Read-only file system"):
        resume(interrupted, quiet=True)
    monkeypatch.undo()
    assert (interrupted / "checkpoints" / "integration.safetensors").exists()


def test_resume_takes_no_card_and_no_options_of_the_physics(here):  # noqa: F811
    from typer.testing import CliRunner

    from plugin.commands.main import app

    found = CliRunner().invoke(app, ["run", "card.yaml", "--resume", "out", "--events", "5"])
    assert "takes no CARD and no --events" in str(found.exception)
    assert "needs a run card" in str(CliRunner().invoke(app, ["run"]).exception)
