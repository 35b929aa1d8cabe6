"""Validation of a run card and of a finished run: VEGAS and flow of one process."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from mcbridge.uncertainties import Calibration, calibrate
from mcbridge.uncertainties.density import bayesian_density
from mcbridge.version import __version__
from plugin.card import Card, load_card, override
from plugin.choice import Goal
from plugin.run.choose import decision_stage, survey_stage
from plugin.run.process import build_process
from plugin.run.progress import Progress
from plugin.run.reuse import check_sampler
from plugin.run.state import State
from plugin.run.uncertainties import learn_replicas
from plugin.training.result import TrainingStatus
from plugin.validate.distribution import Comparison
from plugin.validate.event_files import common_samples, read_events
from plugin.validate.performance import Measured, chosen, performance
from plugin.validate.result import Account, Validation
from plugin.validate.two_samplers import Agreement, StageReport, compare_columns, compare_samplers
from plugin.validate.verdict import Test, family, judge, pull_test

__all__ = ["DEFAULT_POINTS", "validate_card", "validate_run"]

DEFAULT_POINTS = 400_000
"""Fresh amplitude evaluations for each of VEGAS and flow: a weight that is off by 5% of a slope is found with them."""

_BAND_POINTS = 60_000
_LONGEST = 120.0  # CPU seconds that VEGAS gets at most to match the time of the flow
_MOST_POINTS = 100_000_000


def validate_card(card: Card, points: int, command: str, quiet: bool = False) -> Validation:
    """Adapt VEGAS and train a flow as a run of the card would, and compare both.

    VEGAS gets as many evaluations for its adaptation as survey, choice and training of the flow together.

    Arguments:
        card: the run card.
        points: fresh points of each sampler.
        command: what the user typed, for the report.
        quiet: no progress bars.

    Raises:
        UserError: the card or the process is wrong, or the training diverged.
    """
    start = time.monotonic()
    process = Metered(build_process(card.process))
    with Progress(quiet) as progress:
        state = _state(card, process, progress)
        clock = time.process_time()
        survey_stage(state)
        surveyed = time.process_time()
        choice = decision_stage(state, "flow")
        if state.flow is None or state.vegas is None:
            raise UserError(f"there is no flow to validate: {choice.reason}")
        flow_seconds = time.process_time() - clock
        training_seconds = time.process_time() - surveyed
        spent = process.evaluations
        flow = state.flow
        learn_replicas(state, flow, flow)
        streams = Streams(card.seed)
        report = progress.stages()
        vegas, vegas_seconds = _survey_alone(process, card, spent, streams, state.guard, report)
        agreement = compare_samplers(
            process, vegas, flow, points, streams, guard=state.guard, threads=card.threads, on_progress=report
        )
        result = _finish(f"{card.process.name}: VEGAS and flow", command, card, process, agreement, flow, state.guard)
        result.history = _history(state.training)
        result.training_seconds = training_seconds
        result.accounts = _accounts(
            process, vegas, result, streams, state.guard, card.threads, spent, vegas_seconds, flow_seconds, report
        )
        if state.uncertain_note:
            agreement.notes.append(f"no uncertainties: {state.uncertain_note}")
    result.seconds = time.monotonic() - start
    return result


def validate_run(folder: Path, points: int, command: str, quiet: bool = False, seed: int | None = None) -> Validation:
    """Validate a finished run: its sampler and its event file against VEGAS on fresh points.

    VEGAS is adapted anew, with as many evaluations as the run has spent on survey and training, so that nothing of the
    run enters the reference.

    Arguments:
        folder: with ``card.yaml``, ``sampler.mcb``, ``summary.json`` and, if events were written, ``events.lhe.gz``.
        points: fresh points of each sampler.
        command: what the user typed, for the report.
        quiet: no progress bars.
        seed: of the fresh points; that of the run if None.

    Raises:
        UserError: a file is missing or does not fit, or the run has neither a flow nor events.
    """
    start = time.monotonic()
    card = load_card(folder / "card.yaml")
    process = Metered(build_process(card.process))
    stored = check_sampler(Sampler.load(folder / "sampler.mcb"), card, process)
    summary = _summary(folder)
    events = folder / "events.lhe.gz"
    if not stored.has_flow and not events.exists():
        raise UserError(f"{folder} has neither a flow nor events: there is nothing to validate")
    if seed is not None:
        card = override(card, seed=seed)
    streams = Streams(card.seed)
    guard = Guard(max_failure_fraction=card.failures.fraction)
    with Progress(quiet) as progress:
        report = progress.stages()
        spent = card.survey.evaluations
        if stored.has_flow:
            spent += card.choice.evaluations + (summary.get("training") or {}).get("evaluations", 0)
        vegas, vegas_seconds = _survey_alone(process, card, spent, streams, guard, report)
        labels = ("vegas", "flow" if stored.has_flow else "vegas of the run")
        agreement = compare_samplers(
            process, vegas, stored, points, streams, labels=labels, guard=guard, threads=card.threads,
            on_progress=report,
        )  # fmt: skip
        _add_run(agreement, summary)
        if events.exists():
            _add_events(agreement, events, report)
        title = f"{card.process.name}: run {folder.name}"
        result = _finish(title, command, card, process, agreement, stored if stored.has_flow else None, guard)
        stages = summary.get("cpu_seconds_by_stage") or {}
        if stored.has_flow and "survey" in stages and "training" in stages:
            result.training_seconds = float(stages["training"])
            result.accounts = _accounts(
                process, vegas, result, streams, guard, card.threads, spent, vegas_seconds,
                float(stages["survey"] + stages["training"]), report,
            )  # fmt: skip
            agreement.notes.append("CPU time of survey and training of the flow: as the run has recorded it")
    result.cross_sections.append(
        (f"run ({summary['sampler']})", summary["cross_section_pb"], summary["cross_section_error_pb"])
    )
    result.history = _history(summary.get("training") or {})
    result.seconds = time.monotonic() - start
    return result


def _survey_alone(
    process: Metered, card: Card, evaluations: int, streams: Streams, guard: Guard, report: StageReport
) -> tuple[Sampler, float]:
    """VEGAS adapted with all evaluations, and the CPU time of that [s]."""
    clock = time.process_time()
    found = survey(
        process, evaluations, streams, increments=card.survey.increments, guard=guard, purpose="survey alone",
        on_progress=partial(report, "Survey (VEGAS alone)"),
    )  # fmt: skip
    return found.sampler, time.process_time() - clock


def _state(card: Card, process: Metered, progress: Progress) -> State:
    return State(card, process, Streams(card.seed), Guard(max_failure_fraction=card.failures.fraction), progress)


def _history(training: dict[str, Any]) -> list[TrainingStatus]:
    return [TrainingStatus.from_json(look) for look in training.get("history", [])]


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}; {folder} is no finished run") from None
    except ValueError:
        raise UserError(f"{path} is not a JSON file") from None
    return content


def _finish(
    title: str,
    command: str,
    card: Card,
    process: Metered,
    agreement: Agreement,
    flow: Sampler | None,
    guard: Guard,
) -> Validation:
    """Figures of merit, decision, calibration and bands."""
    assert agreement.reference is not None
    assert agreement.candidate is not None
    result = Validation(title, command, agreement)
    result.vegas = performance(agreement.reference)
    if flow is not None:
        result.flow = performance(agreement.candidate)
        result.decision = chosen(result.vegas, result.flow, Goal(card.events, card.integration.evaluations))
        if flow.replicas is not None:
            result.calibration, note = _calibration(flow, agreement, card.threads)
            if note:
                agreement.notes.append(note)
            result.bands = _bands(flow, agreement, card.threads)
    result.settings = {
        "seed": card.seed,
        "points": len(agreement.reference),
        "instruction set": core.instruction_set(),
        "binnis": __version__,
        "not finite": f"{guard.log.failures} of {guard.log.evaluations} weights",
    }
    for found in (result.vegas, result.flow):
        if found is not None:
            result.cross_sections.append((found.label, found.cross_section.value, found.cross_section.error))
    return result


def _calibration(flow: Sampler, agreement: Agreement, threads: int) -> tuple[Calibration | None, str]:
    points = agreement.candidate
    assert points is not None
    integrals = np.array([np.mean(w) if len(w) else 0.0 for w in points.by_channel()])
    try:
        return calibrate(flow, points.samples, integrals, threads), ""
    except UserError as error:
        return None, f"uncertainties not calibrated: {error}"


def _bands(flow: Sampler, agreement: Agreement, threads: int) -> dict[str, Array]:
    """Relative uncertainty of the shares of an observable's bins: their standard deviation over the replicas."""
    points = agreement.candidate
    assert points is not None
    generator = np.random.default_rng(0)
    live = np.flatnonzero(points.weight > 0.0)
    rows = np.sort(generator.permutation(live)[:_BAND_POINTS])
    ratios = bayesian_density(flow, points.samples.u[rows], points.samples.channel[rows], threads).ratios
    counts = np.bincount(points.samples.channel)
    weight = points.weight[rows] / counts[points.samples.channel[rows]]
    bands = {}
    for found in agreement.comparisons:
        if found.name not in points.events or found.categories or len(found.edges) < 3:
            continue
        bands[found.name] = found.band = _band(found, points.events[found.name][rows], weight, ratios)
    return bands


