"""Two event files compared."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mcbridge.errors import UserError
from mcbridge.random import Streams
from plugin.validate.classifier import classify
from plugin.validate.event_files import EventSample, common_samples, read_events
from plugin.validate.two_samplers import Agreement, StageReport, compare_columns
from plugin.validate.verdict import Test, family, judge, pull_test

__all__ = ["compare_event_samples", "compare_files", "event_file_tests"]


def compare_files(
    reference: str | Path,
    candidate: str | Path,
    seed: int = 1,
    *,
    classifier: bool = True,
    on_progress: StageReport | None = None,
) -> tuple[Agreement, tuple[EventSample, EventSample]]:
    """Compare any two event files in their cross sections (``<init>``) and the shapes of all observables.

    Arguments:
        reference, candidate: plain or gzip; weighted or not, weights of either sign.
        seed: of the classifier.
        classifier: whether one is trained.
        on_progress: called with (stage, done, planned).

    Raises:
        UserError: a file cannot be read, or the files have no final state in common.
    """
    report: StageReport = on_progress or (lambda stage, done, planned: None)
    samples = _read(reference, candidate, False, report)
    if max(len(sample.parts) for sample in samples) > 1:
        samples = _read(reference, candidate, True, report)
    return compare_event_samples(*samples, seed, classifier, report), samples


def _read(
    reference: str | Path, candidate: str | Path, jets: bool, report: StageReport
) -> tuple[EventSample, EventSample]:
    found = []
    for path in (reference, candidate):
        found.append(read_events(path, jets, partial(report, f"Reading {Path(path).name}")))
        if found[-1].events < 200:
            raise UserError(f"{path} has {found[-1].events} events; a comparison needs at least 200")
    return found[0], found[1]


def compare_event_samples(
    reference: EventSample,
    candidate: EventSample,
    seed: int,
    classifier: bool,
    report: StageReport,
) -> Agreement:
    """Compare two event files that have been read."""
    pair = common_samples(reference, candidate, _labels(reference.path, candidate.path))
    comparisons = compare_columns(*pair, report=report)
    notes = [f"{found.name}: not compared; {found.note}" for found in comparisons if found.note]
    result = None
    if classifier:
        result = classify(*pair, Streams(seed), on_progress=lambda done, planned: report("Classifier", done, planned))
    verdict = judge(family(event_file_tests(reference, candidate), comparisons, result))
    return Agreement(verdict, comparisons, result, None, None, pair, notes)


def event_file_tests(reference: EventSample, candidate: EventSample) -> list[Test]:
    """The cross sections of two files, where they say how well they know them."""
    error = (reference.error**2 + candidate.error**2) ** 0.5
    if not error > 0.0:
        return []
    return [pull_test("cross section", reference.cross_section, candidate.cross_section, error)]


def _labels(reference: Path, candidate: Path) -> tuple[str, str]:
    """Names that differ: as much of the two paths as that takes."""
    for parts in range(1, 8):
        names = ["/".join(path.absolute().parts[-parts:]) for path in (reference, candidate)]
        if names[0] != names[1]:
            break
    return names[0], names[1]
