"""Sherpa with its own mapping and with the flow at equal training budgets: cross sections, efficiency, CPU time.

Sherpa's own run takes the card as it is, and gets as many points more for its optimisation as the training of the flow
takes, if there was one; both sides have a fine histogram of weights (IB_WHBINS: 1000). The efficiency is Sherpa's own:
the cross section over the weight of an event. A line of its own says what partonic channels and summed colours alone
are worth.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.sherpa_cases import CASES, MINIMUM, card_of, settings_of
from benchmarks.sherpa_cost import children_seconds, cost_of_sampler
from benchmarks.sherpa_pulls import pulls_of_chains, pulls_of_run
from benchmarks.sherpa_shapes import compare_shapes
from benchmarks.table import print_table, store
from mcbridge.random import Streams
from sherpa_interface.card import load_sherpa_card
from sherpa_interface.events import EventRecord, scan_events
from sherpa_interface.integrand import SherpaIntegrand, installation
from sherpa_interface.output import CrossSection, cross_sections
from sherpa_interface.process import Installation, run_sherpa
from sherpa_interface.run import run_card

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--case", action="append", choices=CASES, help="only these processes (repeatable)")
    parser.add_argument("--events", type=int, default=20_000, help="unweighted events of each side [20000]")
    parser.add_argument("--evaluations", type=int, default=400_000, help="points of the training a process [400000]")
    parser.add_argument("--choice", type=int, default=50_000, help="fresh points of each of the two mappings [50000]")
    parser.add_argument("--integration", type=int, default=500_000, help="points of the integration [500000]")
    parser.add_argument(
        "--itmin", type=int, default=MINIMUM, help="points of the first iteration of Sherpa's optimisation [5000]"
    )
    parser.add_argument("--pulls", type=int, default=0, metavar="N", help="instead: N seeds of the first case, flow")
    parser.add_argument(
        "--reference", type=float, nargs=2, metavar=("PB", "ERROR"), help="with --pulls: of an earlier one, not anew"
    )
    parser.add_argument(
        "--seeds", type=int, default=1, help="runs of each side, with seeds of their own, averaged over [1]"
    )
    parser.add_argument("--auto", action="store_true", help="sampler auto, in the table and with --pulls")
    parser.add_argument(
        "--cost", metavar="RUN", help="instead: what the sampler of a finished run folder costs a point"
    )
    parser.add_argument("--sampler-of", metavar="RUN", help="with --pulls: all seeds with the sampler of a run folder")
    parser.add_argument("--prefix", help="of Sherpa")
    parser.add_argument("--keep", metavar="DIR", help="keep all folders there")


def run(arguments: argparse.Namespace) -> None:
    """Run the cases, print the tables."""
    program = installation(arguments.prefix)
    scratch = Path(arguments.keep or tempfile.mkdtemp(prefix="binnis-benchmark-"))
    scratch.mkdir(parents=True, exist_ok=True)
    try:
        if arguments.cost:
            cost_of_sampler(arguments, program, scratch)
        elif arguments.pulls and arguments.sampler_of:
            pulls_of_run(arguments, program, scratch)
        elif arguments.pulls:
            pulls_of_chains(arguments, program, scratch)
        else:
            _compare(arguments, program, scratch)
    finally:
        if not arguments.keep:
            shutil.rmtree(scratch, ignore_errors=True)


def _compare(arguments: argparse.Namespace, program: Installation, scratch: Path) -> None:
    rows: list[list[Any]] = []
    content: dict[str, Any] = {}
    for case in arguments.case or CASES:
        found = content[case] = _case(case, arguments, program, scratch / case)
        own, flow = found["own"], found["flow"]
        for label, side in (("Sherpa's own", own), ("auto" if arguments.auto else "flow", flow)):
            rows.append(
                [
                    case if side is own else "",
                    label,
                    f"{side['cross_section']:.6g} +- {side['error']:.2g}",
                    side["rsd"],
                    side["efficiency"],
                    side["calls_per_event"],
                    1e6 * side["seconds_per_event"],
                    side["training_calls"],
                ]
            )
        below = found["below"]
        rows.append(["", "own, split as the flow", "", below["rsd"], below["efficiency"], "", "", ""])
        rows.append(["", "ratio", f"{found['pull']:+.2f} sigma", *[found["ratios"][name] for name in _RATIOS], ""])
        print(f"{case}: {json.dumps(found['shapes'])}", file=sys.stderr, flush=True)
    columns = [
        "process",
        "mapping",
        "cross section [pb]",
        "rel. std",
        "efficiency",
        "calls/event",
        "us/event",
        "optimising",
    ]
    print_table("Sherpa: its own mapping and the flow", columns, rows)
    shapes = [
        [case, name, chi2, dof, found["p"]]
        for case, result in content.items()
        for name, found in result["shapes"].items()
        for chi2, dof in [(found["chi2"], found["dof"])]
    ]
    print_table("Distributions, flow against Sherpa's own", ["process", "observable", "chi2", "dof", "p"], shapes)
    store(arguments.json, content)


_RATIOS = ("rsd", "efficiency", "calls_per_event", "seconds_per_event")


def _case(case: str, arguments: argparse.Namespace, program: Installation, folder: Path) -> dict[str, Any]:
    folder.mkdir(parents=True)
    card = card_of(case, arguments.itmin, folder)
    runs = []
    for seed in range(1, arguments.seeds + 1):
        result = run_card(card, settings_of(arguments, seed), folder / f"flow_{seed}", program)
        own = _own(
            card, arguments.events, _itmin(arguments.itmin, result.summary), seed, program, folder / f"own_{seed}"
        )
        runs.append((own, _flow(result.summary, result.folder, arguments.events, program), result))
    own, flow = (_mean([found[side] for found in runs]) for side in (0, 1))
    below = [_below(result.summary) for _, _, result in runs]
    first = runs[0][2]
    return {
        "own": own,
        "flow": flow,
        "pull": (flow["cross_section"] - own["cross_section"]) / np.hypot(flow["error"], own["error"]),
        "ratios": {name: flow[name] / own[name] for name in _RATIOS},
        "below": {name: float(np.mean([found[name] for found in below])) for name in below[0]},
        "shapes": compare_shapes(folder / "own_1" / "events.lhe", first.folder / "events.lhe.gz"),
        "runs": [{"own": own, "flow": flow, "summary": result.summary} for own, flow, result in runs],
    }


def _itmin(itmin: int, summary: dict[str, Any]) -> int:
    """Points of the first iteration with which Sherpa's optimisation has those of the flow's side.

    Where no flow was trained, it keeps those that it has in the card, for each partonic channel.
    """
    number = len(summary["processes"])
    if all(process["training"] is None for process in summary["processes"]):
        return itmin * number
    calls = summary["matrix_element_calls"]
    return round(itmin * number * (1.0 + calls["training"] / calls["optimisation"]))


def _mean(sides: list[dict[str, float]]) -> dict[str, float]:
    """Means over the seeds, errors of the means; the efficiency is that of all events and all calls together."""
    found = {name: float(np.mean([side[name] for side in sides])) for name in sides[0]}
    for name in ("error", "events_error"):
        found[name] = float(np.sqrt(np.sum([side[name] ** 2 for side in sides]))) / len(sides)
    found["efficiency"] = len(sides) / sum(1.0 / side["efficiency"] for side in sides)
    return found


def _below(summary: dict[str, Any]) -> dict[str, float]:
    """Sherpa's own mapping with the partonic channels and colours that the flow has, on fresh points."""
    figures = [process["vegas"] for process in summary["processes"]]
    values = np.array([found["cross_section_pb"] for found in figures])
    rsd = np.array([found["relative_std"] for found in figures])
    efficiency = np.array([found["unweighting_efficiency"] for found in figures])
    return {
        "rsd": float(np.sum(rsd * values) / np.sum(values)),
        "efficiency": float(np.sum(values) / np.sum(values / efficiency)),
    }


