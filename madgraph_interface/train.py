"""The training that a job of MadEvent starts at the end of the survey: ``python -m madgraph_interface.train DIR``.

For every channel: MadEvent as it is, or a flow on top of its grid. What is chosen is written beside the
process directory's channels and read by the hook; the survey of those channels is done once more, so that MadGraph
plans the generation with the efficiency they have now.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from madgraph_interface.channel_training import KEPT, SMALL, Job, Outcome, early, train_channel, training_points
from madgraph_interface.directory import Channel, ProcessDirectory
from madgraph_interface.install_sampler import discard, install
from madgraph_interface.records import SurveyRecord, read_survey
from madgraph_interface.run_card import Settings, read_settings
from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["main", "train_directory"]

log = logging.getLogger("madgraph_interface")

SECURITY = 1.2
"""MadGraph asks for so many more events than the run card."""


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One training of a directory at a time; the next one waits."""
    with (root / "binnis" / "lock").open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def train_directory(path: str | Path) -> dict[str, Any]:
    """Train what the last survey of a process directory calls for.

    Returns:
        what was decided for every channel, and what it cost; also in ``binnis/training.json``.

    Raises:
        UserError: no process directory, or an entry of its run card is wrong.
    """
    directory = ProcessDirectory(path)
    with _alone(directory.path):
        return _train(directory)


def _train(directory: ProcessDirectory) -> dict[str, Any]:
    _clean(directory)
    target = directory.path / "binnis" / "training.json"
    surveys = {channel: read_survey(channel) for channel in directory.channels()}
    found = {channel: survey for channel, survey in surveys.items() if survey is not None}
    seeds = sorted({survey.seed for survey in found.values()})
    if target.exists() and seeds and json.loads(target.read_text(encoding="utf-8"))["seeds"] == seeds:
        log.info("every channel of this survey was looked at before")
        return dict(json.loads(target.read_text(encoding="utf-8")))
    settings = read_settings(directory.path / "Cards" / "run_card.dat")
    start, cpu = time.time(), time.process_time()
    results = {channel: channel.result for channel in found}
    total = sum(result.absolute for result in results.values() if result)
    # Each worker loads torch once, for all channels that it trains.
    large = sum(result.absolute > SMALL * total for result in results.values() if result)
    imports = min(directory.cores, large) / large if large else 1.0
    jobs, outcomes, kept = [], [], []
    for channel, survey in found.items():
        result = results[channel]
        if result is None or not result.absolute or not total or survey.weights is None:
            outcomes.append(Outcome(channel, "madevent", "the channel contributes nothing"))
            continue
        share = result.absolute / total
        events = SECURITY * settings.events * share
        before = _decision(channel) if survey.mode == "flow" else None
        if before is not None and before["sampler"] == "flow":
            kept.append(before)
            continue
        job = replace(_job(channel, survey, settings, events, before), share=share, imports=imports)
        chosen = early(job)
        if chosen is None:
            jobs.append(job)
        else:
            outcomes.append(chosen)
    outcomes += _run(jobs, directory.cores)
    decisions = kept + [_settle(outcome) for outcome in outcomes]
    content = {
        "seeds": seeds,
        "flow_sampler": settings.sampler,
        "channels": decisions,
        "evaluations": sum(outcome.evaluations for outcome in outcomes),
        "cpu_seconds": sum(outcome.seconds for outcome in outcomes) + time.process_time() - cpu,
        "elapsed_seconds": time.time() - start,
    }
    write_text(target, json.dumps(content, indent=2) + "\n")
    return content


def _clean(directory: ProcessDirectory) -> None:
    """What a training that was killed has left."""
    for process in directory.processes:
        for folder in (directory.path / "SubProcesses" / process).glob("binnis_G*"):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (directory.path / "binnis" / process).glob("G*/sampler.new.*"):
            file.unlink(missing_ok=True)


def _decision(channel: Channel) -> dict[str, Any] | None:
    try:
        return dict(json.loads((channel.folder / "decision.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _job(
    channel: Channel, survey: SurveyRecord, settings: Settings, events: float, before: dict[str, Any] | None
) -> Job:
    assert survey.weights is not None
    if before is None:
        result = channel.result
        assert result is not None
        grid, efficiency = channel.directory / "ftn26", KEPT * result.events / len(survey.weights)
    else:  # what MadEvent now says of the channel is of the sampler
        grid, efficiency = channel.folder / "grid", before["figures"]["madevent"]["efficiency"]
    job = Job(channel, survey, settings.sampler, 0, events, max(survey.seed, 0), grid, efficiency)
    spent = settings.evaluations
    return replace(job, evaluations=training_points(job) if spent is None else spent)


def _run(jobs: list[Job], cores: int) -> list[Outcome]:
    workers = min(cores, len(jobs))
    jobs = sorted(jobs, key=lambda job: -job.events)  # the longest first
    if workers < 2:
        return [train_channel(job) for job in jobs]
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(train_channel, jobs))


def _settle(outcome: Outcome) -> dict[str, Any]:
    """Make a decision take effect; MadEvent alone where that fails."""
    channel = outcome.channel
    choice, reason = outcome.choice, outcome.reason
    if choice == "madevent":
        discard(channel)
    else:
        try:
            install(channel, outcome)
        except UserError as error:
            discard(channel)
            choice, reason = "madevent", f"{error}; MadEvent samples as it always does"
    log.info("%s: %s; %s", channel, choice, reason)
    decision = {
        "channel": str(channel),
        "sampler": choice,
        "reason": reason,
        "figures": {name: figures.as_json() for name, figures in outcome.figures.items()},
        "evaluations": outcome.evaluations,
        "cpu_seconds": outcome.seconds,
        "events": outcome.events,
    }
    channel.folder.mkdir(parents=True, exist_ok=True)
    write_text(channel.folder / "decision.json", json.dumps(decision, indent=2) + "\n")
    return decision


def main() -> int:
    """The program that the hook starts; its output goes to ``binnis/train.log``."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    os.environ.pop("BINNIS_MADEVENT_SERVE", None)
    try:
        content = train_directory(sys.argv[1])
    except UserError as error:
        log.error("%s", error)
        return 2
    log.info(
        "%d evaluations, %.1f s of CPU time, %.1f s",
        content["evaluations"], content["cpu_seconds"], content["elapsed_seconds"],
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
