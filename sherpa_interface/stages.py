"""The stages of ``binnis sherpa run``: processes, Sherpa's optimisation, training and choice, generation."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.random import Streams
from plugin.run.progress import training_note
from sherpa_interface.card import Process, binnis_block, partonic_processes
from sherpa_interface.checkpoints import Checkpoint, load_trained, save_trained
from sherpa_interface.colours import cheaper_colours
from sherpa_interface.integrand import SherpaIntegrand
from sherpa_interface.output import CrossSection, cross_sections
from sherpa_interface.paths import plugin_libraries
from sherpa_interface.points import read_points
from sherpa_interface.process import run_sherpa
from sherpa_interface.server import Server
from sherpa_interface.state import State
from sherpa_interface.training import Trained, train_process

__all__ = ["find_processes", "generate", "optimise", "train"]

log = logging.getLogger("plugin.sherpa")


def find_processes(state: State) -> None:
    """The partonic channels of the card, and whether colours are summed or sampled."""
    descriptions = []
    for process in state.card.processes:
        with Server(state.program, state.card.path, {**state.overlay, "PROCESSES": [process]}) as server:
            description = server.description
        descriptions.append(description)
        if description["subprocesses"] and state.settings.split:
            state.processes += partonic_processes(process, description["subprocesses"], description["incoming"])
        else:
            state.processes.append(process)
    sampled = any(description["colours"] == "sampled" for description in descriptions)
    if sampled and "COLOR_SCHEME" not in state.card.settings:
        overlay, note = cheaper_colours(
            state.program, state.card.path, state.card.processes, state.streams, state.overlay
        )
        state.overlay.update(overlay)
        state.notes["colours"] = note
        log.info("colours: %s", note)
    log.info("processes: %s", ", ".join(next(iter(process)) for process in state.processes))


def _overlay(state: State, **binnis: Any) -> dict[str, Any]:
    return {
        # Sherpa's own 0.1 decades a bin hide up to a quarter of the efficiency.
        "IB_WHBINS": state.card.settings.get("IB_WHBINS", 1000),
        **state.overlay,
        "PROCESSES": state.processes,
        "SHERPA_LDADD": plugin_libraries(state.card.path),
        "INTEGRATOR": ["Binnis"],
        "BINNIS": binnis_block(**binnis),
        "RANDOM_SEED": state.settings.seed,
    }


def _empty(folder: Path) -> Path:
    """A new folder; what a killed run has left there is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def optimise(state: State) -> tuple[dict[str, CrossSection], int]:
    """Sherpa's own optimisation and integration, untouched; the points after the optimisation are recorded."""
    folder = _empty(state.folder / "optimisation")
    overlay = {
        **_overlay(state, SAMPLER="auto", RECORD="points"),
        "EVENTS": 0,
        "EVENT_OUTPUT": "None",
        "RESULT_DIRECTORY": "Results",
    }
    bar = state.progress.counter("Sherpa optimises", len(state.processes))
    done = 0

    def watch(line: str) -> None:
        nonlocal done
        if cross_sections(line):
            done += 1
            bar(done, len(state.processes))

    text = run_sherpa(state.program, state.card.path, overlay, folder, watch)
    found = cross_sections(text)
    if not found:
        raise UserError(f"Sherpa reported no cross section (its log: {folder / 'sherpa.log'})")
    for result in found.values():
        log.info("Sherpa's own: %s %.6g +- %.2g pb", result.name, result.value, result.error)
    return found, sum(result.points for result in found.values())


def train(state: State, own: dict[str, CrossSection], begun: Checkpoint) -> list[Trained]:
    """Training and choice of every process, each kept in the folder as soon as it is done."""
    trained = []
    for number, process in enumerate(state.processes):
        known = load_trained(state.folder, number)
        if known is None:
            with state.stage("training"):
                known = _train_one(state, own, number, process)
                save_trained(state.folder, number, known)
            begun.save(state.folder)  # the CPU time so far
        trained.append(known)
    return trained


def _train_one(state: State, own: dict[str, CrossSection], number: int, process: Process) -> Trained:
    total = sum(abs(result.value) for result in own.values())
    optimised = state.folder / "optimisation"
    overlay = {**state.overlay, "PROCESSES": [process]}
    workers = max(1, state.settings.threads)
    with SherpaIntegrand(state.card.path, optimised / "Results.zip", state.program, overlay, workers) as integrand:
        result = own.get(integrand.name)
        if result is None:
            raise UserError(f"Sherpa did not integrate {integrand.name}")
        if result.value == 0.0:
            raise UserError(f"the cross section of {integrand.name} is 0; take the process out of the card")
        recorded_file = optimised / f"points.{integrand.name}.points"
        recorded = read_points(recorded_file, integrand.dim)
        best = state.folder / f"training.{integrand.name}.safetensors"
        trained = train_process(
            integrand,
            recorded if len(recorded) else None,
            state.mode,
            round(state.events * abs(result.value) / total),
            state.settings.evaluations,
            state.settings.choice,
            state.settings.integration,
            Streams(state.settings.seed + 1000 * number),
            state.settings.threads,
            best,
            state.progress.status(f"Training {number + 1}", "step", "steps", training_note),
        )
    best.unlink(missing_ok=True)
    return trained


def generate(state: State, trained: list[Trained], own: dict[str, CrossSection]) -> dict[str, CrossSection]:
    """Integration and events with the chosen samplers; with Sherpa's own mapping everywhere, its results go on."""
    folder = _empty(state.folder / "generation")
    optimised = state.folder / "optimisation" / "Results.zip"
    flow = any(process.decision.sampler == "flow" for process in trained)
    settings = state.card.settings
    common = {
        "EVENTS": state.events,
        "EVENT_GENERATION_MODE": settings.get("EVENT_GENERATION_MODE", "Unweighted"),
        "EVENT_OUTPUT": "LHEF[events]" if state.events else "None",
        "RESULT_DIRECTORY": "Results",
        "RANDOM_SEED": state.settings.seed + 1,
    }
    if flow:
        overlay = {
            **_overlay(
                state, SAMPLER="flow", FILE=str(state.folder / "sampler.mcb"), BASE=str(optimised), ACCEPTED="accepted"
            ),
            **common,
            # One iteration fixes nothing any more: the map is frozen. The weight histogram begins with the second.
            "PSI": {"NPOWER": 0, "NOPT": 1, "MAXOPT": 4, "ITMIN": max(1000, state.settings.integration // 5)},
        }
    else:
        shutil.copy(optimised, folder / "Results.zip")
        overlay = {**_overlay(state, SAMPLER="vegas"), **common}
    bar = state.progress.counter("Sherpa generates", max(state.events, 1))

    def watch(line: str) -> None:
        for part in line.split("\r"):
            words = part.split()
            if len(words) > 2 and "Event" in words and words[words.index("Event") + 1].isdigit():
                bar(int(words[words.index("Event") + 1]), max(state.events, 1))

    text = run_sherpa(state.program, state.card.path, overlay, folder, watch)
    return cross_sections(text) if flow else own
