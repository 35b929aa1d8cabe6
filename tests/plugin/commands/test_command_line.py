"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.annotate.event_files import muons

ROOT = Path(__file__).parents[3]


def binnis(*arguments, cwd, **environment):
    """Run the command line; returns the finished process."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-c", "from plugin.commands.main import main; main()", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def check_refused(done, *words):
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_help_names_the_commands(tmp_path):
    done = binnis("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command in ("run", "integrate", "annotate", "card"):
        assert command in done.stdout


def test_interfaces_add_commands_and_a_broken_one_is_told_in_a_sentence(tmp_path):
    """What an installed package does: entries of the group ``binnis.commands`` in its metadata."""
    metadata = tmp_path / "generator-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: generator\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[binnis.commands]\ngood = good_interface:app\nbad = no_interface:app\nodd = good_interface:number\n"
    )
    (tmp_path / "good_interface.py").write_text(
        "import typer\nnumber = 1\napp = typer.Typer(help='A generator.')\n"
        "@app.callback()\ndef nothing(): pass\n@app.command()\ndef hello(): print('hello')\n"
    )
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    done = binnis("--help", cwd=tmp_path, PYTHONPATH=path)
    assert done.returncode == 0, done.stderr
    assert "A generator." in done.stdout
    assert "Not available" in done.stdout
    assert binnis("good", "hello", cwd=tmp_path, PYTHONPATH=path).stdout == "hello\n"
    check_refused(binnis("bad", "hello", "--x", cwd=tmp_path, PYTHONPATH=path), "bad", "no_interface")
    check_refused(binnis("odd", cwd=tmp_path, PYTHONPATH=path), "odd", "int, not a typer.Typer")


def test_card_template_goes_through_run_without_torch(tmp_path):
    """A decision for VEGAS does not import torch; the test would notice, since torch cannot be imported here."""
    (tmp_path / "torch.py").write_text("raise ImportError('torch is not to be imported')\n")
    made = binnis("card", "--template", "ee-to-mumu", "-o", "card.yaml", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    done = binnis("run", "card.yaml", "--events", 200, "--sampler", "auto", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["sampler"] == "vegas"
    assert "perfect flow" in summary["decision"]["reason"]
    assert "Choice: vegas" in done.stdout
    assert "cross section [pb]" in done.stdout
    done = binnis("run", "card.yaml", "--events", 200, "-o", "out", cwd=tmp_path)
    check_refused(done, "--output", "out exists already")


def test_schema_is_json_and_check_fills_defaults(tmp_path):
    schema = json.loads(binnis("card", "--schema", cwd=tmp_path).stdout)
    assert "process" in schema["properties"]
    (tmp_path / "card.yaml").write_text("process: gluons\n")
    assert "dr_min: 0.4" in binnis("card", "--check", "card.yaml", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("card", "options", "words"),
    [
        ("evnts: 3", [], ["unknown key 'evnts'", "did you mean 'events'"]),
        ("process: drell-yan", ["--sampler", "fast"], ["'sampler'", "'fast'"]),
        ("process: {name: drell-yan, pdf: NNPFD}", [], ["NNPFD", "builtin"]),
        ("process: {name: drell-yan, mll: [116, 66]}", [], ["mll"]),
        ("process: {name: ee-to-mumu, pt_min: 500}", [], ["pt_min", "500"]),
        ("process: ee-to-mumu", ["--sampler-file", "absent.mcb"], ["absent.mcb"]),
        ("process: ee-to-mumu", ["--decision", "absent.json"], ["absent.json"]),
        ("process: ee-to-mumu", ["--output", "/proc/none/out"], ["/proc/none/out"]),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_left(tmp_path, card, options, words):
    (tmp_path / "card.yaml").write_text(card)
    done = binnis("run", "card.yaml", *options, cwd=tmp_path)
    check_refused(done, *words)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["card.yaml"]


def test_an_integral_from_the_shell(tmp_path):
    (tmp_path / "my_amplitude.py").write_text(
        "import numpy as np, vegas\n"
        "@vegas.lbatchintegrand\n"
        "def f(x):\n    return np.exp(-np.sum((x - 0.5) ** 2, axis=1) / 0.02)\n"
    )
    done = binnis("integrate", "my_amplitude.py:f", "--dim", 2, "--neval", 5000, "--seed", 3, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "integral = 0.0628" in done.stdout
    assert "choice: vegas" in done.stdout
    check_refused(binnis("integrate", "my_amplitude.py:g", "--dim", 2, cwd=tmp_path), "has no function 'g'")


def test_events_of_another_program_are_annotated_from_the_shell(tmp_path):
    (tmp_path / "e.lhe").write_text(muons(1200))
    quick = ["--steps", 1, "--bayesian-steps", 1, "--replicas", 2]
    done = binnis("annotate", "e.lhe", *quick, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1200 events in e_binn.lhe.gz" in done.stdout
    assert "mu+ mu-" in done.stdout
    assert "no exact weights to calibrate with" in done.stdout
    check_refused(binnis("annotate", "e.lhe", *quick, cwd=tmp_path), "--output", "e_binn.lhe.gz exists already")
    check_refused(binnis("annotate", "absent.lhe", cwd=tmp_path), "absent.lhe cannot be read")
    check_refused(binnis("annotate", "e.lhe", "-o", "f.lhe", "--replicas", 1, cwd=tmp_path), "--replicas is 1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.lhe", "e_binn.lhe.gz"]


def test_mcbridge_does_not_import_torch(tmp_path):
    code = (
        "import sys, mcbridge, mcbridge.core, mcbridge.integration, mcbridge.samplers\n"
        "import mcbridge.unweighting, mcbridge.lhe, mcbridge.pdfs, mcbridge.preprocessing\n"
        "import mcbridge.uncertainties.generator_weights, mcbridge.uncertainties.held_out\n"
        "import mcbridge.maps, mcbridge.events, mcbridge.processes.drell_yan, mcbridge.processes.gluons\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_file_that_shadows_our_package_is_named(tmp_path):
    (tmp_path / "plugin.py").write_text("x = 1\n")
    done = subprocess.run(
        [sys.executable, "-c", "import binnis"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "is shadowed by" in done.stderr
    assert "rename your file" in done.stderr
