"""``binnis validate`` and ``binnis report`` from the shell: verdict, exit code, files, mistakes."""

from __future__ import annotations

import importlib.util
import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console


def module(path, name):
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


HERE = Path(__file__)
shell = module(HERE.with_name("test_command_line.py"), "command_line_helpers")
files = module(HERE.parents[1] / "validate" / "test_event_files.py", "event_file_helpers")

CARD = """
process: ee-to-mumu
sampler: flow
events: 300
threads: 1
survey: {evaluations: 6000}
training: {evaluations: 3000, steps: 200, fine_tuning_steps: 100}
choice: {evaluations: 3000}
integration: {evaluations: 6000}
uncertainties: {replicas: 4, steps: 50}
"""


def test_a_card_and_its_run_are_validated(tmp_path):
    (tmp_path / "card.yaml").write_text(CARD)
    done = shell.binnis("validate", "card.yaml", "-n", 20000, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    line = done.stdout.strip().splitlines()[-1]
    assert line.startswith("AGREE: ee-to-mumu: VEGAS and flow (")
    for words in ("smallest corrected p", "gain in calls", "gain in CPU time"):
        assert words in line
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["command"] == "binnis validate card.yaml --points 20000"
    data = content["data"]
    assert data["verdict"] == "agree"
    assert [account["name"] for account in data["accounts"]] == [
        "vegas, equal evaluations", "flow", "vegas, equal CPU time"
    ]  # fmt: skip
    equal, flow, timed = data["accounts"]
    assert equal["adaptation_evaluations"] == flow["adaptation_evaluations"] == pytest.approx(15000, rel=0.01)
    assert timed["points"] > 2000  # how many depends on the clock
    assert timed["adaptation_evaluations"] == flow["adaptation_evaluations"]
    for sampler in ("vegas", "flow"):
        figures = data["samplers"][sampler]
        assert figures["cross_section_pb"]["value"] == pytest.approx(2099.0, abs=30)
        assert set(figures["efficiency"]) == {"quantile", "median", "exact"}
        assert len(figures["replicas_pb"]) == 20
    assert data["training"]
    assert data["classifier"]["auc"] == pytest.approx(0.5, abs=5 * data["classifier"]["auc_error"])
    page = (tmp_path / "out" / "report.html").read_text()
    for title in ("Cross sections", "Equal evaluations", "Distributions", "Classifier", "Training"):
        assert title in page

    done = shell.binnis("run", "card.yaml", "-o", "run", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = shell.binnis("validate", "run", "-n", 20000, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    data = json.loads((tmp_path / "run" / "validation_01" / "report.json").read_text())["data"]
    subjects = {test["subject"] for test in data["tests"]}
    assert "cross section of the run" in subjects
    assert any(subject.endswith(" of events.lhe.gz") for subject in subjects)

    # the same events with weights that depend on the angle are not those of the run
    events = tmp_path / "run" / "events.lhe.gz"
    events.write_bytes(files.muons(tmp_path / "wrong.lhe.gz", 3000, 1, shape=0.9).read_bytes())
    done = shell.binnis("validate", "run", "-n", 20000, "-q", cwd=tmp_path)
    assert done.returncode == 1
    assert "DISAGREE in" in done.stdout
    assert "of events.lhe.gz" in done.stdout.strip().splitlines()[-1]


def test_two_event_files(tmp_path):
    first, same = files.muons(tmp_path / "a.lhe", 1500, 1), files.muons(tmp_path / "b.lhe.gz", 1500, 2)
    other = files.muons(tmp_path / "c.lhe", 1500, 3, shape=0.9)
    done = shell.binnis("validate", "--lhe", first, same, "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().splitlines()[-1].startswith("AGREE: a.lhe and b.lhe.gz (")
    assert (tmp_path / "runs" / "validation_01" / "report.html").exists()
    done = shell.binnis("validate", "--lhe", first, other, "-q", cwd=tmp_path)
    assert done.returncode == 1
    assert "DISAGREE in" in done.stdout
    assert json.loads((tmp_path / "runs" / "validation_02" / "report.json").read_text())["status"] == "bad"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["run card or a run folder"]),
        (["card.yaml", "--lhe", "a", "b"], ["run card or a run folder"]),
        (["absent.yaml"], ["absent.yaml does not exist"]),
        (["--lhe", "a.lhe", "b.lhe"], ["--lhe: a.lhe does not exist"]),
        (["card.yaml", "--points", "10"], ["--points is 10", "2000"]),
        (["card.yaml", "--output", "."], ["--output", "exists already"]),
        (["card.yaml", "--reference", "x.lhe"], ["--reference is for"]),
        (["empty"], ["empty is no run folder"]),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(tmp_path, arguments, words):
    (tmp_path / "card.yaml").write_text("process: ee-to-mumu\n")
    (tmp_path / "empty").mkdir()
    shell.check_refused(shell.binnis("validate", *arguments, cwd=tmp_path), *words)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["card.yaml", "empty"]


def test_report_refuses_what_is_no_run(tmp_path):
    shell.check_refused(shell.binnis("report", ".", cwd=tmp_path), "no folder of a finished run")
    shell.check_refused(shell.binnis("report", "absent", cwd=tmp_path), "absent is no folder")


def test_the_python_result_shows_itself(tmp_path):
    from plugin.validate.generators import validate_files

    first, same = files.muons(tmp_path / "a.lhe", 1000, 1), files.muons(tmp_path / "b.lhe", 1000, 2)
    found = validate_files(first, same, "binnis validate --lhe a.lhe b.lhe")
    assert "AGREE: a.lhe and b.lhe" in found._repr_html_()
    console = Console(width=100, file=StringIO())
    console.print(found)
    assert "The smallest probabilities" in console.file.getvalue()
    assert np.isfinite(found.agreement.verdict.smallest)
