"""Training of the sampler of one process of Sherpa, and the choice between it and Sherpa's own mapping."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mcbridge import core
from mcbridge.integration import Guard, Samples
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.samplers.cells import CellTable
from plugin.choice import Decision, Figures, Goal, decide, decide_early, measured_figures
from plugin.training.config import TrainingConfig
from plugin.training.cost import estimate_training_seconds
from plugin.training.measures import judge
from sherpa_interface.integrand import SherpaIntegrand, SherpaMeter

__all__ = ["Trained", "own_mapping", "sherpa_training_config", "train_process"]

log = logging.getLogger("plugin.sherpa")

_MIXTURES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)

Choice = Literal["auto", "flow", "vegas"]


@dataclass
class Trained:
    """What is known of one process after its training.

    Attributes:
        name: as Sherpa calls it.
        description: what the plug-in says of it (coordinates, flavours, fingerprint).
        sampler: what will draw its points: flow, or Sherpa's own mapping.
        decision: flow or Sherpa's own mapping (``"vegas"``), with figures and reason.
        points: all points that were paid for.
        fresh: points of the flow that it was not trained on, or None.
        evaluations: of the integrand.
        cpu_seconds: of Sherpa and of the training together [s].
        training: figures of the training, or None.
    """

    name: str
    description: dict[str, Any]
    sampler: Sampler
    decision: Decision
    points: Samples
    fresh: Samples | None
    evaluations: int
    cpu_seconds: float
    training: dict[str, Any] | None


def own_mapping(integrand: SherpaIntegrand) -> Sampler:
    """Sherpa's own mapping: uniform points, every discrete choice with Sherpa's probability."""
    table = CellTable.of(integrand.discrete, integrand.dim)
    assert table is not None  # the channel of Comix is always a discrete coordinate
    channel = core.ChannelSampler(integrand.dim, cells=table.to_core())
    return Sampler([channel], metadata={"name": integrand.name})


def sherpa_training_config(points: int, threads: int = 1) -> TrainingConfig:
    """Settings for Sherpa's integrands: those of the training itself, with larger flows and more fine-tuning.

    Sherpa's integrands are cheap and its multi-channel keeps their tails in check, so that what is left is narrow
    structure over many points.

    Arguments:
        points: all points that the training will see.
        threads: of the kernel.
    """
    many = points >= 300_000
    return TrainingConfig(
        hidden=48 if many else 32,
        bins=12 if many else 10,
        batch=512,
        fine_tuning_steps=int(min(3000, 600 + points // 100)),
        eps_candidates=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4),
        threads=threads,
    )


def train_process(
    integrand: SherpaIntegrand,
    recorded: Samples | None,
    mode: Choice,
    events: int,
    evaluations: int,
    choice_points: int,
    integration_points: int,
    streams: Streams,
    threads: int = 1,
    checkpoint: Path | None = None,
    on_progress: Callable[[Any], None] | None = None,
) -> Trained:
    """Train a flow on top of Sherpa's optimised mapping where that may pay, and choose on fresh points.

    Arguments:
        integrand: of one process, with Sherpa's optimised map.
        recorded: points that Sherpa's integration has paid for already, in the same map; None without.
        mode: ``"auto"`` measures and chooses, the others insist.
        events: unweighted events that this process will have to deliver.
        evaluations: of the integrand for the training, beside the recorded points.
        choice_points: fresh points for each of the two samplers.
        integration_points: planned for the cross section.
        streams: random numbers.
        threads: of the kernel.
        checkpoint: file for the best parameters of the training, or None.
        on_progress: called with a :class:`plugin.training.TrainingStatus`.
    """
    meter, guard = SherpaMeter(integrand), Guard()
    base = own_mapping(integrand)
    # Sherpa's own mapping has its integration behind it; with the flow it is still to be paid for.
    goal = Goal(events, 0 if events else integration_points)
    integration = integration_points if events else 0
    own, fresh = measured_figures(meter, base, choice_points, streams, "choice vegas", guard)
    points = fresh if recorded is None else Samples.concatenate([recorded, fresh])

    def found(
        decision: Decision,
        sampler: Sampler = base,
        training: dict[str, Any] | None = None,
        seconds: float = 0.0,
        fresh: Samples | None = None,
    ) -> Trained:
        log.info("%s: %s; %s", integrand.name, decision.sampler, decision.reason)
        return Trained(
            integrand.name,
            integrand.description,
            sampler,
            decision,
            points,
            fresh,
            meter.evaluations,
            meter.cpu_seconds + seconds,
            training,
        )

    if mode == "vegas":
        seconds = {"vegas": goal.seconds(own, own)}
        return found(Decision("vegas", None, "asked for by SAMPLER: vegas", seconds, {"vegas": own}, "pinned"))
    config = replace(
        sherpa_training_config(len(points) + evaluations, threads),
        checkpoint=None if checkpoint is None else str(checkpoint),
    )
    if mode == "auto":
        expected = estimate_training_seconds(integrand.dim, len(points) + evaluations, config)
        early = decide_early(own, goal, expected, evaluations + choice_points + integration)
        if early is not None:
            return found(early)
    from plugin.training import train

    before = meter.cpu_seconds
    result = train(meter, base, points, config, streams, evaluations, guard, on_progress)
    # result.cpu_seconds is that of this process, meter.cpu_seconds that of Sherpa.
    training = {
        "steps": result.steps,
        "evaluations": result.evaluations,
        "cpu_seconds": result.cpu_seconds + meter.cpu_seconds - before,
        "reason": result.reason,
    }
    points = result.samples
    if result.diverged:
        reason = f"the training of the flow diverged ({result.reason}); Sherpa's own mapping takes over"
        decision = Decision("vegas", "vegas", reason, {}, {"vegas": own}, "after training")
        return found(decision, base, training, result.cpu_seconds)
    flow, drawn = measured_figures(meter, result.sampler, choice_points, streams, "choice flow", guard)
    mixed, flow = best_mixture(result.sampler, drawn, flow, own, goal)
    decision = _decide(own, flow, goal, integration)
    if mode == "flow":
        reason = f"asked for by SAMPLER: flow; measured: {decision.reason}"
        decision = replace(decision, sampler="flow", reason=reason, stage="pinned")
    sampler = mixed if decision.sampler == "flow" else base
    return found(decision, sampler, training, result.cpu_seconds, drawn)


def _decide(own: Figures, flow: Figures, goal: Goal, integration: int) -> Decision:
    """The choice after training, by CPU time; what the integration with the flow costs is counted."""
    decision = decide(own, flow, goal)
    seconds = {**decision.seconds, "flow": decision.seconds["flow"] + integration * flow.seconds_per_point}
    if decision.sampler == "flow" and seconds["flow"] > seconds["vegas"]:
        cost = integration * flow.seconds_per_point
        reason = f"{decision.reason}; but the flow does not win back the {cost:.3g} s of its integration"
        return replace(decision, sampler="vegas", measured="vegas", reason=reason, seconds=seconds)
    return replace(decision, seconds=seconds)


def best_mixture(
    sampler: Sampler, fresh: Samples, figures: Figures, own: Figures, goal: Goal
) -> tuple[Sampler, Figures]:
    """The sampler with the share of Sherpa's own mapping that reaches the goal soonest, and its figures.

    The held-out points of the training have chosen a share by few large weights; fresh points, reweighted, know better.

    Arguments:
        sampler: as the training left it.
        fresh: points that it drew.
        figures: of these points.
        own: figures of Sherpa's own mapping.
        goal: what is still to be computed.
    """
    channel = sampler.channels[0]
    live = fresh.select(fresh.weight != 0.0)
    vegas, flow = channel.densities(live.u)
    best = (goal.seconds(figures, own), channel.eps, figures)
    for eps in _MIXTURES:
        found = judge(live.weight, live.density, eps * vegas + (1.0 - eps) * flow, len(fresh))
        candidate = replace(figures, rsd=found.sigma / abs(found.mean), efficiency=found.efficiency)
        best = min(best, (goal.seconds(candidate, own), eps, candidate), key=lambda entry: entry[0])
    return sampler.with_eps(best[1]), best[2]


def figures_json(figures: Figures) -> dict[str, float]:
    """Figures of merit as ``summary.json`` holds them."""
    return {**figures.as_dict(), "cpu_seconds_per_point": figures.seconds_per_point}
