"""``binnis sherpa run``: Sherpa's optimisation, training, choice, generation.

optimisation (recording) -> training and choice for every process -> sampler file -> generation -> event file, summary.
"""

from __future__ import annotations

import logging
import resource
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.random import Streams
from plugin.report.run import report_beside
from plugin.run.folder import RunFolder
from plugin.run.progress import Progress, training_note
from sherpa_interface.card import Process, SherpaCard, binnis_block, load_sherpa_card, partonic_processes
from sherpa_interface.colours import cheaper_colours
from sherpa_interface.events import EventRecord, finish_events
from sherpa_interface.integrand import SherpaIntegrand, installation
from sherpa_interface.output import CrossSection, cross_sections
from sherpa_interface.points import read_points
from sherpa_interface.process import Installation, run_sherpa
from sherpa_interface.sampler_file import write_samplers
from sherpa_interface.server import Server
from sherpa_interface.summary import summary
from sherpa_interface.training import Choice, Trained, train_process

__all__ = ["Settings", "SherpaRunResult", "run_card"]

log = logging.getLogger("plugin.sherpa")


@dataclass(frozen=True)
class Settings:
    """What the user asked for on the command line.

    Attributes:
        events: unweighted events; None takes ``EVENTS`` of the card.
        seed: of Sherpa and of the training.
        sampler: ``auto``, ``flow`` or ``vegas``; None takes ``BINNIS: {SAMPLER: ...}`` of the card.
        evaluations: of the integrand for the training of each process.
        choice: fresh points for each of flow and Sherpa's own mapping.
        integration: points of the integration with the trained sampler, for each process.
        split: whether groups of processes are divided into partonic channels, each with its own sampler.
        replicas: draws of the Bayesian flow; 0 for events without uncertainties.
        threads: of the flow kernel.
        quiet: no progress bars.
    """

    events: int | None = None
    seed: int = 1
    sampler: Choice | None = None
    evaluations: int = 400_000
    choice: int = 50_000
    integration: int = 500_000
    split: bool = True
    replicas: int = 32
    threads: int = 1
    quiet: bool = False


@dataclass
class SherpaRunResult:
    """What a run leaves behind.

    Attributes:
        folder: the run folder.
        cross_sections: of all processes with the chosen samplers.
        own: the same by Sherpa's optimisation run.
        processes: what was trained.
        summary: the content of ``summary.json``.
    """

    folder: Path
    cross_sections: dict[str, CrossSection]
    own: dict[str, CrossSection]
    processes: list[Trained]
    summary: dict[str, Any]


@dataclass
class State:
    """What the stages hand on."""

    card: SherpaCard
    settings: Settings
    program: Installation
    folder: Path
    progress: Progress
    streams: Streams
    mode: Choice = "auto"
    events: int = 0
    overlay: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the CPU time of a stage, that of its Sherpa processes included."""
        start = _cpu()
        yield
        self.cpu[name] = self.cpu.get(name, 0.0) + _cpu() - start


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def run_card(
    card: str | Path,
    settings: Settings | None = None,
    output: str | Path | None = None,
    prefix: str | Path | Installation | None = None,
) -> SherpaRunResult:
    """Do what a Sherpa run card says, with a trained sampler where that pays.

    Arguments:
        card: the run card (``Sherpa.yaml``), which stays as it is.
        settings: see :class:`Settings`.
        output: folder to make; None for the first free ``runs/<card>_NN``.
        prefix: of Sherpa, or an installation.

    Raises:
        UserError: the card, Sherpa or the file system is wrong; Sherpa's own words are in the sentence.
    """
    settings = settings or Settings()
    loaded = load_sherpa_card(card)
    program = prefix if isinstance(prefix, Installation) else installation(prefix)
    folder = RunFolder(None if output is None else Path(output), loaded.path.stem)
    try:
        with Progress(settings.quiet) as progress:
            state = State(
                loaded,
                settings,
                program,
                folder.path.resolve(),
                progress,
                Streams(settings.seed),
                mode=settings.sampler or _choice(loaded.sampler),
                events=loaded.events if settings.events is None else settings.events,
            )
            shutil.copy(loaded.path, folder.path / "Sherpa.yaml")
            result = _stages(state, folder)
    except BaseException as error:
        log.error("the run ended early: %s", error)
        if isinstance(error, UserError):
            error = UserError(_keep_log(str(error), folder))
            folder.abandon()
            raise error from None
        folder.abandon()
        raise
    folder.close()
    return result


def _choice(name: str) -> Choice:
    return "flow" if name == "flow" else "vegas" if name == "vegas" else "auto"


def _keep_log(sentence: str, folder: RunFolder) -> str:
    """Where the folder of a failed run is going to be removed, keep Sherpa's log beside it."""
    if (folder.path / "sampler.mcb").exists():
        return sentence
    for path in folder.path.resolve().glob("*/sherpa.log"):
        if str(path) in sentence:
            kept = folder.path.with_name(f"{folder.path.name}.sherpa.log")
            shutil.copy(path, kept)
            return sentence.replace(str(path), str(kept))
    return sentence


