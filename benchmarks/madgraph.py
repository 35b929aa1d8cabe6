"""MadEvent alone against MadEvent with binnis, on a real MadGraph: needs the environment variable MG5_DIR.

Process directories are made with MadGraph's ``output``, enabled, and launched once for every mode and seed, by a plain
``launch`` of a script. MadEvent alone is the mode ``vegas``: the same program, in which the hook only counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks.madgraph_channels import compare_channels
from benchmarks.table import print_table, store
from mcbridge.errors import UserError

__all__ = ["PROCESSES", "add_arguments", "launch", "mg5", "prepare", "run"]

PROCESSES = {
    "drell-yan": "p p > e+ e-",
    "drell-yan+jet": "p p > e+ e- j",
    "ttbar+gluon": "g g > t t~ g",
    "w+2gluons": "u d~ > w+ > e+ ve g g",
}
MODES = ("vegas", "auto", "flow")


@dataclass(frozen=True)
class Launch:
    """One launch.

    Attributes:
        summary: content of ``summary.json``.
        seconds: elapsed, compilation included [s].
    """

    summary: dict[str, Any]
    seconds: float


def mg5() -> Path:
    """The installation that MG5_DIR names.

    Raises:
        UserError: there is none.
    """
    found = os.environ.get("MG5_DIR")
    if not found:
        raise UserError("MG5_DIR is not set; it must name the folder of a MadGraph5_aMC@NLO installation")
    path = Path(found)
    if not (path / "bin" / "mg5_aMC").is_file():
        raise UserError(f"MG5_DIR is {found}, which holds no bin/mg5_aMC")
    return path


def _python() -> str:
    """The Python for MadGraph: it needs the module six."""
    return os.environ.get("MG5_PYTHON", sys.executable)


def _script(lines: list[str], work: Path) -> str:
    script = work / f"script.{os.getpid()}.txt"  # of this benchmark: another one may use the same folder
    script.write_text("\n".join(["set automatic_html_opening False", *lines]) + "\n", encoding="utf-8")
    command = [_python(), str(mg5() / "bin" / "mg5_aMC"), str(script)]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    script.unlink()
    if done.returncode != 0:
        raise UserError(f"MadGraph ended with code {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}")
    return done.stdout


def prepare(process: str, target: Path) -> Path:
    """A process directory, enabled; kept where it is there already.

    Raises:
        UserError: MadGraph fails.
    """
    from madgraph_interface.enable import enable

    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        _script([f"generate {process}", f"output {target}"], target.parent)
    enable(target)
    return target


def launch(directory: Path, name: str, mode: str, events: int, seed: int, **entries: object) -> Launch:
    """One run at 13 TeV with the PDF set that MadGraph brings.

    Raises:
        UserError: MadGraph fails, or leaves no summary.
    """
    settings = {
        "nevents": events, "iseed": seed, "flow_sampler": mode, "pdlabel": "nn23lo1", "ebeam1": 6500, "ebeam2": 6500,
        "use_syst": False, **entries,
    }  # fmt: skip
    shutil.rmtree(directory / "Events" / name, ignore_errors=True)
    start = time.time()
    lines = [f"launch {directory} -n {name}", *(f"set {entry} {value}" for entry, value in settings.items())]
    said = _script(lines, directory.parent)
    summary = directory / "Events" / name / "binnis_summary.json"
    if not summary.exists():
        raise UserError(f"MadGraph left no events in {summary.parent}: {said.strip()[-300:]}")
    return Launch(json.loads(summary.read_text(encoding="utf-8")), time.time() - start)


def _bare(directory: Path, name: str, mode: str, events: int, seed: int) -> Launch:
    """A run whose events are not annotated, which is not what is compared here."""
    return launch(directory, name, mode, events, seed, flow_uncertainties=False)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--process", action="append", choices=list(PROCESSES), help="only these (repeatable)")
    parser.add_argument("--mode", action="append", choices=list(MODES), help="only these (repeatable)")
    parser.add_argument("--events", type=int, default=50_000, help="unweighted events of a run [50000]")
    parser.add_argument("--seeds", type=int, default=1, help="runs of every mode [1]")
    parser.add_argument("--add", action="store_true", help="keep the runs in the file of --json, make the others")
    parser.add_argument("--channels", action="store_true", help="also a table of the channels")
    parser.add_argument("--pulls", type=int, metavar="N", help="instead: N launches with one training, flow only")
    parser.add_argument("--pull-events", type=int, default=10_000, help="unweighted events of each of these [10000]")
    parser.add_argument("--compare", metavar="DIR", help="instead: flows of a directory against its grids, by channel")
    parser.add_argument("--points", type=int, default=1_000_000, help="with --compare: fresh points of each [1000000]")
    parser.add_argument("--work", default="runs/madgraph", help="where the process directories go [runs/madgraph]")


def run(arguments: argparse.Namespace) -> None:
    """Run the processes and modes, print one table."""
    try:
        if arguments.compare:
            store(arguments.json, compare_channels(Path(arguments.compare), arguments.points))
            return
        mg5()
        (_run if arguments.pulls is None else _many)(arguments)
    except UserError as error:
        sys.exit(f"benchmarks madgraph: {error}")


def _run(arguments: argparse.Namespace) -> None:
    work = Path(arguments.work).resolve()
    content = _content(arguments)
    rows: list[list[Any]] = []
    for name in arguments.process or PROCESSES:
        stored = content["processes"].setdefault(name, {})
        for mode in arguments.mode or MODES:
            if len(stored.get(mode, ())) == arguments.seeds:
                rows.append(_row(name, mode, stored[mode]))
                continue
            # a directory for each mode: nothing that was trained before helps
            directory = prepare(PROCESSES[name], work / re.sub(r"\W", "_", f"{name}_{mode}"))
            found = []
            for seed in range(1, arguments.seeds + 1):
                for folder in (directory / "binnis").glob("P*"):
                    shutil.rmtree(folder)
                found.append(_bare(directory, f"run_{seed:02d}", mode, arguments.events, 1000 + 37 * seed))
            stored[mode] = [{**entry.summary, "elapsed_seconds": entry.seconds} for entry in found]
            rows.append(_row(name, mode, stored[mode]))
            store(arguments.json, content)
    _relative(rows)
    print_table(
        f"{arguments.events} events, 13 TeV, per event (training in brackets)",
        (
            "process",
            "mode",
            "pb",
            "evaluations",
            "(training)",
            "CPU us",
            "(training)",
            "evaluations / vegas",
            "CPU / vegas",
        ),
        rows,
    )
    for name, modes in content["processes"].items():
        _pulls(name, modes)
        if arguments.channels:
            _channels(name, modes)


def _many(arguments: argparse.Namespace) -> None:
    """One training, then many launches that only differ by their seeds, against one of MadEvent alone."""
    work = Path(arguments.work).resolve()
    content = _content(arguments)
    for name in arguments.process or ["drell-yan"]:
        stored = content["processes"].setdefault(name, {})
        directory = prepare(PROCESSES[name], work / re.sub(r"\W", "_", f"{name}_pulls"))
        if "vegas" not in stored:
            stored["vegas"] = [_bare(directory, "alone", "vegas", arguments.events, 1).summary]
        runs = stored.setdefault("pulls", [])
        if not runs:  # its samplers serve the launches that follow; it is none of them
            _bare(directory, "trained", "flow", arguments.events, 2)
        while len(runs) < arguments.pulls:
            seed = 100 + 37 * len(runs)
            runs.append(_bare(directory, "pull", "flow", arguments.pull_events, seed).summary)
            store(arguments.json, content)
        _pulls(name, {"vegas": stored["vegas"], "flow": runs})


def _content(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is there already: nothing, or the runs in the file of an earlier call."""
    nothing: dict[str, Any] = {"events": arguments.events, "processes": {}}
    if not arguments.add or not arguments.json or not Path(arguments.json).exists():
        return nothing
    found: dict[str, Any] = json.loads(Path(arguments.json).read_text(encoding="utf-8"))
    if found.get("events") != arguments.events:
        raise UserError(f"--add: the runs in {arguments.json} have {found.get('events')} events each")
    return found


