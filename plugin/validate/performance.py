"""What a sampler is worth: efficiencies and costs with their errors, and gains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcbridge.integrands import Array
from mcbridge.unweighting import kish, policy_named
from plugin.choice import Decision, Figures, Goal, decide, figures_of_channels
from plugin.validate.points import BLOCKS, Points

__all__ = ["POLICIES", "Measured", "Performance", "gain", "jackknife", "performance"]

POLICIES = ("quantile", "median", "exact")
"""Definitions of the largest weight that efficiencies are stated for (physics.md, section 3)."""


@dataclass(frozen=True)
class Measured:
    """A number with its standard error."""

    value: float
    error: float

    def as_json(self) -> dict[str, float | None]:
        """For files; what is not finite becomes null."""
        return {"value": _finite(self.value), "error": _finite(self.error)}


@dataclass(frozen=True)
class Performance:
    """Figures of merit of one sampler on its fresh points; errors by jackknife over independent replicas.

    Attributes:
        label: of the sampler.
        points: fresh points.
        cross_section: [pb].
        replicas: (blocks, 2), cross section and error of each replica [pb].
        chi2, dof: of the replicas about their mean.
        rsd: relative standard deviation of the weights, ``sum_i sigma_i / I``.
        efficiency: of unweighting, all trials counted, by policy of the largest weight.
        efficiency_after_cuts: of the trials with a weight, by policy.
        kish: Kish effective size per point.
        largest: largest weight over the mean one (of its channel).
        seconds_per_point: CPU time, amplitude included [s].
        figures: what the choice of a run looks at.
    """

    label: str
    points: int
    cross_section: Measured
    replicas: Array
    chi2: float
    dof: int
    rsd: Measured
    efficiency: dict[str, Measured]
    efficiency_after_cuts: dict[str, Measured]
    kish: Measured
    largest: float
    seconds_per_point: Measured
    figures: Figures

    @property
    def seconds_per_event(self) -> Measured:
        """CPU time of one unweighted event at the quantile policy [s]."""
        share = self.efficiency["quantile"]
        if not share.value > 0.0:
            return Measured(float("inf"), float("nan"))
        value = self.seconds_per_point.value / share.value
        relative = np.hypot(share.error / share.value, self.seconds_per_point.error / self.seconds_per_point.value)
        return Measured(value, float(value * relative))

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""
        return {
            "points": self.points,
            "cross_section_pb": self.cross_section.as_json(),
            "replicas_pb": self.replicas.tolist(),
            "chi2": self.chi2,
            "dof": self.dof,
            "relative_std": self.rsd.as_json(),
            "efficiency": {name: found.as_json() for name, found in self.efficiency.items()},
            "efficiency_after_cuts": {name: found.as_json() for name, found in self.efficiency_after_cuts.items()},
            "kish_per_point": self.kish.as_json(),
            "largest_weight_over_mean": _finite(self.largest),
            "seconds_per_point": self.seconds_per_point.as_json(),
            "seconds_per_event": self.seconds_per_event.as_json(),
        }


def performance(points: Points) -> Performance:
    """Figures of merit of fresh points."""
    channels = points.by_channel()
    seconds, seconds_error = points.seconds_per_point
    figures = figures_of_channels(channels, seconds)
    replicas = np.array([_estimate(points.by_channel(points.block == index)) for index in range(BLOCKS)])
    spread = replicas[:, 0] - np.mean(replicas[:, 0])
    pooled = float(np.mean(replicas[:, 1] ** 2))
    found = jackknife(_measures, points)
    return Performance(
        points.label,
        len(points),
        Measured(figures.mean, figures.error),
        replicas,
        float(np.sum(spread**2) / pooled) if pooled > 0.0 else 0.0,
        BLOCKS - 1,
        found[0],
        dict(zip(POLICIES, found[2 : 2 + len(POLICIES)], strict=True)),
        dict(zip(POLICIES, found[2 + len(POLICIES) :], strict=True)),
        found[1],
        _largest(channels),
        Measured(seconds, seconds_error),
        figures,
    )


def jackknife(measure: Callable[[list[Array]], Array], points: Points) -> list[Measured]:
    """Figures of all points, with the errors of the jackknife that leaves out one replica at a time."""
    value = measure(points.by_channel())
    found = np.stack([measure(points.by_channel(points.block != index)) for index in range(BLOCKS)])
    errors = np.sqrt((BLOCKS - 1) / BLOCKS * np.sum((found - np.mean(found, axis=0)) ** 2, axis=0))
    return [Measured(float(one), float(error)) for one, error in zip(value, errors, strict=True)]


def gain(before: Measured, after: Measured) -> Measured:
    """``before / after`` with its error, the two being independent."""
    if not (before.value > 0.0 and after.value > 0.0):
        return Measured(float("nan"), float("nan"))
    value = before.value / after.value
    return Measured(value, float(value * np.hypot(before.error / before.value, after.error / after.value)))


def chosen(vegas: Performance, flow: Performance, goal: Goal) -> Decision:
    """What a run would choose on these points."""
    return decide(vegas.figures, flow.figures, goal)


def _measures(weights: list[Array]) -> Array:
    """Relative standard deviation, Kish size per point, efficiencies of all trials and after cuts by policy."""
    generator = np.random.default_rng(0)
    live = [w for w in weights if len(w) and np.any(w)]
    if not live:
        return np.zeros(2 + 2 * len(POLICIES))
    mean = float(sum(np.mean(w) for w in live))
    absolute = float(sum(np.mean(np.abs(w)) for w in live))
    inside = np.array([np.count_nonzero(w) / len(w) for w in live])
    largest = [np.array([policy_named(name)(w, generator) for w in live]) for name in POLICIES]
    return np.array(
        [
            float(sum(np.std(w) for w in live)) / abs(mean) if mean else np.inf,
            _kish_per_point(weights),
            *(absolute / float(np.sum(w_max)) for w_max in largest),
            *(absolute / float(np.sum(w_max * inside)) for w_max in largest),
        ]
    )


def _estimate(weights: list[Array]) -> tuple[float, float]:
    live = [w for w in weights if len(w) > 1]
    return float(sum(np.mean(w) for w in live)), float(sum(np.var(w, ddof=1) / len(w) for w in live)) ** 0.5


def _kish_per_point(weights: list[Array]) -> float:
    live = [w for w in weights if len(w)]
    points = sum(len(w) for w in live)
    everything = np.concatenate([w * (points / len(w)) for w in live]) if live else np.zeros(1)
    return kish(everything) / points if points else 0.0


def _largest(weights: list[Array]) -> float:
    live = [w for w in weights if len(w) and np.any(w)]
    return max((float(np.max(np.abs(w)) / np.mean(np.abs(w))) for w in live), default=0.0)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
