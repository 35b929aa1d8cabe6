"""The choice: what costs less CPU time wins, and a flow that cannot repay its training is not trained."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from mcbridge.errors import UserError
from plugin.choice import Figures, Goal, decide, decide_early, figures_of_channels, load_decision


def figures(efficiency, rsd, seconds=1e-6):
    return Figures(100_000, 1.0, 0.01, rsd, efficiency, 0.5, seconds)


def test_cheap_amplitudes_do_not_train():
    decision = decide_early(figures(0.2, 1.0, 1e-6), Goal(10_000, 100_000), 30.0, 100_000)
    assert decision is not None
    assert decision.sampler == "vegas"
    assert "perfect flow" in decision.reason


def test_expensive_amplitudes_train():
    assert decide_early(figures(0.01, 3.0, 1e-3), Goal(100_000, 100_000), 30.0, 100_000) is None


def test_break_even_of_the_early_decision_counts_training_and_its_evaluations():
    # integral only: VEGAS pays 1e6 x 1 ms = 1000 s; training costs 30 s and 1e6 evaluations of 1 ms
    assert decide_early(figures(0.1, 1.0, 1e-3), Goal(0, 1_000_000), 30.0, 1_000_000) is not None
    usual = decide_early(figures(0.1, 1.0, 1e-3), Goal(0, 1_000_000), 30.0, 960_000)
    assert "seldom" in usual.reason  # a perfect flow would do, but not one of a ninth of the variance
    assert decide_early(figures(0.1, 1.0, 1e-3), Goal(0, 1_000_000), 30.0, 870_000) is not None
    assert decide_early(figures(0.1, 1.0, 1e-3), Goal(0, 1_000_000), 30.0, 850_000) is None


def test_the_cheaper_sampler_wins_and_sunk_training_does_not_count():
    goal = Goal(100_000, 100_000)
    assert decide(figures(0.1, 1.0), figures(0.5, 0.3), goal).sampler == "flow"
    # the flow's points cost ten times as much: its better efficiency does not pay
    assert decide(figures(0.1, 1.0), figures(0.5, 0.9, 1e-5), goal).sampler == "vegas"


def test_figures_of_one_channel_match_their_definitions():
    weights = np.random.default_rng(5).exponential(2.0, 200_000)
    found = figures_of_channels([weights], 1e-6)
    assert found.mean == pytest.approx(weights.mean())
    assert found.rsd == pytest.approx(weights.std() / weights.mean())
    assert found.error == pytest.approx(weights.std() / np.sqrt(len(weights)), rel=1e-4)
    # exponential weights: excess above w_max is exp(-w_max/2) of the total, so w_max = -2 ln(1e-3)
    assert found.efficiency == pytest.approx(1 / np.log(1e3), rel=0.05)
    assert found.kish == pytest.approx(0.5, rel=0.02)


def test_multi_channel_figures_are_sums_over_channels():
    generator = np.random.default_rng(6)
    first, second = generator.uniform(0, 2, 100_000), generator.uniform(0, 6, 50_000)
    found = figures_of_channels([first, second], 1e-6)
    assert found.mean == pytest.approx(4.0, rel=0.01)
    assert found.rsd == pytest.approx((2 + 6) / np.sqrt(12) / 4, rel=0.01)
    assert found.efficiency == pytest.approx(0.5, rel=0.05)


def test_a_decision_is_a_table_in_a_terminal_and_in_a_notebook():
    decision = decide(figures(0.1, 2.0), figures(0.9, 0.2), Goal(1000, 1000))
    page = decision._repr_html_()
    assert "flow (chosen)" in page
    assert decision.reason in page
    console = Console(width=140, file=StringIO())
    console.print(decision)
    printed = console.file.getvalue()
    assert "flow (chosen)" in printed
    assert "time to the goal" in printed


def test_a_stored_decision_can_be_read_from_decision_and_summary(tmp_path):
    for content in ({"sampler": "flow"}, {"decision": {"sampler": "flow"}}):
        path = tmp_path / "decision.json"
        path.write_text(json.dumps(content))
        assert load_decision(path) == "flow"


@pytest.mark.parametrize("text", ["{", "[]", '{"sampler": "madnis"}', "{}"])
def test_a_file_without_decision_is_refused(tmp_path, text):
    path = tmp_path / "decision.json"
    path.write_text(text)
    with pytest.raises(UserError, match=r"decision\.json"):
        load_decision(path)


def test_where_vegas_has_no_variance_nothing_is_trained():
    """A constant integrand: the time of VEGAS is finite, and no flow can win."""
    decision = decide_early(figures(1.0, 0.0, 1e-3), Goal(0, 100_000), 30.0, 10_000)
    assert decision is not None
    assert decision.seconds["vegas"] == pytest.approx(100.0)
    assert decide(figures(1.0, 0.0), figures(0.9, 0.01), Goal(0, 1000)).sampler == "vegas"
