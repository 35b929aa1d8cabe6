"""``binnis sherpa run`` on the real Sherpa, with a small training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.lhe import read
from sherpa_interface.run import Settings, run_card

SMALL = Settings(evaluations=60_000, choice=20_000, integration=60_000, replicas=4, quiet=True)


@pytest.fixture(scope="module")
def done(program, card, tmp_path_factory):
    """One run that insists on the flow."""
    settings = Settings(**{**SMALL.__dict__, "sampler": "flow", "events": 500, "seed": 5})
    return run_card(card, settings, tmp_path_factory.mktemp("runs") / "flow", program)


def test_the_flow_gives_sherpas_cross_section_with_less_spread(done):
    content = json.loads((done.folder / "summary.json").read_text())
    assert content == done.summary
    difference = content["cross_section_pb"] - content["own_cross_section_pb"]
    error = np.hypot(content["cross_section_error_pb"], content["own_cross_section_error_pb"])
    assert abs(difference) < 4.0 * error
    assert error < 0.01 * content["cross_section_pb"]
    (process,) = content["processes"]
    assert content["sampler"] == process["decision"]["sampler"] == "flow"
    assert process["flow"]["relative_std"] < 0.9 * process["vegas"]["relative_std"]


def test_the_events_carry_the_cross_section_and_replica_weights(done):
    """The sum of the weights over the trials is the cross section; every event has four weights around its own."""
    (events,) = read(done.folder / "events.lhe.gz")
    assert len(events.weight) == done.summary["events"] == 500
    trials = events.attributes["trials"]
    found = np.sum(events.weight) / np.sum(trials)
    assert found == pytest.approx(done.summary["cross_section_of_the_events_pb"], rel=1e-6)
    error = done.summary["cross_section_of_the_events_error_pb"]
    assert abs(found - done.summary["cross_section_pb"]) < 4.0 * error
    assert sorted(events.weights) == [f"binn_{number:03d}" for number in range(1, 5)]
    ratios = np.stack([events.weights[name] / events.weight for name in sorted(events.weights)])
    assert np.all(ratios > 0.0)
    np.testing.assert_allclose(ratios.mean(0), 1.0, atol=1e-4)  # by definition, up to the printed digits
    spread = ratios.std(0, ddof=1)
    np.testing.assert_allclose(spread, events.attributes["sigma_stat"], rtol=2e-2, atol=1e-4)
    assert np.median(spread) > 0.0
    momenta = events.momenta
    np.testing.assert_allclose(momenta[:, :2].sum(1), momenta[:, 2:].sum(1), atol=1e-6)


def test_what_is_left_in_the_folder(done):
    names = {path.name for path in done.folder.iterdir()}
    assert names == {
        "Sherpa.yaml", "decision.json", "events.lhe.gz", "generation", "optimisation", "run.log", "sampler.mcb",
        "summary.json", "report.html", "report.json",
    }  # fmt: skip


def test_auto_leaves_few_events_to_sherpas_own_mapping(program, card, tmp_path):
    settings = Settings(**{**SMALL.__dict__, "sampler": "auto", "events": 50})
    result = run_card(card, settings, tmp_path / "run", program)
    assert result.summary["sampler"] == "vegas"
    assert result.summary["events"] == 50
    assert result.cross_sections == result.own
    assert "training a flow would cost" in result.summary["processes"][0]["decision"]["reason"]


def test_a_failed_run_leaves_sherpas_log_and_nothing_else(program, card, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(card.read_text().replace("VAR{Abs2(p[0]+p[1])}", "VAR{nonsense(p[0])}"))
    with pytest.raises(UserError, match="Sherpa ended with an error: Cannot recover node pointer") as told:
        run_card(wrong, SMALL, tmp_path / "run", program)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run").exists()
