"""One channel of MadEvent: which sampler draws its events with the least work."""

from __future__ import annotations

import os
import time
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from madgraph_interface.directory import Channel
from madgraph_interface.integrand import MadEventIntegrand
from madgraph_interface.measurement import TRUNCATION, measure
from madgraph_interface.records import SurveyRecord
from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.integration import Guard, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.unweighting import Quantile, efficiency
from plugin.choice import USUAL_GAIN, Figures, Goal, decide_early, figures_of_channels
from plugin.training.config import TrainingConfig
from plugin.training.cost import estimate_training_seconds, split_budget

__all__ = ["KEPT", "RESERVE", "SMALL", "Job", "Outcome", "early", "train_channel", "training_points"]

KEPT = 4 / 7
"""Share of MadEvent's points whose events are kept: those of the last of three iterations, which double."""

RESERVE = 1.05
"""With a frozen sampler there is one iteration, of so many more points than are expected to be needed (hook.h)."""

SMALL = 0.01
"""Share of the cross section below which no channel gets a flow that a card insists on."""

HALF = 3000.0
"""Points of a training, for each coordinate, with which a flow has half of the efficiency that it can reach."""

STAKE, POINTS = 0.1, (8000, 300_000)
"""Largest share of the points that MadEvent as it is would need that a training may take; least and most points."""

FROZEN_GAIN = 2.0
"""Efficiency of a usual flow over that of MadEvent's frozen grid."""

PROBE, PROBES = 1 / 3, (6000, 20_000)
"""Fresh points to judge a sampler by: a share of those it was trained with, within limits."""


CONFIG = TrainingConfig(eps_candidates=(0.05, 0.1, 0.2, 0.3, 0.5))
"""MadEvent's grid has spikes, which a flow sharpens where it has seen none: a share of the grid of up to a half."""


@dataclass(frozen=True)
class Job:
    """What a training needs to know.

    Attributes:
        channel: of the process directory.
        survey: what the hook recorded.
        wish: ``"auto"`` or ``"flow"``.
        evaluations: points of the training.
        events: unweighted events the channel will be asked for.
        seed: of the training's random numbers.
        grid: MadEvent's grid.
        efficiency: events per point of MadEvent as it is.
        share: of the channel in the cross section.
        imports: share of the time to load torch that its training has to pay for.
    """

    channel: Channel
    survey: SurveyRecord
    wish: str
    evaluations: int
    events: float
    seed: int
    grid: Path
    efficiency: float
    share: float = 1.0
    imports: float = 1.0

    @property
    def probe(self) -> int:
        """Fresh points to judge the flow by."""
        return int(np.clip(PROBE * self.evaluations, *PROBES))


@dataclass(frozen=True)
class Outcome:
    """What a training led to.

    Attributes:
        channel: of the process directory.
        choice: ``"madevent"`` (MadEvent as it is) or ``"flow"`` (a flow on top of its grid, frozen).
        reason: one sentence.
        figures: of what was measured; the efficiency is events per point as MadEvent generates them.
        evaluations: of the matrix element that were spent, at points with a weight other than 0.
        seconds: CPU time, MadEvent's included [s].
        sampler: file of the sampler, not yet in use; None for MadEvent as it is.
        fingerprint: of the cards it was trained with.
        largest: weight that unweighting takes as the largest [pb].
        highest: weight that no job takes a larger one than as its largest [pb].
        density: events that a point with a weight other than 0 yields, over the cross section [1/pb].
        grid: MadEvent's grid that the sampler stands on.
        events: that the choice was made for.
    """

    channel: Channel
    choice: str
    reason: str
    figures: dict[str, Figures] = field(default_factory=dict)
    evaluations: int = 0
    seconds: float = 0.0
    sampler: Path | None = None
    fingerprint: str = ""
    largest: float = 0.0
    highest: float = 0.0
    density: float = 0.0
    grid: Path = Path()
    events: float = 0.0


