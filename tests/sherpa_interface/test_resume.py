"""A run with Sherpa that was killed goes on, and ends with the events that it would have had."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mcbridge.errors import UserError
from sherpa_interface import run as run_module
from sherpa_interface import stages
from sherpa_interface.commands import app
from sherpa_interface.run import Settings, resume_run, run_card

ROOT = Path(__file__).parents[2]
SETTINGS = Settings(
    events=200, seed=5, sampler="flow", evaluations=20_000, choice=10_000, integration=20_000, replicas=3, quiet=True
)
CODE = """
import sys
from sherpa_interface.run import Settings, run_card
run_card(sys.argv[1], Settings(**eval(sys.argv[3])), sys.argv[2])
"""


def events_of(folder):
    """The events, without the header, in which Sherpa writes the time."""
    with gzip.open(folder / "events.lhe.gz", "rt") as stream:
        text = stream.read()
    return text[text.index("<event") :]


@pytest.fixture(scope="module")
def whole(program, card, tmp_path_factory):
    """A run that nothing interrupted."""
    return run_card(card, SETTINGS, tmp_path_factory.mktemp("resume") / "whole", program)


def the_same(found, whole):
    assert events_of(found.folder) == events_of(whole.folder)
    assert (found.folder / "sampler.mcb").read_bytes() == (whole.folder / "sampler.mcb").read_bytes()
    for name in ("cross_section_pb", "own_cross_section_pb", "matrix_element_calls", "process"):
        assert found.summary[name] == whole.summary[name]
    assert {path.name for path in found.folder.iterdir()} == {path.name for path in whole.folder.iterdir()}


def test_a_run_killed_in_its_training(program, card, whole, tmp_path):
    """SIGKILL: what Sherpa has optimised is kept, the training is done once more."""
    folder = tmp_path / "run"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SHERPA_PREFIX": str(program.sherpa.prefix)}
    command = [sys.executable, "-c", CODE, str(card), str(folder), repr(SETTINGS.__dict__)]
    state = folder / "checkpoints" / "sherpa.json"
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
        while process.poll() is None and not (state.exists() and '"optimisation"' in state.read_text()):
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert not (folder / "sampler.mcb").exists()
    before = (folder / "optimisation" / "Results.zip").stat().st_mtime_ns
    (folder / "generation").mkdir()  # as a generation that was killed leaves it
    (folder / "generation" / "Results.zip").write_text("half")
    found = resume_run(folder, program, quiet=True)
    assert (folder / "optimisation" / "Results.zip").stat().st_mtime_ns == before
    the_same(found, whole)
    with pytest.raises(UserError, match="is finished"):
        resume_run(folder, program, quiet=True)


def test_a_finished_training_is_not_repeated(program, card, whole, tmp_path, monkeypatch, capsys):
    """The run ends in its generation, and once more while the event file is written."""

    def ends(*_arguments, **_settings):
        raise UserError("the disk is full")

    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "generate", ends)
        with pytest.raises(UserError, match="the disk is full"):
            run_card(card, SETTINGS, folder, program)
    assert f"binnis sherpa run --resume {folder}" in capsys.readouterr().err
    monkeypatch.setattr(stages, "train_process", ends)
    with monkeypatch.context() as patch:
        patch.setattr(run_module, "finish_events", ends)
        with pytest.raises(UserError, match="the disk is full"):
            resume_run(folder, program, quiet=True)
    monkeypatch.setattr(run_module, "generate", ends)
    the_same(resume_run(folder, program, quiet=True), whole)


def test_what_is_wrong_with_a_folder(program, card, whole, tmp_path):
    """Each in one sentence."""
    with pytest.raises(UserError, match=r"exists already.*binnis sherpa run --resume"):
        run_card(card, SETTINGS, whole.folder, program)
    with pytest.raises(UserError, match="there is no run folder"):
        resume_run(tmp_path / "none", program)
    with pytest.raises(UserError, match="is not the folder of an interrupted run"):
        resume_run(tmp_path, program)
    (tmp_path / "checkpoints").mkdir()
    state = tmp_path / "checkpoints" / "sherpa.json"
    state.write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        resume_run(tmp_path, program)
    state.write_text('{"format": 0}')
    with pytest.raises(UserError, match="another version"):
        resume_run(tmp_path, program)
    values = {"card": "a", "settings": {}, "sherpa": "3.0.1", "files": {}, "stages": {}, "cpu": {}, "format": 1}
    state.write_text(json.dumps(values))
    with pytest.raises(UserError, match=r"begun with Sherpa 3\.0\.1, this is 3\.0\."):
        resume_run(tmp_path, program)


def test_resume_takes_no_settings(tmp_path):
    done = CliRunner().invoke(app, ["run", "card.yaml", "--resume", str(tmp_path), "--seed", "1"])
    assert isinstance(done.exception, UserError)
    assert "takes no CARD and no --seed" in str(done.exception)
    done = CliRunner().invoke(app, ["run"])
    assert "needs a run card" in str(done.exception)