def _side(
    results: dict[str, CrossSection], record: EventRecord, rsd: float, seconds: float, training: float
) -> dict[str, float]:
    value = sum(result.value for result in results.values())
    return {
        "cross_section": value,
        "error": float(np.sqrt(sum(result.error**2 for result in results.values()))),
        "rsd": rsd,
        "efficiency": value / record.weight,
        "calls_per_event": record.trials / record.events,
        "seconds_per_event": seconds,
        "training_calls": training,
        "events_cross_section": record.cross_section,
        "events_error": record.error,
    }


def _own(card: Path, events: int, itmin: int, seed: int, program: Installation, folder: Path) -> dict[str, float]:
    """Sherpa without the plug-in, its optimisation enlarged to all points that the flow's side took before the events.

    A group of processes is optimised as one, with the points that each partonic channel takes on the flow's side.
    """
    folder.mkdir()
    overlay = {
        "IB_WHBINS": 1000,
        "PSI": {"ITMIN": itmin},
        "EVENTS": 0,
        "INTEGRATOR": ["Default"],
        "RANDOM_SEED": seed,
        "RESULT_DIRECTORY": "Results",
    }
    plain = _without_block(card, folder)
    results = cross_sections(run_sherpa(program, plain, overlay, folder))
    seconds = _event_seconds(program, plain, {**overlay, "EVENT_OUTPUT": "LHEF[events]"}, folder, events)
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copy(folder / "Results.zip", scratch)
        base = Path(scratch) / "Results.zip"
        rsd = _own_rsd(program, plain, base, results)
    return _side(results, scan_events(folder / "events.lhe"), rsd, seconds, sum(r.points for r in results.values()))


