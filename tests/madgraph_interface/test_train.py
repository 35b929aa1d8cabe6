"""What is decided for a channel, and that a launch with more events is looked at again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from madgraph_interface import channel_training, train
from madgraph_interface.channel_training import STAKE, Candidate, Job, early, training_points
from madgraph_interface.directory import Channel, read_result
from madgraph_interface.finish import finish_runs
from madgraph_interface.records import SurveyRecord, read_jobs
from mcbridge.errors import UserError
from plugin.choice import Figures


def job(tmp_path, events, wish="auto", seconds=1e-6, efficiency=0.05):
    weights = np.random.default_rng(3).exponential(size=5000)
    survey = SurveyRecord(7, "record", "00ff", 4, 9000, 7000, seconds, weights)
    return Job(Channel(tmp_path, "P1_x", "G1"), survey, wish, 40_000, events, 7, tmp_path / "ftn26", efficiency)


def test_few_events_need_no_training(tmp_path):
    outcome = early(job(tmp_path, events=100))
    assert outcome.choice == "madevent"
    assert "training a flow would cost" in outcome.reason
    assert outcome.evaluations == 0


def test_many_dear_events_may_repay_one(tmp_path):
    assert early(job(tmp_path, events=1e7, seconds=1e-3)) is None


def test_a_training_is_as_long_as_its_events_are_worth(tmp_path):
    one, four = (training_points(job(tmp_path, events)) for events in (50_000, 200_000))
    assert four == pytest.approx(2 * one, rel=1e-3)  # the square root of the events
    dear = replace(job(tmp_path, 20_000, efficiency=0.5), survey=replace(job(tmp_path, 1).survey, dim=20))
    assert training_points(dear) == 8000  # a tenth of MadEvent's points would be fewer
    many = job(tmp_path, 20_000, efficiency=0.1)
    assert training_points(many) <= STAKE * 20_000 / 0.1
    assert job(tmp_path, 1).probe == 40_000 // 3


def test_the_card_can_insist(tmp_path):
    assert early(job(tmp_path, events=1, wish="flow")) is None


def test_a_channel_of_next_to_nothing_gets_no_flow(tmp_path):
    outcome = early(replace(job(tmp_path, events=1, wish="flow"), share=0.001))
    assert outcome.choice == "madevent"
    assert "0.10% of the events" in outcome.reason


def candidate(seconds, rsd):
    figures = Figures(1000, 100.0, 1.0, rsd, 0.1, 0.5, seconds)
    return Candidate(None, figures)


@pytest.mark.parametrize(
    ("flow", "best"),
    [(candidate(1e-6, 0.5), "flow"), (candidate(3e-6, 0.5), "madevent"), (candidate(1e-6, 2.0), "madevent")],
)
def test_a_flow_needs_cheaper_events_and_a_smaller_variance(flow, best):
    assert channel_training._best({"madevent": candidate(2e-6, 1.0), "flow": flow}) == best
    assert channel_training._best({"madevent": candidate(2e-6, 1.0)}) == "madevent"


def test_events_of_a_point():
    figures = Figures(1000, 200.0, 1.0, 1.0, 0.4 / channel_training.RESERVE, 0.5, 1e-6)
    assert Candidate(None, figures, 1.0, live=0.8).density == pytest.approx(0.4 / 0.8 / 200.0)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            " 0.20292E+03 0.22501E+01 0.00000E+00     7010      756    3      754 0.372E+01 0.50586E-02  0.20292E+03",
            202.92,
        ),
        (
            "-0.20292E+03 0.22501E+01 0.00000E+00     7010      756    3      754 0.372E+01 0.5E-02 -0.20292E+03",
            -202.92,
        ),
        ("end code not correct 1", None),
        ("", None),
    ],
)
def test_results_of_madevent(tmp_path, line, expected):
    (tmp_path / "results.dat").write_text(line + "\n more\n")
    found = read_result(tmp_path / "results.dat")
    assert (found.mean if expected is not None else found) == expected


def test_every_launch_without_a_flow_is_looked_at_again(toy):
    toy.card(flow_sampler="auto", nevents=10)
    toy.run()
    first = json.loads((toy.channel.folder / "decision.json").read_text())
    assert first["sampler"] == "madevent"
    (toy.root / "SubProcesses/randinit").write_text("r=30\n")
    toy.card(nevents=100)
    toy.run()
    second = json.loads((toy.channel.folder / "decision.json").read_text())
    assert second["events"] == pytest.approx(10 * first["events"])


def test_a_wrong_card_leaves_madevent_as_it_is(toy):
    toy.card(flow_sampler="auto", flow_evaluations="many")
    said = toy.run()
    assert "no sampler was trained" in said
    assert "flow_evaluations" in toy.log()
    assert not (toy.channel.folder / "sampler.mcb").exists()
    assert "Traceback" not in toy.log()


def test_a_job_that_dies_leaves_madevent_as_it_is(toy):
    toy.card(flow_sampler="auto", nevents=10)
    toy.run()
    program = toy.channel.madevent
    program.rename(program.with_name("kept"))
    program.write_text("#!/bin/sh\necho the disk is full\nexit 3\n")
    program.chmod(0o755)
    before = (toy.channel.directory / "results.dat").read_bytes()
    (toy.root / "binnis/training.json").unlink()
    toy.card(flow_sampler="flow")
    content = train.train_directory(toy.root)
    assert content["channels"][0]["sampler"] == "madevent"
    assert "the disk is full" in content["channels"][0]["reason"]
    assert (toy.channel.directory / "results.dat").read_bytes() == before


EVENT = """<event>
 2 1 +1.0000000e+02 9.11880000e+01 7.54677100e-03 1.30000000e-01
  11 -1 0 0 0 0 +0.0000000e+00 +0.0000000e+00 +4.5594000e+01 4.5594000e+01 0.0000000e+00 0.0000e+00 1.0000e+00
 -11 1 1 1 0 0 +0.0000000e+00 +0.0000000e+00 +4.5594000e+01 4.5594000e+01 0.0000000e+00 0.0000e+00 1.0000e+00
