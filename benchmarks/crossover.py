"""From which amplitude cost on a flow pays: CPU time to 100,000 unweighted events, everything included.

An artificial cost is added to every evaluation of the amplitude, in the books only: the total is measured CPU time plus
evaluations times cost. The price changes what is decided and nothing else (the same seed draws the same points), so
that every part of a run is done once for a seed and enters the totals of all prices whose decisions ask for it.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from benchmarks.cases import CASES
from benchmarks.table import print_table, store
from mcbridge.integrands import Integrand
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.unweighting import Quantile, largest_weights, unweight_points
from plugin.card import Card
from plugin.choice import Figures, decide
from plugin.run.choose import choice_stage, early_decision, survey_stage, training_stage
from plugin.run.progress import Progress
from plugin.run.state import State

__all__ = ["add_arguments", "run"]

COSTS = (0.0, 1.0, 10.0, 100.0, 1000.0)
LONGEST = 10.0  # CPU seconds of an unweighting after which the rest is extrapolated


@dataclass(frozen=True)
class Part:
    """What a part of a run took, the price of its evaluations left out."""

    cpu_seconds: float
    evaluations: int
    extrapolated: bool = False

    def __add__(self, other: Part) -> Part:
        return Part(
            self.cpu_seconds + other.cpu_seconds,
            self.evaluations + other.evaluations,
            self.extrapolated or other.extrapolated,
        )

    def total(self, price: float) -> float:
        """Seconds, at a price of an evaluation."""
        return self.cpu_seconds + price * self.evaluations


@dataclass(frozen=True)
class Outcome:
    """auto and vegas at one price and seed: seconds, the sampler that auto chose, and whether time was extrapolated."""

    auto: float
    vegas: float
    chosen: str
    extrapolated: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--case", action="append", choices=list(CASES), help="only these cases (repeatable)")
    parser.add_argument("--cost", action="append", type=float, metavar="US", help="amplitude cost in us (repeatable)")
    parser.add_argument("--events", type=int, default=100_000, help="unweighted events [100000]")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs; the median is printed [5]")


def run(arguments: argparse.Namespace) -> None:
    """Run the cases, print one table."""
    import torch  # before the clock starts: its import is a second that every process pays once

    torch.set_num_threads(1)
    rows: list[list[Any]] = []
    content: dict[str, Any] = {}
    costs = arguments.cost or COSTS
    for name in arguments.case or CASES:
        content[name] = {}
        found = []
        for seed in range(1, arguments.pairs + 1):
            found.append(_pair(CASES[name].build(), [cost * 1e-6 for cost in costs], arguments.events, seed))
            done = ", ".join(f"{c:g} us: {o.auto:.3g}/{o.vegas:.3g} s" for c, o in zip(costs, found[-1], strict=True))
            print(f"{name}, seed {seed}: {done}", file=sys.stderr, flush=True)
        for index, cost in enumerate(costs):
            pairs = [outcomes[index] for outcomes in found]
            auto, vegas = median(p.auto for p in pairs), median(p.vegas for p in pairs)
            within = median(p.auto - 1.05 * p.vegas - 2.0 for p in pairs) <= 0.0
            ratio = median(p.auto / p.vegas for p in pairs)
            chosen = ", ".join(sorted({p.chosen for p in pairs}))
            if any(p.extrapolated for p in pairs):
                chosen += " (extrapolated)"
            first = name if index == 0 else ""
            rows.append([first, f"{cost:g}", auto, vegas, ratio, chosen, "yes" if within else "no"])
            content[name][f"{cost:g}"] = {
                "auto": [p.auto for p in pairs],
                "vegas": [p.vegas for p in pairs],
                "ratio": ratio,
                "chosen": [p.chosen for p in pairs],
                "within_bound": within,
            }
    print_table(
        f"CPU seconds to {arguments.events} unweighted events, median of {arguments.pairs} pairs",
        ["case", "us/amplitude", "auto", "vegas", "ratio", "chosen", "<= 1.05 vegas + 2 s"],
        rows,
    )
    store(arguments.json, content)


class _Clock:
    """Cuts a run into parts."""

    def __init__(self, process: Metered) -> None:
        self.process = process
        self.start, self.evaluations = time.process_time(), process.evaluations

    def part(self) -> Part:
        """What was done since the last part."""
        now, evaluations = time.process_time(), self.process.evaluations
        found = Part(now - self.start, evaluations - self.evaluations)
        self.start, self.evaluations = now, evaluations
        return found


def _pair(integrand: Integrand, prices: list[float], events: int, seed: int) -> list[Outcome]:
    """auto and vegas at every price, from nothing to unweighted points, as ``binnis run`` does it."""
    card = Card.model_validate({"events": events, "seed": seed, "threads": 1})
    process = Metered(integrand)
    state = State(card, process, Streams(seed), Guard(), Progress(quiet=True))
    clock = _Clock(process)
    survey_stage(state)
    assert state.vegas is not None
    start = clock.part()
    figures, _ = state.figures(state.vegas, "choice vegas")
    untrained = start + clock.part()
    with_vegas = _generate(process, state.vegas, card, seed)
    goal = state.goal
    early = [early_decision(state, _dearer(figures, price)) is not None for price in prices]
    trained = with_flow = with_vegas
    measured: dict[str, Figures] = {}
    if not all(early):
        clock = _Clock(process)
        # Measures VEGAS once more, on the same points.
        decision = choice_stage(state, None, training_stage(state, "flow"))
        trained = start + clock.part()
        measured = decision.figures
        if "flow" in measured:
            assert state.flow is not None
            with_flow = _generate(process, state.flow, card, seed)
    outcomes = []
    for price, stopped in zip(prices, early, strict=True):
        part, chosen = untrained + with_vegas, "vegas"
        if not stopped:
            if "flow" in measured:
                chosen = decide(_dearer(measured["vegas"], price), _dearer(measured["flow"], price), goal).sampler
            part = trained + (with_flow if chosen == "flow" else with_vegas)
        plain = untrained + with_vegas
        outcomes.append(Outcome(part.total(price), plain.total(price), chosen, part.extrapolated or plain.extrapolated))
    return outcomes


def _dearer(figures: Figures, price: float) -> Figures:
    return replace(figures, seconds_per_point=figures.seconds_per_point + price)


def _generate(process: Metered, sampler: Sampler, card: Card, seed: int) -> Part:
    """Integration and unweighting."""
    streams, guard, clock = Streams(seed), Guard(), _Clock(process)
    n = card.integration.evaluations
    trials = integrate(process, sampler, n, 10, streams, purpose="integration", guard=guard, keep=True).samples
    assert trials is not None
    weights = [trials.event_weights[trials.channel == channel] for channel in range(process.channels)]
    w_max = largest_weights(weights, Quantile(1e-3), streams.generator("largest weight policy"))
    integrated = clock.part()
    begin, made, used = time.process_time(), 0, process.evaluations
    given = 0  # events that the stored trials gave for nothing
    stream = unweight_points(
        process, sampler, w_max, card.events, streams, guard=guard, max_trials=10**10, trials=trials
    )
    for part in stream:
        made += len(part.weight)
        if process.evaluations == used:
            begin, given = time.process_time(), made
        elif given < made < card.events and time.process_time() - begin > LONGEST:
            # What is left takes as long in proportion to the events that were paid for.
            share = (made - given) / (card.events - given)
            spent, evaluated = time.process_time() - begin, process.evaluations - used
            return integrated + Part(spent / share, round(evaluated / share), True)
    if made < card.events:
        raise RuntimeError(f"{made} events were made instead of {card.events}")
    return integrated + clock.part()
