"""What ``binnis validate`` finds and what it does not: weights that are wrong on purpose, and honest samplers."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import print_table, store
from mcbridge import core
from mcbridge.core import FlowSpec
from mcbridge.integrands import Array, Evaluation
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import IntArray
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from plugin.card import Card, load_card
from plugin.run.process import build_process
from plugin.training import TrainingConfig, train
from plugin.validate.runs import DEFAULT_POINTS
from plugin.validate.two_samplers import compare_samplers

__all__ = ["add_arguments", "run"]

CARDS = ("drell_yan", "zprime")


class Wrong(Sampler):
    """A sampler whose reported density or channel weights are off by a factor.

    Arguments:
        sampler: the honest one.
        density: factor (n,) of the density it reports, from points and channel; None for none.
        alpha: factor (channels,) of its channel weights; None for none.
    """

    def __init__(
        self, sampler: Sampler, density: Callable[[Array, int], Array] | None = None, alpha: Array | None = None
    ) -> None:
        super().__init__(sampler.channels, sampler.channel_weights, sampler.metadata, sampler.active, sampler.replicas)
        self.wrong_density, self.wrong_alpha = density, alpha

    def draw(self, channel: int, n: int, generator: Any, threads: int = 1) -> tuple[Array, Array]:
        u, density = super().draw(channel, n, generator, threads)
        return u, density if self.wrong_density is None else density * self.wrong_density(u, channel)

    def density(self, channel: int, u: Array, threads: int = 1) -> Array:
        density = super().density(channel, u, threads)
        return density if self.wrong_density is None else density * self.wrong_density(u, channel)

    def alpha(self, evaluation: Evaluation) -> Array | None:
        alpha = super().alpha(evaluation)
        return alpha if self.wrong_alpha is None or alpha is None else alpha * self.wrong_alpha


def untrained(sampler: Sampler, seed: int) -> Sampler:
    """Flows of random parameters in a mixture with 5% VEGAS: bad, and honest about it."""
    generator = np.random.default_rng(seed)
    channels = []
    for channel in sampler.channels:
        spec = FlowSpec(channel.dim, blocks=4, hidden=16, layers=3, bins=8)
        parameters = (0.3 * generator.standard_normal(spec.parameters)).astype(np.float32)
        channels.append(core.ChannelSampler(channel.dim, channel.grid, channel.cells, spec, parameters, 0.05))
    return Sampler(channels, None, sampler.metadata, sampler.active)


def hole(process: Metered, sampler: Sampler, share: float) -> Callable[[Array, int], Array]:
    """Infinite density in a region of the second coordinate, from 0.4 on, that holds a share of the cross section."""
    coordinates: list[Array] = []
    weights: list[Array] = []
    for channel in range(process.channels):
        u, density = sampler.draw(channel, 50_000, np.random.default_rng(channel))
        evaluation = process(u, channel)
        alpha = sampler.alpha(evaluation)
        coordinates.append(u[:, 1])
        weights.append(evaluation.weight / density * (1.0 if alpha is None else alpha[:, channel]))
    where, weight = np.concatenate(coordinates), np.concatenate(weights)
    order = np.argsort(where)
    start: IntArray = np.searchsorted(where[order], 0.4)
    carried = np.cumsum(weight[order][start:]) / np.sum(weight)
    end = where[order][start + int(np.searchsorted(carried, share))]
    return lambda u, channel: np.where((u[:, 1] >= 0.4) & (u[:, 1] < end), 1e300, 1.0)


def faults(process: Metered, flow: Sampler) -> dict[str, Sampler]:
    """What must be found, by its description."""
    wrong: dict[str, Sampler] = {}
    for axis in range(process.dim):
        wrong[f"density off by 1 + 0.05 (2 u{axis + 1} - 1)"] = Wrong(
            flow, lambda u, channel, axis=axis: 1.0 + 0.05 * (2.0 * u[:, axis] - 1.0)
        )  # type: ignore[misc]
    wrong["weight 0 in 2% of the cross section"] = Wrong(flow, hole(process, flow, 0.02))
    for channel in range(process.channels if process.channels > 1 else 0):
        factor = np.where(np.arange(process.channels) == channel, 1.05, 1.0)
        wrong[f"channel weight {channel + 1} off by 5%"] = Wrong(flow, alpha=factor)
        wrong[f"density of channel {channel + 1} off by 5%"] = Wrong(
            flow, lambda u, index, channel=channel: np.full(len(u), 1.0 / 1.05 if index == channel else 1.0)
        )  # type: ignore[misc]
    return wrong


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--honest", type=int, default=20, help="honest comparisons, trained and untrained flows [20]")
    parser.add_argument("--points", type=int, default=DEFAULT_POINTS, help=f"points of each sampler [{DEFAULT_POINTS}]")
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults [1]")


def samplers(card: Card, process: Metered, seed: int) -> tuple[Sampler, Sampler]:
    """VEGAS adapted by itself, and a flow trained on top of another survey."""
    streams = Streams(seed)
    reference = survey(process, card.survey.evaluations, streams, purpose="survey alone").sampler
    first = survey(process, card.survey.evaluations, streams)
    config = TrainingConfig(steps=400, fine_tuning_steps=200)
    return reference, train(process, first.sampler, first.samples, config, streams, 100_000).sampler


def run(arguments: argparse.Namespace) -> None:
    """Faults first, then honest comparisons; two tables."""
    rows: list[list[Any]] = []
    honest: list[list[Any]] = []

    def compared(name: str, process: Metered, pair: tuple[Sampler, Sampler], seed: int, what: str) -> list[Any]:
        print(f"{name}: {what}", file=sys.stderr)
        start = time.process_time()
        found = compare_samplers(process, *pair, arguments.points, Streams(seed)).verdict
        seconds = time.process_time() - start
        verdict = "agree" if found.agree else "disagree"
        return [name, what, verdict, found.smallest, ", ".join(found.disagreeing[:3]), len(found.tests), seconds]

    folder = Path(__file__).parents[1] / "examples"
    cards = {name: load_card(folder / f"{name}.yaml") for name in CARDS}
    processes = {name: Metered(build_process(card.process)) for name, card in cards.items()}
    for name, process in processes.items():
        reference, flow = samplers(cards[name], process, arguments.seed)
        for what, wrong in faults(process, flow).items():
            rows.append(compared(name, process, (reference, wrong), arguments.seed, what))
    for index in range(arguments.honest):
        name = CARDS[index % len(CARDS)]
        process, seed = processes[name], 100 + arguments.seed + index
        reference, flow = samplers(cards[name], process, seed)
        bad = index % 4 >= 2
        what = "untrained flow" if bad else "trained flow"
        candidate = untrained(flow.vegas(), seed) if bad else flow
        honest.append(compared(name, process, (reference, candidate), seed, what))
    columns = ["card", "what", "verdict", "smallest corrected p", "named first", "tests", "CPU s"]
    print_table("wrong on purpose: must disagree", columns, rows)
    print_table("honest: at most 1% may disagree", columns, honest)
    missed, alarms = sum(row[2] == "agree" for row in rows), sum(row[2] == "disagree" for row in honest)
    print(f"missed {missed} of {len(rows)} faults; {alarms} false alarms in {len(honest)} honest comparisons")
    store(arguments.json, {"faults": rows, "honest": honest, "missed": missed, "alarms": alarms})
