"""The states of a run: what each does, leaves in its checkpoint, and takes from it when the run is resumed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np

from mcbridge.integration import Accumulator, Integral, integrate
from mcbridge.integration.chunks import CHUNK
from mcbridge.samplers import Sampler
from mcbridge.scaling import SamplerFile
from plugin.choice import Decision
from plugin.report.run import end_of_run
from plugin.run.checkpoints import (
    decision_from_json,
    decision_to_json,
    figures_from_json,
    integral_from_json,
    integral_to_json,
    load_samples,
    save_samples,
)
from plugin.run.choose import choice_of_given, choice_stage, survey_stage, training_stage
from plugin.run.chunks import chunk_map
from plugin.run.events import MOST_KEPT, finish_events, join_events, make_events, write_surrogate_events
from plugin.run.folder import CHECKPOINTS
from plugin.run.machine import Machine
from plugin.run.reuse import check_sampler, sampler_metadata
from plugin.run.state import State
from plugin.run.summary import read_summary, summary
from plugin.run.uncertainties import learn_replicas

__all__ = ["go_through"]

log = logging.getLogger("plugin.run")


def go_through(state: State, machine: Machine) -> tuple[Integral, Decision, dict[str, Any]]:
    """All states; the cross section, the choice, and the content of ``summary.json``."""
    card, folder, process = state.card, machine.folder, state.process
    if machine.file.sampler_file:
        reused = check_sampler(Sampler.load(folder.path / CHECKPOINTS / "given.mcb"), card, process)
        state.flow = reused if reused.has_flow else None
        state.vegas = reused.vegas()
        for name in ("survey", "training"):
            machine.step(name, dict)
    else:
        _survey_and_training(state, machine)
    choice = _choice(state, machine)
    sampler = state.flow if choice.sampler == "flow" else state.vegas
    drawing = folder.path / CHECKPOINTS / "drawing.mcb"

    def uncertainties() -> dict[str, Any]:
        assert sampler is not None  # the choice names only samplers that exist
        log.info("choice: %s; %s", choice.sampler, choice.reason)
        stored = state.flow or sampler
        learn_replicas(state, stored, sampler)
        stored.metadata.update(sampler_metadata(card, process))
        sampler.save(drawing)
        stored.save(folder.path / "sampler.mcb")
        folder.write("decision.json", choice.as_json())
        return {"note": state.uncertain_note, "replicas": state.uncertain is not None}

    def read_uncertainties(result: dict[str, Any]) -> None:
        if not machine.finished("events"):
            Sampler.load(drawing)
        state.uncertain_note = str(result["note"])

    machine.step("uncertainties", uncertainties, read_uncertainties)
    state.points = state.fresh = None
    if not machine.finished("events"):
        # From here on everybody draws from the files, so that it does not matter who does, and when.
        sampler = Sampler.load(drawing)
        with_replicas = machine.file.states["uncertainties"].result["replicas"]
        state.uncertain = Sampler.load(folder.path / "sampler.mcb") if with_replicas else None
        assert state.context is not None
        state.context = replace(
            state.context,
            sampler_file=SamplerFile.of(drawing),
            replicas_file=SamplerFile.of(folder.path / "sampler.mcb") if with_replicas else None,
        )
    integral = _integration(state, machine, sampler)
    events = _events(state, machine, sampler, integral, choice)
    content: dict[str, Any] = {}

    def report() -> dict[str, Any]:
        content.update(summary(state, integral, choice, events))
        folder.write("summary.json", content)
        end_of_run(folder.path, content, integral)
        return {}

    machine.step("report", report, lambda result: content.update(read_summary(folder.path)))
    folder.clean()
    return integral, choice, content


def _survey_and_training(state: State, machine: Machine) -> None:
    files = machine.folder.path / CHECKPOINTS
    needed = not machine.finished("uncertainties")  # only then the points are still wanted
    early: list[Decision] = []

    def do_survey() -> dict[str, Any]:
        survey_stage(state)
        assert state.vegas is not None
        assert state.points is not None
        state.vegas.save(files / "survey.mcb")
        save_samples(files / "survey.safetensors", state.points)
        return {}

    def read_survey(result: dict[str, Any]) -> None:
        if needed:
            state.vegas = Sampler.load(files / "survey.mcb")
            if not machine.finished("training"):
                state.points = load_samples(files / "survey.safetensors")

    def do_training() -> dict[str, Any]:
        assert state.points is not None
        found = training_stage(state, machine.file.pinned)
        early.extend([] if found is None else [found])
        save_samples(files / "training.safetensors", state.points)
        if state.flow is not None:
            state.flow.save(files / "training.mcb")
        assert state.figures_of_vegas is not None
        return {
            "training": state.training,
            "early": None if found is None else decision_to_json(found),
            "flow": state.flow is not None,
            "vegas": state.figures_of_vegas.as_json(),
        }

    def read_training(result: dict[str, Any]) -> None:
        state.training = dict(result["training"])
        if result["early"] is not None:
            early.append(decision_from_json(result["early"]))
        if needed:
            state.points = load_samples(files / "training.safetensors")
            state.flow = Sampler.load(files / "training.mcb") if result["flow"] else None
            state.figures_of_vegas = figures_from_json(result["vegas"])

    machine.step("survey", do_survey, read_survey)
    machine.step("training", do_training, read_training)
    state.early = early[0] if early else None


def _choice(state: State, machine: Machine) -> Decision:
    files = machine.folder.path / CHECKPOINTS
    found: list[Decision] = []

    def choose() -> dict[str, Any]:
        pinned = machine.file.pinned
        found.append(
            choice_of_given(state, pinned) if machine.file.sampler_file else choice_stage(state, pinned, state.early)
        )
        if state.fresh is not None:
            save_samples(files / "choice.safetensors", state.fresh)
        return decision_to_json(found[0])

    def read(result: dict[str, Any]) -> None:
        found.append(decision_from_json(result))
        path = files / "choice.safetensors"
        if path.exists() and not machine.finished("uncertainties"):
            state.fresh = load_samples(path)

    # What the choice has cost belongs to the training in the summary, as it always did.
    machine.step("choice", choose, read, timed="choice" if machine.file.sampler_file else "training")
    return found[0]


def _integration(state: State, machine: Machine, sampler: Sampler | None) -> Integral:
    card, process = state.card, state.process
    files = machine.folder.path / CHECKPOINTS
    keep = card.events > 0 and card.integration.evaluations <= MOST_KEPT
    found: list[Integral] = []

    def do() -> dict[str, Any]:
        assert sampler is not None
        live = state.progress.live("Integration")
        sums: list[list[Accumulator]] = []

        def report(done: int, total: int) -> None:
            note, figures = _so_far(sums[-1] if sums else [])
            live(done, total, note, **figures)

        integral = integrate(
            process,
            sampler,
            card.integration.evaluations,
            card.integration.iterations,
            state.streams,
            purpose="integration",
            guard=state.guard,
            threads=state.threads,
            on_progress=report,
            on_sums=lambda found: sums.__setitem__(slice(0, None), [found]),
            keep=keep,
            chunk=card.scaling.chunk or CHUNK,
            chunk_map=chunk_map(state, files / "integration"),
        )
        log.info("cross section %.6g +- %.2g pb, chi2/dof %.2f", integral.mean, integral.error, integral.chi2_dof)
        if integral.samples is not None:
            save_samples(files / "integration.safetensors", integral.samples)
        found.append(integral)
        return integral_to_json(integral)

    def read(result: dict[str, Any]) -> None:
        samples = load_samples(files / "integration.safetensors") if keep and not machine.finished("report") else None
        found.append(integral_from_json(result, state.guard.log, samples))

    machine.step("integration", do, read)
    return found[0]


def _so_far(sums: list[Accumulator]) -> tuple[str, dict[str, float]]:
    """The integral so far, as a text and as figures."""
    used = [one for one in sums if one.n]
    if not used or len(used) < len(sums):
        return "", {}
    mean = float(sum(one.mean[0] for one in used))
    error = float(np.sqrt(sum(one.covariance[0, 0] / one.n for one in used)))
    return f"{mean:.6g} +- {error:.2g} pb", {"cross_section": mean, "error": error}


def _events(
    state: State, machine: Machine, sampler: Sampler | None, integral: Integral, choice: Decision
) -> dict[str, Any]:
    """Unweighting and event file; the figures of the unweighting, empty without events."""
    if not state.card.events:
        for name in ("unweighting", "events"):
            machine.step(name, dict)
        return {}
    result: dict[str, Any] = {}
    made: list[Any] = []
    folder = machine.folder

    def unweighting() -> dict[str, Any]:
        assert sampler is not None
        if state.card.mode == "exact":
            made.append(make_events(state, folder, sampler, integral, choice))
        return {}

    def events() -> dict[str, Any]:
        assert sampler is not None
        if state.card.mode == "surrogate":
            result.update(write_surrogate_events(state, folder, sampler, integral, choice))
        else:
            if not made:  # done by an earlier process: its parts are found again
                made.append(make_events(state, folder, sampler, integral, choice))
            result.update(join_events(state, folder, made[0]))
        result.update(finish_events(state, folder, machine.file.start))
        return result

    machine.step("unweighting", unweighting)
    machine.step("events", events, result.update, timed="unweighting")
    return result
