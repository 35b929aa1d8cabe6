"""The main job: run card in, cross section and unweighted events out.

survey -> training (after an early choice) -> choice on fresh points -> uncertainties -> integration -> unweighting ->
events -> report, each of them a state that a resumed run does not do again.
"""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integration import Guard, Integral
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.scaling import Context, Evaluator
from mcbridge.version import __version__
from plugin.card import Card, dump_card, load_card
from plugin.card.model import ScalingCard
from plugin.choice import Decision
from plugin.run.checkpoints import decision_from_json, integral_from_json
from plugin.run.folder import CHECKPOINTS, RunFolder
from plugin.run.machine import Machine
from plugin.run.process import build_process
from plugin.run.progress import Progress
from plugin.run.reuse import check_sampler
from plugin.run.state import State
from plugin.run.statefile import StateFile
from plugin.run.states import go_through
from plugin.run.summary import read_summary
from plugin.run.systematic import check_systematic
from plugin.run.workers import MakeProcess, absolute, workers_of

__all__ = ["RunResult", "resume", "run"]

log = logging.getLogger("plugin.run")


@dataclass
class RunResult:
    """What a run leaves behind.

    Attributes:
        folder: the run folder.
        integral: the cross section with the chosen sampler (pb).
        decision: flow or VEGAS, with figures and reason.
        summary: the content of ``summary.json``.
    """

    folder: Path
    integral: Integral
    decision: Decision
    summary: dict[str, Any]

    def _repr_html_(self) -> str:
        return self.decision._repr_html_() + self.integral._repr_html_()

    @property
    def events(self) -> Path | None:
        """The event file, if there is one."""
        path = self.folder / "events.lhe.gz"
        return path if path.exists() else None


def run(
    card: Card,
    output: str | Path | None = None,
    decision: str | None = None,
    sampler_file: str | Path | None = None,
    quiet: bool = False,
) -> RunResult:
    """Do what a run card says.

    Arguments:
        card: the validated card (:func:`plugin.card.load_card`).
        output: folder to make; None for the first free ``runs/<process>_NN``.
        decision: ``"flow"`` or ``"vegas"`` to pin the choice of an earlier run.
        sampler_file: a trained sampler of an earlier run of the same process; survey and training are skipped.
        quiet: show no progress.

    Raises:
        UserError: something in the card, the process or the file system is wrong. A folder with something that a later
            run can use is left behind (:func:`resume`), but nothing half-written.
    """
    process = build_process(card.process)
    check_systematic(card)
    if sampler_file is not None:
        check_sampler(Sampler.load(sampler_file), card, process)
    folder = RunFolder(None if output is None else Path(output), card.process.name, lines=True)
    file = StateFile(
        binnis=__version__,
        process=card.process.name,
        instruction_set=core.instruction_set(),
        pinned="flow" if decision == "flow" else "vegas" if decision == "vegas" else None,
        working_directory=str(Path.cwd()),
        sampler_file=sampler_file is not None,
    )
    try:
        folder.write("card.yaml", dump_card(card))
        if sampler_file is not None:
            shutil.copy(sampler_file, folder.checkpoints / "given.mcb")
        file.save(folder.path)
    except BaseException:
        folder.abandon()
        raise
    return _go(card, process, folder, file, quiet)


def resume(path: str | Path, quiet: bool = False, scaling: ScalingCard | None = None) -> RunResult:
    """Go on with a run that was interrupted; it ends with the events that it would have had.

    Arguments:
        path: the run folder.
        quiet: show no progress.
        scaling: where to do the work from now on, if not as the card says.

    Raises:
        UserError: the folder is none of a run, is in use, or a checkpoint in it cannot be read.
    """
    path = Path(path)
    file = StateFile.load(path)
    card = load_card(path / "card.yaml")
    if scaling is not None:
        # What the random numbers depend on stays.
        same = {"chunk": card.scaling.chunk, "block": card.scaling.block}
        card = card.model_copy(update={"scaling": scaling.model_copy(update=same)})
    if file.current is None:
        return _finished(path, file)
    if file.binnis != __version__:
        log.warning("the run was begun by version %s; this is %s", file.binnis, __version__)
    folder = RunFolder(path, card.process.name, resume=True, lines=True)
    try:
        file = StateFile.load(path)  # again, now that nobody else writes it
        process = _process_again(card, file)
        check_systematic(card, file.start)
        file.resumed += 1
        file.save(path)
    except BaseException:
        folder.abandon(keep=True)
        raise
    if file.instruction_set != core.instruction_set():
        log.warning(
            "the run was begun with the instruction set %s; with %s its events differ in the last digits",
            file.instruction_set,
            core.instruction_set(),
        )
    return _go(card, process, folder, file, quiet)


def _process_again(card: Card, file: StateFile) -> Any:
    """The process of a resumed run, whose relative paths start where the run was begun."""
    start = file.start
    if start is None or start == Path.cwd():
        return build_process(card.process)
    if str(start) not in sys.path:
        sys.path.insert(0, str(start))
    return build_process(absolute(card.process, start))


def _finished(path: Path, file: StateFile) -> RunResult:
    """The result of a run that has nothing left to do."""
    content = read_summary(path)
    if (path / CHECKPOINTS).is_dir():  # the run was killed at its very end
        folder = RunFolder(path, file.process, resume=True)
        folder.clean()
        folder.close()
    try:
        decision = decision_from_json(file.states["choice"].result)
        failures = Guard().log
        integral = integral_from_json(file.states["integration"].result, failures, None)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path / 'state.json'} is damaged ({type(error).__name__}: {error})") from None
    return RunResult(path, integral, decision, content)


def _go(card: Card, process: Any, folder: RunFolder, file: StateFile, quiet: bool) -> RunResult:
    begun = bool(file.resumed)
    try:
        log.info("process %s, seed %d, instruction set %s", process.name, card.seed, core.instruction_set())
        if begun:
            log.info("resumed in the state %s", file.current)
        make = MakeProcess.of(card.process, file.start)
        context = Context(make, make.key, time_limit=card.scaling.time_limit)
        guard = Guard(card.failures.fraction, card.failures.minimum_points)
        with workers_of(card.scaling) as workers, Progress(quiet, folder.line) as progress:
            evaluator = Evaluator(process, context, workers, card.scaling.block)
            state = State(card, evaluator, Streams(card.seed), guard, progress, workers=workers, context=context)
            result = RunResult(folder.path, *go_through(state, Machine(folder, file, state)))
    except BaseException as error:
        log.error("the run ended early: %s", str(error) or type(error).__name__)
        worth = begun or file.done("survey") or file.done("choice")
        folder.line(status="ended early", message=str(error) or type(error).__name__)
        folder.abandon(keep=worth)
        if isinstance(error, UserError) and worth:
            raise type(error)(f"{error}. What was computed is kept: binnis run --resume {folder.path}") from None
        raise
    folder.close()
    return result
