"""The figures of merit of a sampler, measured on fresh independent points."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mcbridge.integrands import Array
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, Samples, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.unweighting import Quantile, efficiency, kish

__all__ = ["QUANTILE", "Figures", "figures_of_channels", "measured_figures"]

PROBE = 20_000
"""Points drawn at most to measure what the sampler itself costs."""

QUANTILE = 1e-3
"""Share of the cross section above the largest weight in every efficiency that is compared."""


@dataclass(frozen=True)
class Figures:
    """What fresh points say about a sampler.

    Attributes:
        points: number of fresh points.
        mean: estimate of the integral (pb for a process).
        error: its standard error.
        rsd: sum of the channels' standard deviations over the integral (optimal allocation).
        efficiency: of unweighting at the quantile policy, all trials counted.
        kish: Kish effective sample size per point.
        seconds_per_point: CPU time of one point, amplitude and sampler [s].
    """

    points: int
    mean: float
    error: float
    rsd: float
    efficiency: float
    kish: float
    seconds_per_point: float

    def seconds_per_event(self) -> float:
        """CPU time of one unweighted event [s]."""
        return self.seconds_per_point / self.efficiency if self.efficiency > 0 else float("inf")

    @staticmethod
    def mean_of(parts: Sequence[Figures]) -> Figures:
        """Figures over parts of a sampler's points with as many points each.

        The efficiency is that of a run which takes its largest weight from a part: events over the mean number of
        trials. All points together would find a larger weight, where there is a tail.
        """
        n = len(parts)
        mean = sum(part.mean for part in parts) / n
        spread = sum((part.rsd * part.mean) ** 2 for part in parts) / n
        return Figures(
            points=sum(part.points for part in parts),
            mean=mean,
            error=sum(part.error**2 for part in parts) ** 0.5 / n,
            rsd=spread**0.5 / abs(mean) if mean else float("inf"),
            efficiency=_harmonic([part.efficiency for part in parts]),
            kish=_harmonic([part.kish for part in parts]),
            seconds_per_point=sum(part.seconds_per_point for part in parts) / n,
        )

    def as_dict(self) -> dict[str, float]:
        """The figures under the names that ``summary.json`` uses."""
        return {
            "cross_section_pb": self.mean,
            "cross_section_error_pb": self.error,
            "relative_std": self.rsd,
            "unweighting_efficiency": self.efficiency,
            "kish_per_point": self.kish,
            "points": self.points,
        }

    def as_json(self) -> dict[str, float]:
        """Every figure, for storage."""
        return asdict(self)


def _harmonic(values: list[float]) -> float:
    return len(values) / sum(1.0 / value for value in values) if all(values) else 0.0


def measured_figures(
    integrand: Metered, sampler: Sampler, points: int, streams: Streams, purpose: str, guard: Guard
) -> tuple[Figures, Samples]:
    """Figures of merit of a sampler on fresh points.

    Arguments:
        integrand: its meter knows what an evaluation costs.
        points: evaluations of the integrand to spend.
        purpose: label of the random numbers.
        guard: what is tolerated of the integrand.

    Returns:
        the figures, and the points, with which a training may go on but not the integral of the sampler that won.
    """
    probe = min(points, PROBE)
    generator = streams.generator("sampling cost")
    start = time.process_time()
    for channel in range(integrand.channels):
        sampler.draw(channel, probe // integrand.channels + 1, generator)
    drawing = (time.process_time() - start) / probe
    # The price of these points alone: where cuts are cheap, a sampler that avoids them pays more for a point.
    seconds, evaluations = integrand.cpu_seconds, integrand.evaluations
    fresh = fresh_weights(integrand, sampler, points, streams, purpose=purpose, guard=guard)
    evaluating = (integrand.cpu_seconds - seconds) / max(integrand.evaluations - evaluations, 1)
    weights = [fresh.event_weights[fresh.channel == channel] for channel in range(integrand.channels)]
    return figures_of_channels(weights, evaluating + drawing), fresh


def figures_of_channels(weights: list[Array], seconds_per_point: float) -> Figures:
    """Figures of merit from the event weights of each channel's fresh points.

    Arguments:
        weights: for each channel the weights ``alpha_i f/g_i`` of its points, zeros included.
        seconds_per_point: CPU time of one point [s].

    The multi-channel forms are those of physics.md, section 1: ``rsd = sum_i sigma_i / I`` and
    ``efficiency = sum_i I_i / sum_i w_max,i``.
    """
    policy = Quantile(QUANTILE)
    generator = np.random.default_rng(0)
    live = [w for w in weights if len(w)]
    mean = float(sum(w.mean() for w in live))
    absolute = float(sum(np.abs(w).mean() for w in live))
    variance = float(sum(w.var() / max(len(w) - 1, 1) for w in live))
    spread = float(sum(w.std() for w in live))
    largest = float(sum(policy(w, generator) for w in live if np.any(w)))
    points = sum(len(w) for w in live)
    everything = np.concatenate([w * points / len(w) for w in live]) if live else np.zeros(1)
    if len(live) == 1:
        share = efficiency(live[0], largest) if largest > 0 else 0.0
    else:
        share = absolute / largest if largest > 0 else 0.0
    return Figures(
        points=points,
        mean=mean,
        error=variance**0.5,
        rsd=spread / abs(mean) if mean else float("inf"),
        efficiency=float(share),
        kish=float(kish(everything)) / points if points and np.any(everything) else 0.0,
        seconds_per_point=seconds_per_point,
    )
