"""What each part of the training recipe is worth: one setting changed at a time, at equal amplitude evaluations."""

from __future__ import annotations

import argparse
import sys
from statistics import median
from typing import Any

import numpy as np

from benchmarks.cases import CASES, Case, Density
from benchmarks.peers import FRESH, binnis_weights
from benchmarks.table import print_table, store
from mcbridge.integrands import Array, Integrand
from mcbridge.integration import fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import survey
from plugin.choice import figures_of_channels
from plugin.training.cost import split_budget

__all__ = ["add_arguments", "run"]

SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "fine VEGAS grid under the flow (knots = 0)": {"knots": 0},
    "10 knots": {"knots": 10},
    "64 knots": {"knots": 64},
    "fine-tuning by the second moment": {"fine_tuning_loss": "second_moment"},
    "fine-tuning by the third moment": {"fine_tuning_loss": "third_moment"},
    "no fine-tuning, all steps by the KL divergence": {"fine_tuning_steps": 0, "steps": 3000},
    "generalised KL instead of KL": {"loss": "generalised_kl"},
    "no new points of the flow (survey alone)": {"rounds": 0},
    "target never flattened": {"least": 0.0},
}


def ridge(width: float) -> Integrand:
    """``exp(-sum_i (u_i+1 - u_i)^2 / 2 w^2)`` in five dimensions: VEGAS sees nothing of it."""

    def density(u: Array) -> Array:
        result: Array = np.exp(-np.sum(np.diff(u, axis=1) ** 2, axis=1) / (2.0 * width**2))
        return result

    return Density(f"ridge {width:g}", 5, density)


RIDGES = {f"ridge-{w:g}": Case(f"ridge-{w:g}", lambda w=w: ridge(w), 80_000) for w in (0.12, 0.09, 0.07)}  # type: ignore[misc]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    names = [*CASES, *RIDGES]
    parser.add_argument("--case", action="append", choices=names, help="cases (repeatable) [camel gluons3 drell-yan]")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds; the median is printed [1]")


def run(arguments: argparse.Namespace) -> None:
    """Run the settings on the cases, print one table."""
    import torch

    torch.set_num_threads(1)
    cases = {**CASES, **RIDGES}
    rows: list[list[Any]] = []
    content: dict[str, Any] = {}
    seeds = range(1, arguments.seeds + 1)
    for name in arguments.case or ("camel", "gluons3", "drell-yan"):
        content[name] = {}
        case = cases[name]
        vegas = median(_vegas_rsd(case, seed) for seed in seeds)
        for setting, values in SETTINGS.items():
            found = [_trained(case, seed, values) for seed in seeds]
            figures = [*(median(column) for column in zip(*found, strict=True)), vegas]
            rows.append([name if setting == "default" else "", setting, *figures])
            content[name][setting] = dict(
                zip(("relative_std", "efficiency", "cpu_seconds", "vegas_relative_std"), figures, strict=True)
            )
            print(name, setting, *(f"{value:.3g}" for value in figures), file=sys.stderr, flush=True)
    print_table(
        f"Fresh independent points, quantile policy 1e-3, median of {arguments.seeds} seed(s)",
        ["case", "setting", "rel. std", "efficiency", "CPU s", "rel. std of VEGAS"],
        rows,
    )
    store(arguments.json, content)


def _trained(case: Case, seed: int, values: dict[str, Any]) -> tuple[float, float, float]:
    """Relative standard deviation, efficiency, CPU seconds."""
    found = binnis_weights(case.build(), case.evaluations, seed, **values)
    figures = figures_of_channels(found.weights, 0.0)
    return figures.rsd, figures.efficiency, found.cpu_seconds


def _vegas_rsd(case: Case, seed: int) -> float:
    """Relative standard deviation with the grid of the survey."""
    integrand, streams = case.build(), Streams(seed)
    sampler = survey(integrand, split_budget(case.evaluations).survey, streams).sampler
    fresh = fresh_weights(integrand, sampler, FRESH, streams, purpose="benchmark")
    weights = [fresh.event_weights[fresh.channel == channel] for channel in range(integrand.channels)]
    return figures_of_channels(weights, 0.0).rsd
