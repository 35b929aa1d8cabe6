"""Uncertainties in the main job: from the run card to the event file, and where there are none."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.lhe import read
from mcbridge.samplers import Sampler
from plugin.card import Card
from plugin.run import pipeline, run
from tests.plugin.run.test_run import Pairs, small_card


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pipeline, "build_process", lambda card: Pairs())
    return tmp_path


def card(**uncertainties):
    entries = uncertainties.pop("card", {})
    return small_card(**{"sampler": "flow", "uncertainties": {"replicas": 8, **uncertainties}, **entries})


def events(result):
    return read(result.folder / "events.lhe.gz")


def test_every_event_carries_replica_weights_and_sigma_stat(here):
    result = run(card(), here / "out", quiet=True)
    file = events(result)
    found = file.load()
    assert file.weight_ids == {"binn": tuple(f"binn_{m:03d}" for m in range(1, 9))}
    ratios = np.stack([found.weights[f"binn_{m:03d}"] / found.weight for m in range(1, 9)])
    assert ratios.mean(axis=0) == pytest.approx(np.ones(500), abs=1e-5)
    assert found.attributes["sigma_stat"] == pytest.approx(ratios.std(axis=0, ddof=1), rel=1e-4)
    assert 0.0 < np.median(found.attributes["sigma_stat"]) < 0.3
    header = json.loads(file.header["binn"])
    assert header["mode"] == "exact"
    assert header["replicas"] == 8
    assert header["prior"]["width"] == 1.0
    assert header["calibration"]["central"]["calibrated"]["68"] == pytest.approx(0.68, abs=0.06)
    assert set(header["calibration"]["calibration_factor"]) == {"68", "95"}
    summary = json.loads((result.folder / "summary.json").read_text())
    assert summary["uncertainties"]["calibration"] == header["calibration"]
    replicas = Sampler.load(result.folder / "sampler.mcb").replicas
    assert len(replicas) == 8


def test_events_and_their_weights_are_those_of_a_run_without_uncertainties(here):
    """Neither the Bayesian flow nor the calibration costs an evaluation or changes an event."""
    runs = {
        name: run(card(**settings), here / name, quiet=True)
        for name, settings in {"with": {}, "sigma": {"weights": False}, "without": {"replicas": 0}}.items()
    }
    loaded = {name: events(result).load() for name, result in runs.items()}
    for found in loaded.values():
        assert np.array_equal(found.momenta, loaded["without"].momenta)
        assert np.array_equal(found.weight, loaded["without"].weight)
    assert not loaded["without"].attributes
    assert not loaded["without"].weights
    assert list(loaded["sigma"].attributes) == ["sigma_stat"]
    assert not loaded["sigma"].weights
    assert np.array_equal(loaded["sigma"].attributes["sigma_stat"], loaded["with"].attributes["sigma_stat"])
    assert len({result.summary["amplitude_evaluations"] for result in runs.values()}) == 1
    assert runs["without"].summary["uncertainties"]["note"] == "switched off in the run card"


def test_vegas_events_have_uncertainties_where_the_card_insists(here):
    without = run(card(card={"sampler": "vegas"}), here / "auto", quiet=True)
    assert without.summary["uncertainties"]["note"] == "no flow was trained"
    assert not events(without).load().attributes
    insisting = run(card(enabled=True, card={"sampler": "vegas"}), here / "true", quiet=True)
    found = events(insisting).load()
    assert np.array_equal(found.momenta, events(without).load().momenta)
    assert 0.0 < np.median(found.attributes["sigma_stat"]) < 0.5


def test_replicas_of_a_sampler_file_are_used_again(here):
    first = run(card(), here / "a", quiet=True)
    again = run(card(replicas=4), here / "b", sampler_file=first.folder / "sampler.mcb", quiet=True)
    assert again.summary["uncertainties"]["replicas"] == 4
    assert np.array_equal(
        Sampler.load(again.folder / "sampler.mcb").replicas.parameters,
        Sampler.load(first.folder / "sampler.mcb").replicas.parameters[:4],
    )
    assert np.all(events(again).load().attributes["sigma_stat"] > 0.0)
    plain = run(card(enabled=False), here / "c", quiet=True)
    none = run(card(), here / "d", sampler_file=plain.folder / "sampler.mcb", quiet=True)
    assert none.summary["uncertainties"]["note"] == "the sampler file holds no replicas"


def test_a_signed_integrand_gets_none_and_says_so(here, monkeypatch):
    def signed(u, weight):
        return np.where(u[:, 0] < 0.2, -weight, weight)

    monkeypatch.setattr(pipeline, "build_process", lambda card: Pairs(signed))
    result = run(card(), here / "auto", quiet=True)
    assert "event weights are negative" in result.summary["uncertainties"]["note"]
    assert not events(result).load().attributes
    with pytest.raises(UserError, match="event weights are negative"):
        run(card(enabled=True), here / "true", quiet=True)


def test_one_replica_is_refused_by_the_card():
    with pytest.raises(ValueError, match="one replica has no spread"):
        Card.model_validate({"uncertainties": {"replicas": 1}})


class PairsWithCuts(Pairs):
    """A process that knows all its points to be inside."""

    def inside(self, u, channel):
        return np.ones(len(u), dtype=bool)


def test_surrogate_events_come_from_the_flow_alone_and_are_marked(here, monkeypatch):
    monkeypatch.setattr(pipeline, "build_process", lambda card: PairsWithCuts())
    exact = run(card(), here / "exact", quiet=True)
    result = run(card(card={"mode": "surrogate"}), here / "surrogate", quiet=True)
    assert result.summary["mode"] == "surrogate"
    # 500 events cost no evaluation beyond those that fixed the largest weight
    trials = exact.summary["unweighting"]
    assert exact.summary["amplitude_evaluations"] - result.summary["amplitude_evaluations"] == (
        trials["trials"] - trials["trials_evaluated_before"]
    )
    file = events(result)
    assert json.loads(file.header["binn"])["mode"] == "surrogate"
    assert json.loads(file.header["binnis"])["figures"]["mode"] == "surrogate"
    found = file.load()
    assert found.weight == pytest.approx(np.full(500, result.summary["cross_section_pb"]))
    cos = found.momenta[:, 2, 3] / 50.0
    assert ((1 + cos) / 2).mean() == pytest.approx(0.75, abs=4 * np.sqrt(3 / 80 / 500) + 0.03)  # of 3 u^2
    with pytest.raises(ValueError, match="draws events from the Bayesian flow"):
        card(replicas=0, card={"mode": "surrogate"})


def test_a_process_without_a_test_of_its_cuts_has_no_surrogate(here):
    with pytest.raises(UserError, match="does not know which points lie inside its cuts"):
        run(card(card={"mode": "surrogate"}), here / "out", quiet=True)
