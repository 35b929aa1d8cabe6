"""``binnis sherpa run``: Sherpa's optimisation, training, choice, generation.

optimisation (recording) -> training and choice for every process -> sampler file -> generation -> event file, summary.
"""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.random import Streams
from plugin.report.run import report_beside
from plugin.run.folder import RunFolder
from plugin.run.progress import Progress
from sherpa_interface.card import load_sherpa_card
from sherpa_interface.checkpoints import Checkpoint, results_from_json, results_to_json
from sherpa_interface.events import EventRecord, finish_events
from sherpa_interface.integrand import installation
from sherpa_interface.output import CrossSection
from sherpa_interface.paths import absolute_paths
from sherpa_interface.process import Installation
from sherpa_interface.sampler_file import write_samplers
from sherpa_interface.stages import find_processes, generate, optimise, train
from sherpa_interface.state import Settings, State
from sherpa_interface.summary import summary
from sherpa_interface.training import Choice, Trained

__all__ = ["Settings", "SherpaRunResult", "resume_run", "run_card"]

log = logging.getLogger("plugin.sherpa")


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
    files = absolute_paths(loaded.path)
    folder = RunFolder(None if output is None else Path(output), loaded.path.stem, command="binnis sherpa run")
    begun = Checkpoint(loaded.path.stem, asdict(settings), program.sherpa.version, files)
    return _run(begun, folder, loaded.path, settings.quiet, program)


def resume_run(
    folder: str | Path, prefix: str | Path | Installation | None = None, quiet: bool = False
) -> SherpaRunResult:
    """Go on with an interrupted run: finished stages and finished trainings are not repeated.

    Arguments:
        folder: of the run, which ends with the same sampler and the same events as without the interruption.
        prefix: of Sherpa, or an installation.
        quiet: no progress bars.

    Raises:
        UserError: as :func:`run_card`; or the folder is none of an interrupted run.
    """
    path = Path(folder)
    begun = Checkpoint.load(path)
    program = prefix if isinstance(prefix, Installation) else installation(prefix)
    if program.sherpa.version != begun.sherpa:
        raise UserError(f"the run in {path} was begun with Sherpa {begun.sherpa}, this is {program.sherpa.version}")
    return _run(begun, RunFolder(path, begun.card, resume=True), None, quiet, program)


def _run(
    begun: Checkpoint, folder: RunFolder, card: Path | None, quiet: bool, program: Installation
) -> SherpaRunResult:
    """All stages that are not done; ``card`` is copied into the folder of a new run."""
    settings = begun.run_settings(quiet)
    try:
        with Progress(settings.quiet) as progress:
            if card is not None:
                shutil.copy(card, folder.path / "Sherpa.yaml")
            loaded = load_sherpa_card(folder.path / "Sherpa.yaml")
            state = State(
                loaded,
                settings,
                program,
                folder.path.resolve(),
                progress,
                Streams(settings.seed),
                name=begun.card,
                mode=settings.sampler or _choice(loaded.sampler),
                events=loaded.events if settings.events is None else settings.events,
                overlay=dict(begun.files),
                cpu=begun.cpu,
            )
            result = _stages(state, folder, begun)
    except BaseException as error:
        log.error("the run ended early: %s", error)
        kept = begun.worth_resuming
        if kept:
            log.error("binnis sherpa run --resume %s goes on", folder.path)
            print(f"binnis sherpa run --resume {folder.path} goes on with this run", file=sys.stderr)
        sentence = _keep_log(str(error), folder, kept) if isinstance(error, UserError) else None
        folder.abandon(keep=kept)
        if sentence is not None:
            raise UserError(sentence) from None
        raise
    folder.clean()
    folder.close()
    return result


def _choice(name: str) -> Choice:
    return "flow" if name == "flow" else "vegas" if name == "vegas" else "auto"


def _keep_log(sentence: str, folder: RunFolder, kept: bool) -> str:
    """Where the folder of a failed run is going to be removed, keep Sherpa's log beside it."""
    if kept:
        return sentence
    for path in folder.path.resolve().glob("*/sherpa.log"):
        if str(path) in sentence:
            copy = folder.path.with_name(f"{folder.path.name}.sherpa.log")
            shutil.copy(path, copy)
            return sentence.replace(str(path), str(copy))
    return sentence


def _stages(state: State, folder: RunFolder, begun: Checkpoint) -> SherpaRunResult:
    def done(stage: str, content: Any) -> None:
        begun.stages[stage] = content
        begun.save(state.folder)

    begun.save(state.folder)
    if "processes" in begun.stages:
        state.recall(begun.stages["processes"])
    else:
        with state.stage("processes"):
            find_processes(state)
        done("processes", state.found())
    if "optimisation" not in begun.stages:
        with state.stage("optimisation"):
            own, trials = optimise(state)
        done("optimisation", {"own": results_to_json(own), "trials": trials})
    own = results_from_json(begun.stages["optimisation"]["own"])
    trained = train(state, own, begun)
    for path in (state.folder / "optimisation").glob("points.*.points"):
        path.unlink()  # they are among the points of the trainings
    write_samplers(folder.path / "sampler.mcb", trained, {"seed": state.settings.seed, **state.notes})
    folder.write("decision.json", {process.name: process.decision.as_json() for process in trained})
    if "generation" not in begun.stages:
        with state.stage("generation"):
            results = generate(state, trained, own)
        done("generation", results_to_json(results))
    results = results_from_json(begun.stages["generation"])
    with state.stage("events"):
        record = finish_events(state, trained, results) if state.events else EventRecord()
    content = summary(state, trained, own, results, record, begun.stages["optimisation"]["trials"])
    folder.write("summary.json", content)
    (state.folder / "generation" / "events.lhe").unlink(missing_ok=True)  # events.lhe.gz has all of it
    report_beside(folder.path)
    return SherpaRunResult(folder.path, results, own, trained, content)