def _band(found: Comparison, values: Array, weight: Array, ratios: Array) -> Array:
    bins = len(found.edges) - 1
    place = np.clip(np.searchsorted(found.edges, values, side="right") - 1, 0, bins - 1)
    sums = np.stack([np.bincount(place, weight * ratio, bins) for ratio in ratios.T]).astype(np.float64)
    replicas = sums / np.sum(sums, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.nan_to_num(np.std(replicas, axis=0, ddof=1) / np.mean(replicas, axis=0))
    return result


def _accounts(
    process: Metered,
    vegas: Sampler,
    result: Validation,
    streams: Streams,
    guard: Guard,
    threads: int,
    spent: int,
    vegas_seconds: float,
    flow_seconds: float,
    report: StageReport,
) -> list[Account]:
    """Both samplers at equal evaluations, and VEGAS with the CPU time that the flow has taken in all."""
    assert result.vegas is not None
    assert result.flow is not None
    accounts = []
    for name, found, before in (
        ("vegas, equal evaluations", result.vegas, vegas_seconds),
        ("flow", result.flow, flow_seconds),
    ):
        cpu = before + found.points * found.seconds_per_point.value
        events = found.points * found.efficiency["quantile"].value
        accounts.append(Account(name, spent, found.points, cpu, found.cross_section, events))
    per_point = max(result.vegas.seconds_per_point.value, 1e-9)
    left = min(accounts[1].cpu_seconds - vegas_seconds, _LONGEST)
    more = int(min(max(left / per_point, 2000), _MOST_POINTS))
    clock = time.process_time()
    integral = integrate(
        process, vegas, more, 10, streams, purpose="validate equal time", guard=guard, threads=threads,
        on_progress=partial(report, "VEGAS, equal time"),
    )  # fmt: skip
    cpu = vegas_seconds + time.process_time() - clock
    short = " (at most)" if accounts[1].cpu_seconds - vegas_seconds > _LONGEST else ""
    accounts.append(
        Account(
            f"vegas, equal CPU time{short}",
            spent,
            more,
            cpu,
            Measured(integral.mean, integral.error),
            more * result.vegas.efficiency["quantile"].value,
        )
    )
    return accounts


def _add_run(agreement: Agreement, summary: dict[str, Any]) -> None:
    """The cross section of the run against VEGAS on fresh points."""
    reference = agreement.samples[0]
    error = (reference.variance_with(agreement.samples[1]) + summary["cross_section_error_pb"] ** 2) ** 0.5
    test = pull_test("cross section of the run", reference.total, summary["cross_section_pb"], error)
    _extend(agreement, [test], [])


def _add_events(agreement: Agreement, path: Path, report: StageReport) -> None:
    """The event file of a run against VEGAS on fresh points."""
    points = agreement.reference
    assert points is not None
    sample = read_events(path, on_progress=partial(report, f"Reading {path.name}"))
    if len(sample.parts) != 1:
        agreement.notes.append(f"{path.name} has several final states and is not compared with the points")
        return
    names = [name for name in points.events if name not in points.categories]
    events = common_samples(sample, sample, (path.name, path.name), names)[1]
    # What the points of VEGAS say about the variance of the flow is not about the events.
    found = compare_columns(replace(agreement.samples[0], other_squares=None), events)
    for comparison in found:
        comparison.name = f"{comparison.name} of {path.name}"
    _extend(agreement, [], found)


def _extend(agreement: Agreement, tests: list[Test], comparisons: list[Comparison]) -> None:
    """Judge anew with further tests."""
    agreement.comparisons += comparisons
    before = list(agreement.verdict.tests)
    agreement.verdict = judge([*before, *tests, *family([], comparisons, None)])
