"""Relative standard deviation and unweighting efficiency at equal amplitude evaluations: vegas, madnis, binnis.

200,000 fresh independent points from each trained map; efficiency at the quantile policy of 1e-3 (physics.md,
section 3); median over the seeds. vegas is taken at its best number of increments. The last column of times leaves out
what the amplitude took, which is the same for all.
"""

from __future__ import annotations

import argparse
import sys
from math import exp, log
from statistics import mean, median
from typing import Any

from benchmarks.cases import CASES
from benchmarks.peers import Trained, binnis_weights, madnis_weights, vegas_weights
from benchmarks.table import print_table, store
from plugin.choice import figures_of_channels

__all__ = ["add_arguments", "run"]

HARD = ("camel", "gluons3", "gluons4", "zprime", "correlated", "ttg", "eegg")
"""Cases in which VEGAS leaves much to gain; the means are also taken over these alone."""

FIGURES = ("relative_std", "efficiency", "cpu_seconds", "training_seconds")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--case", action="append", choices=list(CASES), help="only these cases (repeatable)")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds; the median is printed [3]")
    parser.add_argument("--no-madnis", action="store_true", help="leave madnis out (it takes most of the time)")
    parser.add_argument("--buffered", type=int, default=0, help="madnis: buffered steps after each online step [0]")


def run(arguments: argparse.Namespace) -> None:
    """Run the cases, print the table and the geometric means of the ratios to madnis."""
    import torch  # before any clock starts: its import is a second that every process pays once

    torch.set_num_threads(1)
    rows: list[list[Any]] = []
    content: dict[str, Any] = {"cases": {}}
    for name in arguments.case or CASES:
        case = CASES[name]
        found: dict[str, list[Trained]] = {"vegas": [], "madnis": [], "binnis": []}
        for seed in range(1, arguments.seeds + 1):
            integrand = case.build()
            found["vegas"].append(vegas_weights(integrand, case.evaluations, seed))
            if not arguments.no_madnis:
                found["madnis"].append(madnis_weights(integrand, case.evaluations, seed, arguments.buffered))
            found["binnis"].append(binnis_weights(integrand, case.evaluations, seed))
        content["cases"][name] = {"evaluations": case.evaluations}
        for peer, entries in found.items():
            if not entries:
                continue
            figures = {key: median(_figures(entry)[key] for entry in entries) for key in FIGURES}
            notes = ", ".join(sorted({entry.note for entry in entries if entry.note}))
            rows.append([name if peer == "vegas" else "", peer, *figures.values(), notes])
            content["cases"][name][peer] = {**figures, "seeds": [_figures(entry) for entry in entries]}
            print(name, peer, *(f"{value:.3g}" for value in figures.values()), file=sys.stderr, flush=True)
    print_table(
        f"Fresh independent points, quantile policy 1e-3, median of {arguments.seeds} seeds",
        ["case", "sampler", "rel. std", "efficiency", "CPU s", "of it training", "note"],
        rows,
    )
    if not arguments.no_madnis:
        content["ratios"] = _ratios(content["cases"])
        hard = {name: case for name, case in content["cases"].items() if name in HARD}
        content["ratios_hard"] = _ratios(hard) if hard else {}
        print_table(
            f"binnis against madnis, geometric means over {len(content['cases'])} cases and the {len(hard)} hard ones",
            ["ratio", "all", "hard"],
            [[key, value, content["ratios_hard"].get(key, "")] for key, value in content["ratios"].items()],
        )
    store(arguments.json, content)


def _figures(entry: Trained) -> dict[str, float]:
    figures = figures_of_channels(entry.weights, 0.0)
    values = (figures.rsd, figures.efficiency, entry.cpu_seconds, entry.cpu_seconds - entry.amplitude_seconds)
    return dict(zip(FIGURES, values, strict=True))


def _ratios(cases: dict[str, Any]) -> dict[str, float]:
    """Geometric means of binnis' figures over madnis'."""
    return {
        key: exp(mean(log(case["binnis"][key] / case["madnis"][key]) for case in cases.values())) for key in FIGURES
    }