def _own_rsd(program: Installation, card: Path, base: Path, results: dict[str, CrossSection]) -> float:
    """Relative standard deviation of one point of Sherpa's optimised mapping, over all processes of the card."""
    spread, total = 0.0, 0.0
    for process in load_sherpa_card(card).processes:
        with SherpaIntegrand(card, base, program, {"PROCESSES": [process]}) as integrand:
            weights = [
                integrand(Streams(1).generator("benchmark", chunk=chunk).random((10_000, integrand.dim))).weight
                for chunk in range(10)
            ]
            spread += float(np.std(np.concatenate(weights)))
            total += results[integrand.name].value
    return spread / total


def _without_block(card: Path, folder: Path) -> Path:
    """A copy of the card without the block BINNIS, which Sherpa alone would call unused."""
    settings = yaml.safe_load(card.read_text(encoding="utf-8"))
    settings.pop("BINNIS", None)
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def _event_seconds(program: Installation, card: Path, overlay: dict[str, Any], folder: Path, events: int) -> float:
    """CPU time of one unweighted event [s]: a run with events minus one without, both from finished results."""
    start = children_seconds()
    run_sherpa(program, card, {**overlay, "EVENTS": 0}, folder)
    middle = children_seconds()
    run_sherpa(program, card, {**overlay, "EVENTS": events}, folder)
    return (children_seconds() - middle - (middle - start)) / events


def _flow(summary: dict[str, Any], folder: Path, events: int, program: Installation) -> dict[str, float]:
    generation = folder / "generation"
    overlay = yaml.safe_load((generation / "overlay.yaml").read_text(encoding="utf-8"))
    overlay["BINNIS"].pop("ACCEPTED", None)
    seconds = _event_seconds(program, folder / "Sherpa.yaml", overlay, generation, events)
    record = scan_events(generation / "events.lhe")
    results = {
        process["name"]: CrossSection(
            process["name"], process["cross_section_pb"], process["cross_section_error_pb"], 0
        )
        for process in summary["processes"]
    }
    figures = [process[process["decision"]["sampler"]] for process in summary["processes"]]
    spread = sum(found["relative_std"] * found["cross_section_pb"] for found in figures)
    calls = summary["matrix_element_calls"]
    return _side(
        results,
        record,
        spread / sum(result.value for result in results.values()),
        seconds,
        calls["optimisation"] + calls["training"],
    )
