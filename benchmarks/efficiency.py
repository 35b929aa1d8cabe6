"""Relative standard deviation and unweighting efficiency at equal amplitude evaluations: vegas, madnis, binnis.

200,000 fresh independent points from each trained map; efficiency at the quantile policy of 1e-3 (physics.md,
section 3); median over the seeds. vegas is taken at its best number of increments.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Any

from benchmarks.cases import CASES
from benchmarks.peers import binnis_weights, madnis_weights, vegas_weights
from benchmarks.table import print_table, store
from plugin.choice import figures_of_channels

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--case", action="append", choices=list(CASES), help="only these cases (repeatable)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds; the median is printed [3]")
    parser.add_argument("--no-madnis", action="store_true", help="leave madnis out (it takes most of the time)")
    parser.add_argument("--buffered", type=int, default=0, help="madnis: buffered steps after each online step [0]")


def run(arguments: argparse.Namespace) -> None:
    """Run the cases, print one table."""
    rows: list[list[Any]] = []
    content: dict[str, Any] = {}
    for name in arguments.case or CASES:
        case = CASES[name]
        found: dict[str, list[tuple[float, float, float, str]]] = {"vegas": [], "madnis": [], "binnis": []}
        for seed in range(1, arguments.seeds + 1):
            integrand = case.build()
            weights, seconds, increments = vegas_weights(integrand, case.evaluations, seed)
            found["vegas"].append(_entry(weights, seconds, f"{increments} increments"))
            if not arguments.no_madnis:
                weights, seconds = madnis_weights(integrand, case.evaluations, seed, arguments.buffered)
                found["madnis"].append(_entry(weights, seconds, ""))
            weights, seconds, diverged = binnis_weights(integrand, case.evaluations, seed)
            found["binnis"].append(_entry(weights, seconds, "diverged" if diverged else ""))
        content[name] = {"evaluations": case.evaluations}
        for peer, entries in found.items():
            if not entries:
                continue
            figures = [median(entry[i] for entry in entries) for i in range(3)]
            notes = sorted({entry[3] for entry in entries if entry[3]})
            rows.append([name if peer == "vegas" else "", peer, *figures, ", ".join(notes)])
            content[name][peer] = dict(zip(("relative_std", "efficiency", "cpu_seconds"), figures, strict=True))
            content[name][peer]["seeds"] = [list(entry[:3]) for entry in entries]
    print_table(
        f"Fresh independent points, quantile policy 1e-3, median of {arguments.seeds} seeds",
        ["case", "sampler", "rel. std", "efficiency", "CPU s", "note"],
        rows,
    )
    store(arguments.json, content)


def _entry(weights: list[Any], seconds: float, note: str) -> tuple[float, float, float, str]:
    figures = figures_of_channels(weights, 0.0)
    return figures.rsd, figures.efficiency, seconds, note
