"""After a run of MadGraph: ``summary.json``, and the events annotated. ``python -m madgraph_interface.finish DIR``."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from madgraph_interface.annotation import annotate_run
from madgraph_interface.directory import ProcessDirectory
from madgraph_interface.records import JobCount, read_jobs
from madgraph_interface.run_card import Settings, read_settings
from mcbridge.errors import UserError
from mcbridge.files import write_text
from mcbridge.lhe import EventFile
from mcbridge.version import __version__
from plugin.report.run import report_beside

__all__ = ["account", "finish_runs", "main", "run_summary"]

log = logging.getLogger("madgraph_interface")

_NAMES = ("unweighted_events.lhe.gz", "unweighted_events.lhe")


def account(jobs: Iterable[JobCount]) -> dict[str, dict[str, float]]:
    """Points, matrix-element evaluations and CPU time of jobs by stage (``survey``, ``refine``) and in total."""
    stages: dict[str, dict[str, float]] = {}
    for job in jobs:
        for name in (job.stage, "total"):
            sums = stages.setdefault(name, {"jobs": 0, "points": 0, "evaluations": 0, "cpu_seconds": 0.0})
            sums["jobs"] += 1
            sums["points"] += job.points
            sums["evaluations"] += job.evaluations
            sums["cpu_seconds"] += job.seconds
    return stages


def _per_channel(jobs: Iterable[JobCount]) -> dict[str, dict[str, dict[str, float]]]:
    by_channel: dict[str, list[JobCount]] = {}
    for job in jobs:
        name = job.directory.rstrip("0123456789") if job.directory[-1:].isdigit() else job.directory
        stripped = name.rstrip("abcdefghijklmnopqrstuvwxyz")
        channel = job.directory if stripped == "G" or name == stripped else stripped
        by_channel.setdefault(f"{job.process}/{channel}", []).append(job)
    return {channel: account(found) for channel, found in sorted(by_channel.items())}


def run_summary(directory: ProcessDirectory, events: Path, jobs: list[JobCount], settings: Settings) -> dict[str, Any]:
    """The figures of one run for programs; cross sections in pb, CPU time in seconds."""
    with_init = EventFile(events)
    processes = with_init.init.procInfo
    number = sum(len(block) for block in with_init)
    training = directory.path / "binnis" / "training.json"
    trained = json.loads(training.read_text(encoding="utf-8")) if training.exists() else None
    if trained is not None and not set(trained["seeds"]) & {job.seed for job in jobs}:
        trained["reused"] = True  # by a launch that came later
    return {
        "run": events.parent.name,
        "process_directory": directory.path.name,
        "madgraph": directory.version,
        "binnis": __version__,
        "flow_sampler": settings.sampler,
        "cross_section_pb": sum(process.xSection for process in processes),
        "cross_section_error_pb": sum(process.error**2 for process in processes) ** 0.5,
        "events": number,
        "events_asked_for": settings.events,
        "madevent": account(jobs),
        "channels": _per_channel(jobs),
        "training": trained,
    }


def finish_runs(path: str | Path) -> list[dict[str, Any]]:
    """Summaries of all runs of a process directory that have ended since the last call, and their events annotated.

    Returns:
        the summaries; also in ``Events/<run>/binnis_summary.json`` and, the last, in ``binnis/summary.json``.

    Raises:
        UserError: no process directory, or not enabled.
    """
    directory = ProcessDirectory(path)
    root = directory.path
    if not (root / "binnis" / "state.json").exists():
        raise UserError(f"{root} is not enabled")
    found = []
    jobs = read_jobs(root)
    for events in _ended(root):
        seen = _seen(root)
        settings = read_settings(root / "Cards" / "run_card.dat")
        content = run_summary(directory, events, jobs[seen:], settings)
        _store(root, events, content, len(jobs))
        if settings.uncertainties and settings.sampler != "vegas":
            content["annotation"] = annotate_run(events, content)
            _store(root, events, content, len(jobs))
        report_beside(events.parent)
        found.append(content)
        missing = settings.events - content["events"]
        if missing > 0:
            log.warning("run %s has %d events, %d fewer than asked for", content["run"], content["events"], missing)
    return found


def _store(root: Path, events: Path, content: dict[str, Any], jobs: int) -> None:
    text = json.dumps(content, indent=2) + "\n"
    write_text(events.parent / "binnis_summary.json", text)
    write_text(root / "binnis" / "summary.json", text)
    write_text(root / "binnis" / "jobs_seen", f"{jobs}\n")


def _seen(root: Path) -> int:
    try:
        return int((root / "binnis" / "jobs_seen").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0


def _ended(root: Path) -> list[Path]:
    """Event files of runs without a summary that are younger than the switching on, oldest first."""
    since = (root / "binnis" / "state.json").stat().st_mtime
    files = []
    for folder in (root / "Events").glob("*"):
        events = next((folder / name for name in _NAMES if (folder / name).is_file()), None)
        if events is None or events.stat().st_mtime < since:
            continue
        summary = folder / "binnis_summary.json"
        if not summary.exists():
            files.append(events)
    return sorted(files, key=lambda file: file.stat().st_mtime)


def main() -> int:
    """The program that the script of the process directory calls; its output goes to ``binnis/train.log``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    try:
        for content in finish_runs(sys.argv[1]):
            log.info(
                "run %s: %.6g +- %.2g pb, %d events, %d evaluations",
                content["run"], content["cross_section_pb"], content["cross_section_error_pb"], content["events"],
                content["madevent"].get("total", {}).get("evaluations", 0),
            )  # fmt: skip
    except UserError as error:
        log.error("%s", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
