"""From which amplitude cost on a flow pays: CPU time to 100,000 unweighted events, everything included.

An artificial cost is added to every evaluation of the amplitude, in the books only: the meter counts it, the automatic
choice sees it, and the total is measured CPU time plus evaluations times cost. For every seed vegas runs once (its
points do not depend on the cost), and auto once for each cost.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.cases import CASES
from benchmarks.table import print_table, store
from mcbridge.integrands import Array, Evaluation, Integrand
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, integrate
from mcbridge.random import Streams
from mcbridge.unweighting import Quantile, largest_weights, unweight_points
from plugin.card import Card
from plugin.run.pipeline import State, decision_stage, survey_stage
from plugin.run.progress import Progress

__all__ = ["add_arguments", "run"]

COSTS = (0.0, 1.0, 10.0, 100.0, 1000.0)
LONGEST = 30.0  # CPU seconds of an unweighting after which the rest is extrapolated


class Priced(Metered):
    """An integrand whose evaluations cost ``price`` seconds more in the books."""

    def __init__(self, integrand: Integrand, price: float) -> None:
        super().__init__(integrand)
        self.price = price

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Evaluate, and add the price."""
        found = super().__call__(u, channel)
        self.cpu_seconds += self.price * len(u)
        return found


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
    for name in arguments.case or CASES:
        content[name] = {}
        seeds = range(1, arguments.pairs + 1)
        plain = [_run(CASES[name].build(), 0.0, "vegas", arguments.events, seed) for seed in seeds]
        for cost in arguments.cost or COSTS:
            priced = [_run(CASES[name].build(), cost * 1e-6, "auto", arguments.events, seed) for seed in seeds]
            seconds = {
                sampler: [run.cpu_seconds + cost * 1e-6 * run.evaluations for run in runs]
                for sampler, runs in (("auto", priced), ("vegas", plain))
            }
            taken = [run.sampler for run in priced]
            auto, vegas = median(seconds["auto"]), median(seconds["vegas"])
            within = median(a - 1.05 * v - 2.0 for a, v in zip(seconds["auto"], seconds["vegas"], strict=True)) <= 0.0
            ratio = median(a / v for a, v in zip(seconds["auto"], seconds["vegas"], strict=True))
            chosen = ", ".join(sorted(set(taken)))
            if any(run.extrapolated for run in (*plain, *priced)):
                chosen += " (extrapolated)"
            done = f"{name}, {cost:g} us: auto {auto:.3g} s ({chosen}), vegas {vegas:.3g} s"
            print(done, file=sys.stderr, flush=True)
            first = cost == (arguments.cost or COSTS)[0]
            rows.append([name if first else "", f"{cost:g}", auto, vegas, ratio, chosen, "yes" if within else "no"])
            content[name][f"{cost:g}"] = {**seconds, "ratio": ratio, "chosen": taken, "within_bound": within}
    print_table(
        f"CPU seconds to {arguments.events} unweighted events, median of {arguments.pairs} pairs",
        ["case", "us/amplitude", "auto", "vegas", "ratio", "chosen", "<= 1.05 vegas + 2 s"],
        rows,
    )
    store(arguments.json, content)


@dataclass(frozen=True)
class Run:
    """What one run took, the price of its evaluations left out, the sampler, and whether it was stopped early."""

    cpu_seconds: float
    evaluations: int
    sampler: str
    extrapolated: bool = False


def _run(integrand: Integrand, price: float, sampler: str, events: int, seed: int) -> Run:
    """From nothing to unweighted points, as ``binnis run`` does it."""
    card = Card.model_validate({"events": events, "sampler": sampler, "seed": seed, "threads": 1})
    priced = Priced(integrand, price)
    streams, guard = Streams(seed), Guard()
    start = time.process_time()
    state = State(card, priced, streams, guard, Progress(quiet=True))
    survey_stage(state)
    choice = decision_stage(state, None)
    chosen = state.flow if choice.sampler == "flow" else state.vegas
    assert chosen is not None
    n = card.integration.evaluations
    trials = integrate(priced, chosen, n, 10, streams, purpose="integration", guard=guard, keep=True).samples
    assert trials is not None
    weights = [trials.event_weights[trials.channel == channel] for channel in range(priced.channels)]
    w_max = largest_weights(weights, Quantile(1e-3), streams.generator("largest weight policy"))
    before, evaluated = time.process_time(), priced.evaluations
    stream = unweight_points(priced, chosen, w_max, events, streams, guard=guard, max_trials=10**10, trials=trials)
    made = 0
    for part in stream:
        made += len(part.weight)
        if made < events and time.process_time() - before > LONGEST:
            # What is left takes as long in proportion; the stored trials are used up by then.
            done = made / events
            seconds, points = time.process_time() - before, priced.evaluations - evaluated
            return Run(before - start + seconds / done, evaluated + round(points / done), choice.sampler, True)
    if made < events:
        raise RuntimeError(f"{made} events were made instead of {events}")
    return Run(time.process_time() - start, priced.evaluations, choice.sampler)
