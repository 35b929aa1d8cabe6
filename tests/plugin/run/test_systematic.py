"""``uncertainties.systematic`` in a run card: events with ``sigma_syst``."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.lhe import read
from plugin.card import Card
from plugin.card.load import load_card
from plugin.run import resume, run

VARIATION = """
import numpy as np


def tilt(momenta, flavours, a):
    assert flavours == (-11, 11)
    return 1.0 + a * np.tanh(momenta[:, 0, 3] / 100.0)


def broken(momenta, flavours, a):
    return momenta[:, 7, 3]
"""


def card_of(folder, function="tilt", **changes):
    (folder / "variation.py").write_text(VARIATION)
    systematic = {"function": f"variation.py:{function}", "span": (-0.5, 0.5)}
    content = {
        "process": "drell-yan", "sampler": "vegas", "events": 10_000, "seed": 3,
        "survey": {"evaluations": 20_000}, "choice": {"evaluations": 5000}, "integration": {"evaluations": 20_000},
        "uncertainties": {"systematic": systematic}, **changes,
    }  # fmt: skip
    return Card.model_validate(content)


def test_events_carry_half_the_envelope(tmp_path, monkeypatch):
    """The variation keeps the cross section, so that p(x|a)/p(x|0) is the factor: half the envelope is 0.5 |tanh|."""
    monkeypatch.chdir(tmp_path)
    result = run(card_of(tmp_path), tmp_path / "out", quiet=True)
    events = read(result.events).load()
    assert len(events) == 10_000
    pz = events.momenta[:, 2:, 3][events.pdg_ids[:, 2:] == -11]
    # The mean of the factors is 1 within 0.005 (10,000 events).
    assert events.attributes["sigma_syst"] == pytest.approx(0.5 * np.abs(np.tanh(pz / 100.0)), abs=0.02)
    text = gzip.decompress(result.events.read_bytes()).decode()
    assert '"function": "variation.py:tilt"' in text[: text.index("</header>")]
    assert result.summary["unweighting"]["systematic"]["groups"] == [{"final_state": "e+ e-", "events": 10_000}]

    monkeypatch.undo()  # the other one has no such weights, and the same events
    plain = card_of(tmp_path).model_copy(update={"uncertainties": Card().uncertainties})
    other = gzip.decompress(run(plain, tmp_path / "plain", quiet=True).events.read_bytes()).decode()
    start = text.index("<init>")
    assert re.sub(' sigma_syst="[^"]*"', "", text[start:]) == other[other.index("<init>") :]


def test_mistakes_show_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no function 'tild'; did you mean 'tilt'"):
        run(card_of(tmp_path, "tild"), tmp_path / "out", quiet=True)
    assert not (tmp_path / "out").exists()
    (tmp_path / "card.yaml").write_text("process: drell-yan\nuncertainties: {systematic: {span: [1, 2]}}\n")
    with pytest.raises(UserError, match=r"nominal is 0; it must lie in the span, 1 to 2"):
        load_card(tmp_path / "card.yaml")


def test_a_function_that_fails_is_named_and_the_run_can_go_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"uncertainties.systematic.function: variation.py:broken failed for e\+ e-"):
        run(card_of(tmp_path, "broken"), tmp_path / "out", quiet=True)
    (tmp_path / "variation.py").write_text(VARIATION.replace("momenta[:, 7, 3]", "1.0 + 0.0 * a"))
    monkeypatch.undo()  # relative paths start where the run was begun
    events = read(resume(tmp_path / "out", quiet=True).events).load()
    assert np.all(events.attributes["sigma_syst"] < 1e-9)