@dataclass(frozen=True)
class Candidate:
    """A sampler of the channel, or MadEvent as it is (None), and what an event costs with it.

    ``live`` is the share of points with a weight other than 0; ``largest`` and ``highest`` as in
    :class:`madgraph_interface.measurement.Measured`.
    """

    sampler: Sampler | None
    figures: Figures
    largest: float = 0.0
    live: float = 1.0
    highest: float = 0.0

    @property
    def density(self) -> float:
        """Events per point with a weight other than 0, over the cross section [1/pb]."""
        events = RESERVE * self.figures.efficiency / self.live if self.live else 0.0
        return events / self.figures.mean if self.figures.mean > 0 else 0.0

    @property
    def seconds_per_event(self) -> float:
        """CPU time of one unweighted event [s]."""
        return self.figures.seconds_per_event()


def _frozen(sampler: Sampler, weights: Array, seconds: float) -> Candidate:
    """A frozen sampler from fresh weights: all points in one iteration, unweighted by MadEvent's policy."""
    found = figures_of_channels([weights], seconds)
    if not np.any(weights):
        return Candidate(sampler, replace(found, efficiency=0.0))
    largest = float(Quantile(TRUNCATION)(weights, np.random.default_rng(0)))
    live = float(np.mean(weights != 0.0))
    return Candidate(sampler, replace(found, efficiency=efficiency(weights, largest) / RESERVE), largest, live)


def _surveyed(job: Job) -> dict[str, Candidate]:
    """What is known from MadEvent's survey: MadEvent as it is, and its grid frozen.

    MadEvent as it is keeps at most one point in ten as an event, and those of the last of three iterations only.
    """
    weights = job.survey.weights
    assert weights is not None
    frozen = _frozen(Sampler([core.ChannelSampler(job.survey.dim)]), weights, job.survey.seconds)
    alone = replace(frozen.figures, efficiency=job.efficiency)
    return {"madevent": Candidate(None, alone), "frozen": frozen}


def training_points(job: Job) -> int:
    """Points of the training with which training and events cost least together.

    With a flow of efficiency e T/(T + h) after a training of T points, T plus the points of the events is least at the
    square root of h times those of a flow of efficiency e. That of a usual flow follows from MadEvent's frozen grid.
    """
    frozen = _surveyed(job)["frozen"].figures.efficiency
    points = job.events / min(1.0, max(USUAL_GAIN * frozen, 1e-9))
    best = np.sqrt(HALF * job.survey.dim * points)
    return int(np.clip(min(best, STAKE * job.events / max(job.efficiency, 1e-9)), *POINTS))


def _best(candidates: dict[str, Candidate]) -> str:
    """MadEvent as it is, unless a flow has both the cheaper events and the smaller variance.

    Its grid alone, frozen, is no choice: MadEvent's iterations hide spikes of the grid, a frozen one does not.
    """
    alone, flow = candidates["madevent"], candidates.get("flow")
    if flow is None or flow.figures.rsd > alone.figures.rsd:
        return "madevent"
    return "flow" if flow.seconds_per_event < alone.seconds_per_event else "madevent"


def _reason(candidates: dict[str, Candidate], best: str, more: str = "") -> str:
    others = ", ".join(
        f"{name} {1e6 * found.seconds_per_event:.3g} us" for name, found in candidates.items() if name != best
    )
    text = f"{best} needs {1e6 * candidates[best].seconds_per_event:.3g} us of CPU time for an event"
    return text + (f" ({others})" if others else "") + (f"; {more}" if more else "")


def _goal(job: Job) -> Goal:
    return Goal(max(1, round(job.events)), 0)


