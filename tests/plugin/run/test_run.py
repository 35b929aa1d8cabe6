"""The main job on a toy process: what a run leaves behind, that it is reproducible, and what it says when it fails."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pylhe
import pytest
import yaml

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import Evaluation, EventBatch
from plugin.card import Card, load_card
from plugin.run import pipeline, run


class Pairs:
    """e+ e- -> mu+ mu- with the density 5 pb * 2 u_0 * 3 u_1^2, narrower with ``power``."""

    name = "pairs"
    dim = 2
    channels = 1
    periodic = ()
    beams = (-11, 11)
    energies = (50.0, 50.0)
    pdf_ids = (0, 0)
    subprocesses = {1: "e+ e- > mu- mu+"}  # noqa: RUF012

    def __init__(self, broken=None):
        self.discrete = {}
        self.broken = broken

    def __call__(self, u, channel):
        weight = 5.0 * 2.0 * u[:, 0] * 3.0 * u[:, 1] ** 2
        if self.broken is not None:
            weight = self.broken(u, weight)
        return Evaluation(weight)

    def events(self, u, channel, choice):
        n, e = len(u), 50.0
        cos = 2.0 * u[:, 1] - 1.0
        momenta = np.zeros((n, 4, 4))
        momenta[:, :, 0] = e
        momenta[:, 0, 3], momenta[:, 1, 3] = e, -e
        momenta[:, 2, 1], momenta[:, 2, 3] = e * np.sqrt(1 - cos**2), e * cos
        momenta[:, 3, 1:] = -momenta[:, 2, 1:]
        return EventBatch(
            momenta=momenta,
            pdg_ids=np.tile([-11, 11, 13, -13], (n, 1)),
            status=np.array([-1, -1, 1, 1]),
            mothers=np.array([[0, 0], [0, 0], [1, 2], [1, 2]]),
            colours=np.zeros((n, 4, 2), dtype=np.int64),
            masses=np.zeros((n, 4)),
            scale=np.full(n, 100.0),
            alpha_s=np.full(n, 0.118),
            alpha_qed=np.full(n, 1 / 132.507),
            process_id=np.ones(n, dtype=np.int64),
        )


def small_card(**entries):
    return Card.model_validate(
        {
            "process": "ee-to-mumu",
            "events": 500,
            "seed": 2,
            "survey": {"evaluations": 8000},
            "training": {"evaluations": 4000},
            "choice": {"evaluations": 4000},
            "integration": {"evaluations": 10000, "iterations": 5},
            "threads": 1,
            **entries,
        }
    )


@pytest.fixture
def pairs(monkeypatch):
    def use(broken=None):
        monkeypatch.setattr(pipeline, "build_process", lambda card: Pairs(broken))

    use()
    return use


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def content_hash(path):
    return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()


@pytest.mark.parametrize("sampler", ["vegas", "flow", "auto"])
def test_a_run_leaves_card_sampler_events_summary_and_log(pairs, here, sampler):
    result = run(small_card(sampler=sampler), here / "out", quiet=True)
    files = {path.name for path in result.folder.iterdir()}
    logs = {"run.log", "run.jsonl", "state.json", "report.html", "report.json"}
    assert files == {"card.yaml", "sampler.mcb", "events.lhe.gz", "summary.json", "decision.json"} | logs
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary["cross_section_pb"] == pytest.approx(5.0, abs=4 * summary["cross_section_error_pb"])
    assert summary["events"] == 500
    assert summary["seed"] == 2
    assert summary["sampler"] == (sampler if sampler != "auto" else summary["decision"]["sampler"])
    assert summary["vegas"]["cross_section_pb"] == pytest.approx(
        5.0, abs=4 * summary["vegas"]["cross_section_error_pb"]
    )
    assert (summary["flow"] is not None) == (sampler == "flow")
    unweighting = summary["unweighting"]
    assert 0 < unweighting["trials_evaluated_before"] <= 10000  # the points of the integration are tried first
    evaluations = 8000 + 4000 + 10000 + unweighting["trials"] - unweighting["trials_evaluated_before"]
    evaluations += 8000 if sampler == "flow" else 0
    assert summary["amplitude_evaluations"] == pytest.approx(evaluations, rel=0.03)
    assert load_card(result.folder / "card.yaml") == small_card(sampler=sampler)
    events = list(pylhe.LHEFile.fromfile(str(result.folder / "events.lhe.gz")).events)
    assert len(events) == 500
    mean = np.mean([event.eventinfo.weight for event in events])
    assert mean == pytest.approx(summary["cross_section_pb"], rel=1e-6)


def test_same_seed_and_decision_give_the_same_events_bit_for_bit(pairs, here):
    first = run(small_card(sampler="flow"), here / "a", quiet=True)
    second = run(small_card(), here / "b", decision="flow", quiet=True)
    other = run(small_card(sampler="flow", seed=3), here / "c", quiet=True)
    events = [(result.folder / "events.lhe.gz").read_bytes() for result in (first, second, other)]

    def body(data):
        return gzip.decompress(data).partition(b"</init>")[2]

    assert body(events[0]) == body(events[1])
    assert body(events[0]) != body(events[2])
    again = run(small_card(sampler="flow"), here / "d", quiet=True)
    assert (again.folder / "events.lhe.gz").read_bytes() == events[0]


def test_a_sampler_file_is_reused_without_survey_and_training(pairs, here):
    first = run(small_card(sampler="flow"), here / "a", quiet=True)
    again = run(small_card(seed=5), here / "b", sampler_file=first.folder / "sampler.mcb", quiet=True)
    assert again.summary["training"] is None
    assert again.summary["cross_section_pb"] == pytest.approx(5.0, abs=4 * again.summary["cross_section_error_pb"])
    with pytest.raises(UserError, match=r"made for process\.pt_min = 0.0, but the card has process\.pt_min = 5.0"):
        run(
            small_card(process={"name": "ee-to-mumu", "pt_min": 5.0}),
            here / "c",
            sampler_file=first.folder / "sampler.mcb",
            quiet=True,
        )
    assert not (here / "c").exists()


def test_run_folders_are_numbered_and_never_overwritten(pairs, here):
    card = small_card(sampler="vegas", events=0)
    assert run(card, quiet=True).folder.name == "ee-to-mumu_01"
    assert run(card, quiet=True).folder.name == "ee-to-mumu_02"
    (here / "mine").mkdir()
    with pytest.raises(UserError, match="mine exists already"):
        run(card, here / "mine", quiet=True)
    assert list((here / "mine").iterdir()) == []


def always_nan(u, weight):
    return np.full_like(weight, np.nan)


def sometimes_infinite(u, weight):
    return np.where(u[:, 0] > 0.9, np.inf, weight)


def wrong_shape(u, weight):
    return weight[:-1]


def raises(u, weight):
    raise RuntimeError("no such diagram")


def vanishes(u, weight):
    return 0 * weight


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (always_nan, "not finite"),
        (sometimes_infinite, "not finite"),
        (wrong_shape, "shape"),
        (raises, "no such diagram"),
        (vanishes, "weight zero"),
    ],
)
def test_an_amplitude_that_fails_ends_the_run_in_one_sentence_and_leaves_nothing(pairs, here, broken, words):
    pairs(broken)
    with pytest.raises(UserError, match=words) as caught:
        run(small_card(), here / "out", quiet=True)
    assert "\n" not in str(caught.value)
    assert not (here / "out").exists()


def test_rare_failures_are_counted_and_reported(pairs, here):
    pairs(lambda u, weight: np.where(u[:, 1] > 0.9999, np.nan, weight))
    result = run(small_card(sampler="vegas", events=0), here / "out", quiet=True)
    assert 0 < result.summary["failures"]["not_finite"] < 20
    assert "u = (" in result.summary["failures"]["examples"][0]


def test_a_full_disk_is_told_in_one_sentence(pairs, here, monkeypatch):
    import os

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left on device"):
        run(small_card(sampler="vegas"), here / "out", quiet=True)
    assert not (here / "out").exists()


def test_the_stored_card_gives_the_same_run(pairs, here):
    first = run(small_card(sampler="vegas"), here / "a", quiet=True)
    stored = yaml.safe_load((first.folder / "card.yaml").read_text())
    assert stored["survey"]["increments"] == [64, 128, 200]
    second = run(load_card(first.folder / "card.yaml"), here / "b", quiet=True)
    assert content_hash(first.folder / "events.lhe.gz") == content_hash(second.folder / "events.lhe.gz")


def test_amplitude_errors_are_user_errors():
    assert issubclass(AmplitudeError, UserError)
