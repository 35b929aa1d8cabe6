"""The command group ``binnis sherpa``."""

from __future__ import annotations

import configparser
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mcbridge.errors import UserError
from sherpa_interface import locate
from sherpa_interface.commands import app

ROOT = Path(__file__).parents[2]


def test_the_entry_point_names_the_commands():
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    entries = dict(
        line.split(" = ") for line in settings["options.entry_points"]["binnis.commands"].split("\n") if line
    )
    group = EntryPoint("sherpa", entries["sherpa"], "binnis.commands").load()
    assert isinstance(group, typer.Typer)


def test_help_teaches_the_commands():
    done = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "120"})
    assert done.exit_code == 0
    for command in ("install", "build", "run"):
        assert command in done.stdout
    done = CliRunner().invoke(app, ["run", "--help"], env={"COLUMNS": "120"})
    assert "Example: binnis sherpa run" in done.stdout
    assert "--evaluations" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "none.yaml"], "cannot be read"),
        (["run", "card.yaml"], "no Sherpa was found"),
        (["run", "card.yaml", "--sampler", "flows"], "did you mean 'flow'"),
        (["build", "--prefix", "nowhere"], "no bin/Sherpa in nowhere"),
    ],
)
def test_mistakes_are_one_sentence(tmp_path, monkeypatch, arguments, words):
    (tmp_path / "card.yaml").write_text("PROCESSES: [11 -11 -> 13 -13]\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("SHERPA_PREFIX", raising=False)
    monkeypatch.setattr(locate, "default_prefix", lambda: tmp_path / "none")
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, UserError)
    assert words in str(done.exception)
    assert not (tmp_path / "runs").exists()


def test_the_commands_are_loaded_without_torch():
    """``binnis run`` loads them too, and must start fast."""
    code = "import sys, sherpa_interface.commands as c; print('torch' in sys.modules, 'vegas' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert found.stdout.strip() == "False False"


def test_mcbridge_and_plugin_do_not_import_the_interface():
    for package in ("mcbridge", "plugin"):
        for path in (ROOT / package).rglob("*.py"):
            assert "sherpa_interface" not in path.read_text(), path