def _not_worth_it(job: Job, candidates: dict[str, Candidate], evaluations: int) -> str:
    """Why no training could be repaid; empty where it may.

    MadEvent's own unweighting hides what its grid is worth: a usual flow has twice the efficiency of the frozen grid.
    """
    best = candidates[_best(candidates)].figures
    seconds = estimate_training_seconds(job.survey.dim, job.evaluations, CONFIG, job.imports)
    gain = max(USUAL_GAIN, FROZEN_GAIN * candidates["frozen"].figures.efficiency / max(best.efficiency, 1e-9))
    decision = decide_early(best, _goal(job), seconds, evaluations, gain)
    return "" if decision is None else decision.reason.replace("VEGAS needs", "it needs")


def early(job: Job) -> Outcome | None:
    """The choice without a training, where even a perfect flow would not repay one; None where it may.

    Where the card insists on flows, only channels that are next to nothing are left out.
    """
    candidates = _surveyed(job)
    best = _best(candidates)
    if job.wish == "flow":
        why = f"{job.share:.2%} of the events are not worth a flow" if job.share < SMALL else ""
    else:
        why = _not_worth_it(job, candidates, job.evaluations + job.probe)
    return _outcome(job, candidates, best, _reason(candidates, best, why)) if why else None


def _outcome(
    job: Job, candidates: dict[str, Candidate], choice: str, reason: str, evaluations: int = 0, seconds: float = 0.0
) -> Outcome:
    """Write the sampler of a choice beside the one in use."""
    chosen = candidates[choice]
    path = None
    if chosen.sampler is not None:
        job.channel.folder.mkdir(parents=True, exist_ok=True)
        path = job.channel.folder / f"sampler.new.{os.getpid()}"
        chosen.sampler.metadata["name"] = str(job.channel)
        chosen.sampler.save(path)
    figures = {name: found.figures for name, found in candidates.items()}
    return Outcome(
        job.channel,
        choice,
        reason,
        figures,
        evaluations,
        seconds,
        path,
        job.survey.fingerprint,
        chosen.largest,
        chosen.highest,
        chosen.density,
        job.grid,
        job.events,
    )


def train_channel(job: Job) -> Outcome:
    """Survey, training and choice of one channel, by a job of its ``madevent`` that answers with weights."""
    start = time.process_time()
    try:
        with MadEventIntegrand(job.channel, job.grid) as integrand:
            candidates, more = _train(job, integrand)
            choice = "flow" if job.wish == "flow" and "flow" in candidates else _best(candidates)
            seconds = time.process_time() - start + integrand.cpu_seconds
            reason = _reason(candidates, choice, more)
            return _outcome(job, candidates, choice, reason, integrand.calls, seconds)
    except (UserError, OSError) as error:
        reason = f"the training failed: {error}"
        return Outcome(job.channel, "madevent", reason, seconds=time.process_time() - start)


def _train(job: Job, integrand: MadEventIntegrand) -> tuple[dict[str, Candidate], str]:
    """All candidates that were made, and a clause on what was not."""
    streams, guard = Streams(zlib.crc32(f"{job.seed} {job.channel}".encode())), Guard()
    budget = split_budget(job.evaluations)
    candidates = _surveyed(job)

    base = Sampler([core.ChannelSampler(integrand.dim)])
    points = fresh_weights(integrand, base, budget.survey, streams, purpose="survey", guard=guard)
    candidates["frozen"] = _frozen(base, points.event_weights, integrand.seconds_per_evaluation)
    alone = candidates["madevent"].figures  # as if measured at the same time
    candidates["madevent"] = Candidate(None, replace(alone, seconds_per_point=integrand.seconds_per_evaluation))
    if job.wish == "auto":
        why = _not_worth_it(job, candidates, budget.training + job.probe)
        if why:
            return candidates, why
    from plugin.training import train

    trained = train(integrand, base, points, CONFIG, streams, budget.training, guard=guard)
    if trained.diverged:
        return candidates, f"the training of the flow diverged: {trained.reason}"
    found = measure(integrand, trained.sampler, job.probe, job.events, streams, guard)
    figures = replace(found.figures, efficiency=found.figures.efficiency / RESERVE)
    candidates["flow"] = Candidate(found.sampler, figures, found.largest, found.live, found.highest)
    return candidates, ""
