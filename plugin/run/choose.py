"""Survey, training, and the choice between flow and VEGAS."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import drop_channels, survey
from plugin.card import Card
from plugin.choice import Decision, Figures, decide, decide_early
from plugin.run.progress import training_note
from plugin.run.state import State
from plugin.training.config import TrainingConfig

__all__ = [
    "choice_of_given",
    "choice_stage",
    "decision_stage",
    "early_decision",
    "survey_stage",
    "training_config",
    "training_stage",
]

log = logging.getLogger("plugin.run")


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
    """Flow or VEGAS, training included where it may pay; sets ``flow`` of the state."""
    return choice_stage(state, pinned, training_stage(state, pinned))


def training_stage(state: State, pinned: str | None) -> Decision | None:
    """Measure VEGAS, and train a flow where that may pay; the decision where it is clear without a comparison."""
    card = state.card
    assert state.vegas is not None
    assert state.points is not None
    asked = _wish(card, pinned)
    goal = state.goal
    vegas, fresh = state.figures(state.vegas, "choice vegas")
    state.figures_of_vegas = vegas
    if asked == "vegas":
        return Decision(
            "vegas", None, _asked(card, pinned), {"vegas": goal.seconds(vegas, vegas)}, {"vegas": vegas}, "pinned"
        )
    if asked is None:
        early = early_decision(state, vegas)
        if early is not None:
            return early
    # What the comparison has paid for is training data as well.
    state.points = Samples.concatenate([replace(part, channel_weight=None) for part in (state.points, fresh)])
    return _train(state, vegas)


def early_decision(state: State, vegas: Figures) -> Decision | None:
    """The decision for VEGAS where a flow would not repay its training, with these figures of VEGAS."""
    from plugin.training.cost import estimate_training_seconds

    card = state.card
    assert state.points is not None
    points = (len(state.points) + card.training.evaluations) // state.process.channels
    seconds = estimate_training_seconds(state.process.dim, points, training_config(card))
    return decide_early(vegas, state.goal, seconds, card.training.evaluations + card.choice.evaluations)


def _train(state: State, vegas: Figures) -> Decision | None:
    """Train a flow; the decision for VEGAS where that failed."""
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
    return None


def choice_stage(state: State, pinned: str | None, early: Decision | None) -> Decision:
    """The decision of the training, or that of a comparison of the trained flow with VEGAS on fresh points."""
    if early is not None:
        return early
    assert state.figures_of_vegas is not None
    return _final(_compare(state, state.figures_of_vegas, pinned), state.card, pinned)


def _compare(state: State, vegas: Figures, pinned: str | None) -> Decision:
    """The decision by fresh points of VEGAS and flow, more of them where more is to be decided; sets ``fresh``.

    Few points see nothing of a tail, and overestimate the efficiency, most of all that of a sampler whose tail is rare.
    So the comparison grows with the time at stake: first to the points of the integration, with which the largest
    weight is as the run itself will find it, then over several such blocks.
    """
    assert state.vegas is not None
    assert state.flow is not None
    goal = state.goal
    flow, state.fresh = state.figures(state.flow, "choice flow")
    blocks: list[tuple[Figures, Figures]] = []
    # More points have to be worth their while: twice as many as there are, then a block.
    while _wish(state.card, pinned) is None and (wanted := goal.points_to_compare(vegas, flow)) >= (
        flow.points + goal.evaluations if blocks else 2 * flow.points
    ):
        points, label = min(wanted, goal.evaluations), f"{flow.points} points before"
        log.info("choice: compares with %d fresh points more of each, since much is at stake", points)
        vegas, _ = state.figures(state.vegas, f"choice vegas, {label}", points)
        flow, fresh = state.figures(state.flow, f"choice flow, {label}", points)
        if not blocks:
            state.fresh = fresh
        if points == goal.evaluations:
            blocks.append((vegas, flow))
            vegas, flow = (Figures.mean_of(parts) for parts in zip(*blocks, strict=True))
    return decide(vegas, flow, goal)


def training_config(card: Card) -> TrainingConfig:
    """The settings of the training that a card asks for."""
    settings = card.training.model_dump(exclude={"evaluations", "flow"})
    return TrainingConfig(**settings, kind=card.training.flow, threads=card.threads)


def choice_of_given(state: State, pinned: str | None) -> Decision:
    """The choice for a sampler of an earlier run: nothing is left to train."""
    card = state.card
    assert state.vegas is not None
    vegas, _ = state.figures(state.vegas, "choice vegas")
    if state.flow is None:
        return Decision("vegas", "vegas", "the sampler file holds no flow", {}, {"vegas": vegas}, "pinned")
    return _final(_compare(state, vegas, pinned), card, pinned)


def _final(measured: Decision, card: Card, pinned: str | None) -> Decision:
    asked = _wish(card, pinned)
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


def _wish(card: Card, pinned: str | None) -> str | None:
    """The sampler that an earlier decision or the card insists on; None where it is measured."""
    return pinned or (None if card.sampler == "auto" else card.sampler)


def _asked(card: Card, pinned: str | None) -> str:
    return f"pinned to {pinned} by an earlier decision" if pinned else f"the card asks for 'sampler: {card.sampler}'"
