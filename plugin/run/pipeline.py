"""The main job: run card in, cross section and unweighted events out.

survey -> early choice -> training -> choice on fresh points -> integration -> unweighting -> files.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, Integral, Samples, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, drop_channels, survey
from plugin.card import Card, dump_card
from plugin.choice import Decision, Figures, Goal, decide, decide_early, measured_figures
from plugin.report.run import end_of_run
from plugin.run.events import MOST_KEPT, write_events
from plugin.run.folder import RunFolder
from plugin.run.process import build_process
from plugin.run.progress import Progress, training_note
from plugin.run.reuse import check_sampler, sampler_metadata
from plugin.run.summary import summary
from plugin.run.uncertainties import learn_replicas
from plugin.training.config import TrainingConfig

__all__ = ["RunResult", "State", "decision_stage", "run", "survey_stage"]

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


@dataclass
class State:
    """What the stages of a run hand on."""

    card: Card
    process: Metered
    streams: Streams
    guard: Guard
    progress: Progress
    vegas: Sampler | None = None
    flow: Sampler | None = None
    points: Samples | None = None
    fresh: Samples | None = None
    training: dict[str, Any] = field(default_factory=dict)
    uncertain: Sampler | None = None
    uncertain_note: str = ""
    cpu: dict[str, float] = field(default_factory=dict)

    def figures(self, sampler: Sampler, purpose: str) -> tuple[Figures, Samples]:
        """Fresh independent points, a fixed number for each sampler."""
        return measured_figures(self.process, sampler, self.card.choice.evaluations, self.streams, purpose, self.guard)


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
        UserError: something in the card, the process or the file system is wrong; nothing half-written is left.
    """
    process = Metered(build_process(card.process))
    reused = None if sampler_file is None else check_sampler(Sampler.load(sampler_file), card, process)
    folder = RunFolder(None if output is None else Path(output), card.process.name)
    try:
        folder.write("card.yaml", dump_card(card))
        log.info("process %s, seed %d, instruction set %s", process.name, card.seed, core.instruction_set())
        with Progress(quiet) as progress:
            state = State(
                card, process, Streams(card.seed), Guard(max_failure_fraction=card.failures.fraction), progress
            )
            result = _stages(state, folder, decision, reused)
    except BaseException as error:
        log.error("the run ended early: %s", error)
        folder.abandon()
        raise
    folder.close()
    return result


def _stages(state: State, folder: RunFolder, pinned: str | None, reused: Sampler | None) -> RunResult:
    card, process = state.card, state.process
    if reused is None:
        _timed(state, "survey", survey_stage)
        choice = _timed(state, "training", decision_stage, pinned)
    else:
        state.flow = reused if reused.has_flow else None
        state.vegas = reused.vegas()
        choice = _timed(state, "choice", _choose, pinned)
    sampler = state.flow if choice.sampler == "flow" else state.vegas
    assert sampler is not None  # the choice names only samplers that exist
    log.info("choice: %s; %s", choice.sampler, choice.reason)
    stored = state.flow or sampler
    _timed(state, "uncertainties", learn_replicas, stored, sampler)
    stored.metadata.update(sampler_metadata(card, process))
    stored.save(folder.path / "sampler.mcb")
    folder.write("decision.json", choice.as_json())

    def integration(state: State) -> Integral:
        return integrate(
            process,
            sampler,
            card.integration.evaluations,
            card.integration.iterations,
            state.streams,
            purpose="integration",
            guard=state.guard,
            threads=card.threads,
            on_progress=state.progress.counter("Integration", card.integration.evaluations),
            keep=card.events > 0 and card.integration.evaluations <= MOST_KEPT,
        )

    integral: Integral = _timed(state, "integration", integration)
    log.info("cross section %.6g +- %.2g pb, chi2/dof %.2f", integral.mean, integral.error, integral.chi2_dof)
    events: dict[str, Any] = {}
    if card.events:
        events = _timed(state, "unweighting", lambda s: write_events(s, folder, sampler, integral, choice))
    content = summary(state, integral, choice, events)
    folder.write("summary.json", content)
    end_of_run(folder.path, content, integral)
    return RunResult(folder.path, integral, choice, content)