</event>
"""
INIT = """<LesHouchesEvents version="3.0">
<header>
</header>
<init>
2212 2212 6.5e+03 6.5e+03 0 0 247000 247000 -4 1
1.0e+02 5.0e-01 1.0e+02 1
</init>
"""


def test_the_summary_after_a_run(toy, monkeypatch):
    toy.card(flow_sampler="auto", nevents=10)
    toy.run()
    run = toy.root / "Events/run_01"
    run.mkdir()
    (run / "unweighted_events.lhe").write_text(INIT + 3 * EVENT + "</LesHouchesEvents>\n")
    (content,) = finish_runs(toy.root)
    assert content["events"] == 3
    assert content["events_asked_for"] == 10
    assert content["cross_section_pb"] == 100.0
    assert content["cross_section_error_pb"] == 0.5
    assert content["madevent"]["total"]["points"] == sum(job.points for job in read_jobs(toy.root))
    assert content["annotation"] == {"annotated": False, "reason": "no channel was sampled by a flow"}
    assert json.loads((run / "binnis_summary.json").read_text()) == content
    assert "100" in (run / "report.html").read_text()
    assert finish_runs(toy.root) == []  # once


def test_annotation_replaces_the_file(tmp_path, monkeypatch):
    import plugin.annotate
    from madgraph_interface import annotation

    events = tmp_path / "unweighted_events.lhe.gz"
    events.write_text("before")

    def annotate(source, target, seed, jets):
        assert source.read_text() == "before"
        target.write_text("after")
        return SimpleNamespace(header={"events": 1})

    monkeypatch.setattr(plugin.annotate, "annotate", annotate)
    summary = {"training": {"seeds": [3], "channels": [{"sampler": "flow"}]}}
    assert annotation.annotate_run(events, summary) == {"annotated": True, "header": {"events": 1}}
    assert events.read_text() == "after"

    def fails(source, target, seed, jets):
        target.write_text("half")
        raise UserError("too few events")

    monkeypatch.setattr(plugin.annotate, "annotate", fails)
    assert annotation.annotate_run(events, summary) == {"annotated": False, "reason": "too few events"}
    assert [path.name for path in tmp_path.iterdir()] == [events.name]
    assert events.read_text() == "after"


def test_a_training_that_was_killed_leaves_no_trace_in_the_next(toy):
    toy.card(flow_sampler="auto", nevents=10)
    toy.run()
    toy.card(flow_sampler="flow", flow_evaluations=4000)
    (toy.root / "binnis/training.json").unlink()
    program = [sys.executable, "-m", "madgraph_interface.train", str(toy.root)]
    killed = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    killed.kill()
    killed.wait()
    (toy.channel.folder / "sampler.new.1").touch()
    content = train.train_directory(toy.root)
    assert content["channels"][0]["sampler"] == "flow"
    assert not list(toy.channel.madevent.parent.glob("binnis_*"))
    assert not list(toy.channel.folder.glob("sampler.new.*"))
    assert abs(toy.channel.result.mean - 100.0) < 4 * toy.channel.result.error
