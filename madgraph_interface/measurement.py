"""Fresh points of a trained sampler: the share of MadEvent's grid it had better have, and what it is worth then."""

from __future__ import annotations

import time
from dataclasses import dataclass

from madgraph_interface.integrand import MadEventIntegrand
from mcbridge.integrands import Array
from mcbridge.integration import Guard, Samples, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.choice import Figures
from plugin.training.measures import judge

__all__ = ["HIGHEST", "TRUNCATION", "Measured", "measure"]

TRUNCATION = 0.01
"""Share of the cross section that MadEvent leaves above the largest weight (``trunc_max`` of its run_config.inc)."""

HIGHEST = 0.005
"""Share of the cross section above the weight that no job takes a larger one than as its largest."""

SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Shares of the grid that are tried."""


@dataclass(frozen=True)
class Measured:
    """A frozen sampler, measured with points that it was not trained with.

    Attributes:
        sampler: with the share of the grid that costs least.
        figures: all points in one iteration, unweighted by MadEvent's policy.
        largest: weight that unweighting takes as the largest [pb].
        highest: the same, where :data:`HIGHEST` of the cross section may lie above [pb].
        live: share of points with a weight other than 0.
    """

    sampler: Sampler
    figures: Figures
    largest: float
    highest: float
    live: float


def measure(integrand: MadEventIntegrand, sampler: Sampler, n: int, streams: Streams, guard: Guard) -> Measured:
    """Draw n fresh points; the first half sees which share of the grid is best, the second half is drawn with it.

    A flow is steep where it has seen no point in its training, and a share of the grid bounds the weights there; how
    large a share the training's own points cannot tell. All points together judge the share that was chosen.

    Arguments:
        integrand: of one channel.
        sampler: of the training.
        n: points.
        streams: random numbers.
        guard: counts failures.
    """
    begin = time.process_time()
    first = fresh_weights(integrand, sampler, n - n // 2, streams, purpose="choice", guard=guard)
    chosen = sampler.with_eps(_share(first, sampler))
    second = fresh_weights(integrand, chosen, n // 2, streams, purpose="choice of the share", guard=guard)
    drawing = (time.process_time() - begin) / n  # what the sampler itself costs is part of a point
    points = Samples.concatenate([first, second])
    live = points.select(points.weight != 0.0)
    # Half of the points are of one mixture, half of the other: all are points of their mean.
    density = 0.5 * (_density(sampler, live) + _density(chosen, live))
    usual, tight = (
        judge(live.weight, density, _density(chosen, live), n, quantile) for quantile in (TRUNCATION, HIGHEST)
    )
    figures = Figures(
        points=n,
        mean=usual.mean,
        error=usual.sigma / n**0.5,
        rsd=usual.sigma / abs(usual.mean) if usual.mean else float("inf"),
        efficiency=usual.efficiency,
        kish=usual.absolute**2 / usual.second if usual.second else 0.0,
        seconds_per_point=integrand.seconds_per_evaluation + drawing,
    )
    return Measured(chosen, figures, usual.largest, max(usual.largest, tight.largest), usual.live)


def _density(sampler: Sampler, points: Samples) -> Array:
    channel = sampler.channels[0]
    vegas, flow = channel.densities(points.u)
    mixed: Array = channel.eps * vegas + (1.0 - channel.eps) * flow
    return mixed


def _share(points: Samples, sampler: Sampler) -> float:
    """The share of the grid with the most events per point."""
    live = points.select(points.weight != 0.0)
    vegas, flow = sampler.channels[0].densities(live.u)
    found = {
        share: judge(
            live.weight, live.density, share * vegas + (1.0 - share) * flow, len(points), TRUNCATION
        ).efficiency
        for share in SHARES
    }
    return max(found, key=lambda share: found[share])
