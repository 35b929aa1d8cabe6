"""The choice: what costs less CPU time wins, and a flow that cannot repay its training is not trained."""

import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from mcbridge.errors import UserError
from mcbridge.integrands import Evaluation
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard
from mcbridge.random import Streams
from mcbridge.samplers import survey
from plugin.card import Card
from plugin.choice import Figures, Goal, decide, decide_early, figures_of_channels, load_decision, measured_figures
from plugin.run.choose import choice_stage
from plugin.run.progress import Progress
from plugin.run.state import State


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


def test_a_comparison_grows_with_the_time_that_it_decides():
    goal = Goal(100_000, 200_000)
    # 100,000 events at 10%: a million evaluations are left, of which flow and VEGAS may take 1% together.
    assert goal.points_to_compare(figures(0.1, 1.0), figures(0.05, 1.0)) == 5000
    # The cheaper of the two says what is at stake: ten million evaluations.
    assert goal.points_to_compare(figures(0.001, 20.0), figures(0.01, 10.0)) == 50_000
    # Its points are dear, those of VEGAS cost next to nothing.
    assert goal.points_to_compare(figures(1e-6, 20.0, 1e-9), figures(0.01, 10.0, 1e-6)) == 99_900
    # Without any event of either, everything is at stake.
    assert goal.points_to_compare(figures(0.0, 30.0), figures(0.0, 10.0)) == 2_000_000


def test_figures_of_parts_are_those_of_a_run_that_takes_its_largest_weight_from_one():
    parts = [figures(0.01, 3.0), figures(0.03, 4.0)]
    found = Figures.mean_of(parts)
    assert found.points == 200_000
    assert 1 / found.efficiency == pytest.approx((100 + 100 / 3) / 2)  # the mean number of trials
    assert found.rsd == pytest.approx(np.sqrt((9 + 16) / 2))
    assert found.error == pytest.approx(0.01 / np.sqrt(2))
    weights = np.random.default_rng(8).exponential(2.0, (4, 50_000))
    together = figures_of_channels([weights.ravel()], 1e-6)
    mean = Figures.mean_of([figures_of_channels([part], 1e-6) for part in weights])
    for name in ("mean", "error", "rsd", "kish"):
        assert getattr(mean, name) == pytest.approx(getattr(together, name), rel=1e-3)


class Spikes:
    """The unit square, a hundred times as high at one point in 1,000: an efficiency of 1.1%."""

    name, dim, channels, periodic, discrete = "spikes", 2, 1, (), ()

    def __call__(self, u, channel):
        return Evaluation(np.where(u[:, 0] * 5000 % 1 < 1e-3, 100.0, 1.0))


def test_a_run_compares_with_more_points_where_events_are_dear(caplog):
    card = Card.model_validate(
        {
            "events": 200_000,
            "integration": {"evaluations": 20_000},
            "choice": {"evaluations": 2000},
            "survey": {"evaluations": 2000},
        }
    )
    state = State(card, Metered(Spikes()), Streams(3), Guard(), Progress(quiet=True))
    state.vegas = state.flow = survey(state.process, 2000, state.streams).sampler
    state.figures_of_vegas, _ = state.figures(state.vegas, "choice vegas")
    pinned = choice_stage(state, "flow", None)
    assert pinned.figures["flow"].points == 2000  # nothing to decide
    with caplog.at_level("INFO"):
        decision = choice_stage(state, None, None)
    assert "fresh points more" in caplog.text
    for found in decision.figures.values():
        # Where both cost alike, 0.5% of 200,000 / 0.011 are 90,000 points each, four blocks of the integration. Prices
        # are measured, and scatter on a busy machine.
        assert found.points % 20_000 == 0
        assert 40_000 <= found.points <= 200_000
        assert found.efficiency == pytest.approx(0.011, rel=0.3)  # the grid of the survey is not quite flat
    assert len(state.fresh) == 20_000


def test_the_price_of_a_point_is_that_of_the_points_measured():
    """Dear evaluations of an earlier stage do not make the points of a sampler dear that avoids them."""
    process = Metered(Spikes())
    process.cpu_seconds, process.evaluations = 1000.0, 1000
    sampler = survey(Spikes(), 2000, Streams(1)).sampler
    found, _ = measured_figures(process, sampler, 2000, Streams(1), "here", Guard())
    assert found.seconds_per_point < 1e-2