def _stages(state: State, folder: RunFolder) -> SherpaRunResult:
    with state.stage("processes"):
        _find_processes(state)
    with state.stage("optimisation"):
        own, trials = _optimise(state)
    with state.stage("training"):
        trained = _train(state, own)
    write_samplers(folder.path / "sampler.mcb", trained, {"seed": state.settings.seed, **state.notes})
    folder.write("decision.json", {process.name: process.decision.as_json() for process in trained})
    with state.stage("generation"):
        results = _generate(state, trained, own)
    with state.stage("events"):
        record = finish_events(state, trained, results) if state.events else EventRecord()
    content = summary(state, trained, own, results, record, trials)
    folder.write("summary.json", content)
    report_beside(folder.path)
    return SherpaRunResult(folder.path, results, own, trained, content)


def _find_processes(state: State) -> None:
    """The partonic channels of the card, and whether colours are summed or sampled."""
    descriptions = []
    for process in state.card.processes:
        with Server(state.program, state.card.path, {"PROCESSES": [process]}) as server:
            description = server.description
        descriptions.append(description)
        if description["subprocesses"] and state.settings.split:
            state.processes += partonic_processes(process, description["subprocesses"], description["incoming"])
        else:
            state.processes.append(process)
    sampled = any(description["colours"] == "sampled" for description in descriptions)
    if sampled and "COLOR_SCHEME" not in state.card.settings:
        overlay, note = cheaper_colours(state.program, state.card.path, state.card.processes, state.streams)
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
        "SHERPA_LDADD": "SherpaBinnis",
        "INTEGRATOR": ["Binnis"],
        "BINNIS": binnis_block(**binnis),
        "RANDOM_SEED": state.settings.seed,
    }


def _optimise(state: State) -> tuple[dict[str, CrossSection], int]:
    """Sherpa's own optimisation and integration, untouched; the points after the optimisation are recorded."""
    folder = state.folder / "optimisation"
    folder.mkdir()
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


def _train(state: State, own: dict[str, CrossSection]) -> list[Trained]:
    total = sum(abs(result.value) for result in own.values())
    trained = []
    base = state.folder / "optimisation" / "Results.zip"
    for number, process in enumerate(state.processes):
        overlay = {**state.overlay, "PROCESSES": [process]}
        with SherpaIntegrand(
            state.card.path, base, state.program, overlay, workers=max(1, state.settings.threads)
        ) as integrand:
            result = own.get(integrand.name)
            if result is None:
                raise UserError(f"Sherpa did not integrate {integrand.name}")
            if result.value == 0.0:
                raise UserError(f"the cross section of {integrand.name} is 0; take the process out of the card")
            recorded = read_points(state.folder / "optimisation" / f"points.{integrand.name}.points", integrand.dim)
            share = abs(result.value) / total
            trained.append(
                train_process(
                    integrand,
                    recorded if len(recorded) else None,
                    state.mode,
                    round(state.events * share),
                    state.settings.evaluations,
                    state.settings.choice,
                    state.settings.integration,
                    Streams(state.settings.seed + 1000 * number),
                    state.settings.threads,
                    state.folder / f"training.{integrand.name}.safetensors",
                    state.progress.status(f"Training {number + 1}", "step", "steps", training_note),
                )
            )
        (state.folder / f"training.{integrand.name}.safetensors").unlink(missing_ok=True)
        recorded_file = state.folder / "optimisation" / f"points.{integrand.name}.points"
        recorded_file.unlink(missing_ok=True)  # the points are in memory as long as they are needed
    return trained


def _generate(state: State, trained: list[Trained], own: dict[str, CrossSection]) -> dict[str, CrossSection]:
    """Integration and events with the chosen samplers; with Sherpa's own mapping everywhere, its results go on."""
    folder = state.folder / "generation"
    folder.mkdir()
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
