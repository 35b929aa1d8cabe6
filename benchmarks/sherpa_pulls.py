"""Pulls of cross sections with Sherpa against a reference of high statistics."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import yaml

from benchmarks.sherpa_cases import CASES, card_of, settings_of
from benchmarks.table import print_table, store
from mcbridge.random import Streams
from sherpa_interface.integrand import SherpaIntegrand
from sherpa_interface.output import cross_sections
from sherpa_interface.process import Installation, run_sherpa
from sherpa_interface.run import run_card

__all__ = ["pulls_of_chains", "pulls_of_run"]


def pulls_of_chains(arguments: argparse.Namespace, program: Installation, scratch: Path) -> None:
    """Pulls of many seeds against a reference of high statistics from uniform points in Sherpa's own mapping."""
    case = (arguments.case or CASES)[0]
    card = card_of(case, arguments.itmin, scratch)
    pulls, chosen = [], []
    reference = tuple(arguments.reference or (0.0, 0.0))
    first = 101 if arguments.auto else 1  # auto and flow share no random numbers
    for seed in range(first, first + arguments.pulls):
        settings = settings_of(arguments, seed)
        result = run_card(card, settings, scratch / f"{case}_{seed}", program)
        if seed == first and not arguments.reference:
            base = scratch / f"{case}_{seed}" / "optimisation" / "Results.zip"
            reference = _reference(card, base, program)
            print(f"reference {reference[0]:.6g} +- {reference[1]:.2g} pb", file=sys.stderr, flush=True)
        value, error = result.summary["cross_section_pb"], result.summary["cross_section_error_pb"]
        pulls.append((value - reference[0]) / np.hypot(error, reference[1]))
        chosen.append(result.summary["sampler"])
        print(f"seed {seed}: {value:.6g} +- {error:.2g} pb, pull {pulls[-1]:+.2f}", file=sys.stderr, flush=True)
    _print_pulls(arguments, case, reference, pulls, chosen)


def pulls_of_run(arguments: argparse.Namespace, program: Installation, scratch: Path) -> None:
    """Pulls of integrations by many seeds of Sherpa, all with the sampler of one run."""
    folder = Path(arguments.sampler_of).resolve()
    overlay = yaml.safe_load((folder / "generation" / "overlay.yaml").read_text(encoding="utf-8"))
    reference = tuple(arguments.reference or ()) or _reference(
        folder / "Sherpa.yaml", folder / "optimisation" / "Results.zip", program
    )
    print(f"reference {reference[0]:.6g} +- {reference[1]:.2g} pb", file=sys.stderr, flush=True)
    overlay["BINNIS"].pop("ACCEPTED", None)
    overlay["PSI"]["ITMIN"] = max(1000, arguments.integration // 5)
    pulls = []
    for seed in range(1, arguments.pulls + 1):
        place = scratch / f"seed_{seed}"
        place.mkdir()
        settings = {**overlay, "EVENTS": 0, "EVENT_OUTPUT": "None", "RANDOM_SEED": 1000 + seed}
        (result,) = cross_sections(run_sherpa(program, folder / "Sherpa.yaml", settings, place)).values()
        pulls.append((result.value - reference[0]) / np.hypot(result.error, reference[1]))
        print(f"seed {seed}: {result.value:.6g} +- {result.error:.2g} pb, pull {pulls[-1]:+.2f}", file=sys.stderr)
    _print_pulls(arguments, folder.name, reference, pulls, ["the run's sampler"])


def _print_pulls(
    arguments: argparse.Namespace, name: str, reference: tuple[float, float], pulls: list[float], chosen: list[str]
) -> None:
    mean, width = float(np.mean(pulls)), float(np.std(pulls, ddof=1))
    print_table(
        f"{name}: pulls against {reference[0]:.6g} +- {reference[1]:.2g} pb",
        ["seeds", "mean", "width", "largest", "chosen"],
        [[len(pulls), mean, width, float(np.max(np.abs(pulls))), ", ".join(sorted(set(chosen)))]],
    )
    store(arguments.json, {"case": name, "pulls": pulls, "reference": reference, "chosen": chosen})


def _reference(card: Path, base: Path, program: Installation, points: int = 4_000_000) -> tuple[float, float]:
    """Cross section of a card with a single process and its error [pb], from uniform points."""
    total, squares = 0.0, 0.0
    chunk = 100_000
    with SherpaIntegrand(card, base, program) as integrand:
        for number in range(points // chunk):
            u = Streams(99).generator("reference", chunk=number).random((chunk, integrand.dim))
            weight = integrand(u).weight
            total += float(np.sum(weight))
            squares += float(np.sum(weight**2))
    mean = total / points
    return mean, float(np.sqrt((squares / points - mean**2) / points))