def survey_stage(state: State) -> None:
    """Adapt the VEGAS maps; sets ``vegas`` and ``points`` of the state."""
    card = state.card.survey
    found = survey(
        state.process,
        card.evaluations,
        state.streams,
        increments=card.increments,
        guard=state.guard,
        on_progress=state.progress.counter("Survey (VEGAS)", card.evaluations),
    )
    if not np.any(found.samples.weight):
        raise UserError(
            f"all {len(found.samples)} points of the survey have weight zero: the cuts of the process leave no phase "
            "space, or the amplitude vanishes"
        )
    state.vegas, state.points = found.sampler, found.samples
    if card.drop_channels and state.process.channels > 1:
        state.vegas = drop_channels(found.sampler, found.samples, card.drop_channels)
    log.info("survey: %s", found)


def decision_stage(state: State, pinned: str | None) -> Decision:
    """Flow or VEGAS, training included where it may pay; sets ``flow`` and ``training`` of the state."""
    card = state.card
    assert state.vegas is not None
    assert state.points is not None
    asked = pinned or (None if card.sampler == "auto" else card.sampler)
    goal = Goal(card.events, card.integration.evaluations)
    vegas, fresh = state.figures(state.vegas, "choice vegas")
    if asked == "vegas":
        return Decision(
            "vegas", None, _asked(card, pinned), {"vegas": goal.seconds(vegas, vegas)}, {"vegas": vegas}, "pinned"
        )
    if asked is None:
        from plugin.training.cost import estimate_training_seconds

        points = (len(state.points) + card.training.evaluations) // state.process.channels
        seconds = estimate_training_seconds(state.process.dim, points, training_config(card))
        early = decide_early(vegas, goal, seconds, card.training.evaluations + card.choice.evaluations)
        if early is not None:
            return early
    # What the comparison has paid for is training data as well.
    state.points = Samples.concatenate([replace(part, channel_weight=None) for part in (state.points, fresh)])
    return _after_training(state, vegas, goal, pinned)


def _after_training(state: State, vegas: Figures, goal: Goal, pinned: str | None) -> Decision:
    from plugin.training import train

    card = state.card
    assert state.vegas is not None
    assert state.points is not None
    trained = train(
        state.process,
        state.vegas,
        state.points,
        training_config(card),
        state.streams,
        card.training.evaluations,
        guard=state.guard,
        on_progress=state.progress.status("Training", "step", "steps", training_note),
    )
    state.training = {
        "steps": trained.steps,
        "evaluations": trained.evaluations,
        "diverged": trained.diverged,
        "reason": trained.reason,
        "history": [look.as_json() for look in trained.history],
    }
    if trained.diverged:
        reason = f"the training of the flow diverged ({trained.reason}); VEGAS takes over"
        log.warning(reason)
        return Decision("vegas", "vegas", reason, {}, {"vegas": vegas}, "after training")
    state.flow = trained.sampler
    state.points = trained.samples
    flow, state.fresh = state.figures(state.flow, "choice flow")
    return _final(decide(vegas, flow, goal), card, pinned)


def training_config(card: Card) -> TrainingConfig:
    """The settings of the training that a card asks for."""
    settings = card.training.model_dump(exclude={"evaluations", "flow"})
    return TrainingConfig(**settings, kind=card.training.flow, threads=card.threads)


def _choose(state: State, pinned: str | None) -> Decision:
    """The choice for a sampler of an earlier run: nothing is left to train."""
    card = state.card
    assert state.vegas is not None
    goal = Goal(card.events, card.integration.evaluations)
    vegas, _ = state.figures(state.vegas, "choice vegas")
    if state.flow is None:
        return Decision("vegas", "vegas", "the sampler file holds no flow", {}, {"vegas": vegas}, "pinned")
    flow, _ = state.figures(state.flow, "choice flow")
    return _final(decide(vegas, flow, goal), card, pinned)


def _final(measured: Decision, card: Card, pinned: str | None) -> Decision:
    asked = pinned or (None if card.sampler == "auto" else card.sampler)
    if asked is None:
        return measured
    return Decision(
        "flow" if asked == "flow" else "vegas",
        measured.measured,
        f"{_asked(card, pinned)}; measured: {measured.reason}",
        measured.seconds,
        measured.figures,
        "pinned",
    )


def _asked(card: Card, pinned: str | None) -> str:
    return f"pinned to {pinned} by an earlier decision" if pinned else f"the card asks for 'sampler: {card.sampler}'"


def _timed(state: State, stage: str, work: Any, *arguments: Any) -> Any:
    start = time.process_time()
    result = work(state, *arguments)
    state.cpu[stage] = time.process_time() - start
    return result
