"""Runs inside Sherpa and MadGraph: cross sections against the generator's own sampling, events against a reference."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from plugin.validate.files import compare_files
from plugin.validate.result import Validation
from plugin.validate.sample import WeightedSample
from plugin.validate.two_samplers import Agreement, StageReport
from plugin.validate.verdict import Test, judge, pull_test

__all__ = ["Target", "find_target", "validate_files", "validate_generator_run"]

_EVENTS = ("events.lhe.gz", "events.lhe", "unweighted_events.lhe.gz", "unweighted_events.lhe")


@dataclass(frozen=True)
class Target:
    """What a path on the command line stands for.

    Attributes:
        kind: ``"card"``, ``"run"`` (of binnis), ``"sherpa"``, ``"madgraph"`` or ``"events"``.
        path: the card, the folder of the run, or the event file.
        events: the event file of a run, where there is one.
        summary: of the run.
    """

    kind: str
    path: Path
    events: Path | None
    summary: Mapping[str, Any]


def find_target(path: Path) -> Target:
    """What there is to validate at a path.

    A folder is a run of binnis, of ``binnis sherpa run``, a run of MadGraph (``Events/run_01``) or its whole process
    directory, of which the last run is taken.

    Raises:
        UserError: nothing of this kind is there.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; name a run card, a run folder, or two event files with --lhe")
    if path.is_file():
        kind = "events" if path.name.endswith((".lhe", ".lhe.gz")) else "card"
        return Target(kind, path, path if kind == "events" else None, {})
    if (path / "summary.json").exists():
        summary = _json(path / "summary.json")
        kind = "run" if (path / "sampler.mcb").exists() and (path / "card.yaml").exists() else "sherpa"
        if kind == "sherpa" and "matrix_element_calls" not in summary:
            raise UserError(f"{path} is a run folder without sampler.mcb or card.yaml: it is not complete")
        return Target(kind, path, _events(path), summary)
    if (path / "binnis_summary.json").exists():
        return Target("madgraph", path, _events(path), _json(path / "binnis_summary.json"))
    if (path / "binnis" / "summary.json").exists():
        summary = _json(path / "binnis" / "summary.json")
        run = path / "Events" / str(summary.get("run", ""))
        return Target("madgraph", run, _events(run), summary)
    if _events(path) is not None:
        return Target("events", path, _events(path), {})
    raise UserError(f"{path} is no run folder: it has neither summary.json nor binnis_summary.json nor an event file")


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    return content


def _events(folder: Path) -> Path | None:
    return next((folder / name for name in _EVENTS if (folder / name).is_file()), None)


def validate_files(
    reference: Path, candidate: Path, command: str, seed: int = 1, on_progress: StageReport | None = None
) -> Validation:
    """Compare two event files of any origin; see :func:`plugin.validate.files.compare_files`."""
    agreement, samples = compare_files(reference, candidate, seed, on_progress=on_progress)
    labels = [sample.label for sample in agreement.samples]
    result = Validation(f"{labels[0]} and {labels[1]}", command, agreement)
    for label, sample in zip(labels, samples, strict=True):
        result.cross_sections.append((label, sample.cross_section, sample.error))
        if not np.isfinite(sample.cross_section):
            agreement.notes.append(f"{label} states no cross section; cross sections are not compared")
        result.settings[f"events of {label}"] = sample.events
    result.settings["seed"] = seed
    return result


def validate_generator_run(
    target: Target, reference: Path | None, command: str, seed: int = 1, on_progress: StageReport | None = None
) -> Validation:
    """Validate a run inside a generator.

    A run with Sherpa is compared with the cross sections of Sherpa's own mapping in the same run. With a reference (an
    event file, or the folder of a run), the events are compared with its events as well.

    Arguments:
        target: :func:`find_target`.
        reference: event file or run folder to compare with; None where there is none.
        command: what the user typed, for the report.
        seed: of the classifier.
        on_progress: called with (stage, done, planned).

    Raises:
        UserError: there is nothing to compare with.
    """
    other = None if reference is None else find_target(reference)
    if other is not None and other.events is None:
        raise UserError(f"--reference: {reference} has no event file")
    if other is not None and target.events is None:
        raise UserError(f"{target.path} has no event file to compare with the reference")
    tests = _sherpa_tests(target.summary) if target.kind == "sherpa" else []
    if other is not None and other.events is not None and target.events is not None:
        result = validate_files(other.events, target.events, command, seed, on_progress)
        before = list(result.agreement.verdict.tests)
        result.agreement.verdict = judge([*tests, *before])
    elif tests:
        nothing = np.zeros(0)
        empty = WeightedSample("", nothing, np.zeros(0, dtype=np.int64), np.ones(1, dtype=np.int64))
        notes = ["events are not compared: name a run with the generator's own sampling with --reference"]
        result = Validation(
            f"run {target.path.name}", command, Agreement(judge(tests), [], None, None, None, (empty, empty), notes)
        )
    else:
        raise UserError(
            f"{target.path} holds nothing to compare with; name a run with the generator's own sampling, or its event"
            " file, with --reference"
        )
    if target.kind == "sherpa":
        summary = target.summary
        result.cross_sections += [
            ("Sherpa's own mapping", summary["own_cross_section_pb"], summary["own_cross_section_error_pb"]),
            (f"run {target.path.name}", summary["cross_section_pb"], summary["cross_section_error_pb"]),
        ]
    return result


def _sherpa_tests(summary: Mapping[str, Any]) -> list[Test]:
    """Cross sections of a Sherpa run against those of Sherpa's own mapping, and of the events."""
    if summary.get("sampler") != "flow":
        return []
    tests = [_pull("cross section", summary, "own_cross_section", summary, "cross_section")]
    processes = summary.get("processes") or []
    for process in processes if len(processes) > 1 else []:
        tests.append(
            _pull(f"cross section of {process['name']}", process, "own_cross_section", process, "cross_section")
        )
    if summary.get("cross_section_of_the_events_error_pb"):
        tests.append(
            _pull("cross section of the events", summary, "cross_section", summary, "cross_section_of_the_events")
        )
    return tests


def _pull(subject: str, one: Mapping[str, Any], first: str, other: Mapping[str, Any], second: str) -> Test:
    error = (one[f"{first}_error_pb"] ** 2 + other[f"{second}_error_pb"] ** 2) ** 0.5
    return pull_test(subject, one[f"{first}_pb"], other[f"{second}_pb"], error)