def _row(name: str, mode: str, found: list[dict[str, Any]]) -> list[Any]:
    sections = [entry["cross_section_pb"] for entry in found]
    errors = [entry["cross_section_error_pb"] for entry in found]
    events = sum(entry["events"] for entry in found)
    total = [entry["madevent"]["total"] for entry in found]
    trained = [entry["training"] or {"evaluations": 0, "cpu_seconds": 0.0} for entry in found]
    text = f"{mean(sections):.5g} +- {mean(errors) / len(errors) ** 0.5:.2g}"
    return [
        name, mode, text,
        sum(sums["evaluations"] for sums in total) / events,
        sum(entry["evaluations"] for entry in trained) / events,
        1e6 * sum(sums["cpu_seconds"] for sums in total) / events,
        1e6 * sum(entry["cpu_seconds"] for entry in trained) / events,
    ]  # fmt: skip


def _relative(rows: list[list[Any]]) -> None:
    """Everything included, against MadEvent alone."""
    alone = {row[0]: row for row in rows if row[1] == "vegas"}
    for row in rows:
        base = alone.get(row[0])
        for part in (3, 5):
            row.append((row[part] + row[part + 1]) / (base[part] + base[part + 1]) if base else float("nan"))


def _channels(name: str, modes: dict[str, list[dict[str, Any]]]) -> None:
    """Evaluations of every channel in the first run of each mode."""
    rows = []
    for channel in sorted({channel for runs in modes.values() for channel in runs[0]["channels"]}):
        row: list[Any] = [channel]
        for mode in MODES:
            run = modes[mode][0] if mode in modes else {"channels": {}, "training": None}
            count = run["channels"].get(channel, {}).get("total", {}).get("evaluations", 0)
            decided = [
                entry for entry in (run["training"] or {"channels": []})["channels"] if entry["channel"] == channel
            ]
            row.append(f"{count:.0f}" + "".join(f" ({entry['evaluations']}, {entry['sampler']})" for entry in decided))
        rows.append(row)
    print_table(f"{name}: evaluations (training, choice)", ("channel", *MODES), rows)


def _pulls(name: str, modes: dict[str, list[dict[str, Any]]]) -> None:
    """Differences of cross sections against MadEvent alone in standard errors; their spread for many seeds."""
    alone = modes.get("vegas")
    if not alone:
        return
    reference = mean(run["cross_section_pb"] for run in alone)
    error = (sum(run["cross_section_error_pb"] ** 2 for run in alone) / len(alone) ** 2) ** 0.5
    for mode, runs in modes.items():
        if mode == "vegas":
            continue
        pulls = [
            (run["cross_section_pb"] - reference) / (run["cross_section_error_pb"] ** 2 + error**2) ** 0.5
            for run in runs
        ]
        text = f", width {stdev(pulls):.2f} ({len(pulls)} launches)" if len(pulls) > 2 else ""
        print(f"{name}, {mode}: pull against MadEvent alone {mean(pulls):+.2f}{text}")
