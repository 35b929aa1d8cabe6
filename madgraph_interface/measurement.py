"""Fresh points of a trained sampler: the share of MadEvent's grid it had better have, and what it is worth then."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from madgraph_interface.integrand import MadEventIntegrand
from mcbridge.integrands import Array
from mcbridge.integration import Guard, Samples, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.choice import Figures
from plugin.training.measures import Moments, judge

__all__ = ["HIGHEST", "TRUNCATION", "Measured", "measure"]

TRUNCATION = 0.01
"""Share of the cross section that MadEvent leaves above the largest weight (``trunc_max`` of its run_config.inc)."""

HIGHEST = 0.005
"""Share of the cross section above the weight that no job takes a larger one than as its largest."""

AFFORDABLE, MOST = 0.1, 300_000
"""Share of the points that the events are expected to take which may be spent on knowing it better; most points."""

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


def measure(
    integrand: MadEventIntegrand, sampler: Sampler, n: int, events: float, streams: Streams, guard: Guard
) -> Measured:
    """Draw fresh points, and choose the share of the grid in the sampler by them.

    A flow is steep where it has seen no point in its training, and a share of the grid bounds the weights there; how
    large a share the training's own points cannot tell. One large weight among few points decides over all events: as
    long as these are expected to take many more points, as many points again are drawn as there are.

    Arguments:
        integrand: of one channel.
        sampler: of the training.
        n: points at first.
        events: that the channel will have to deliver.
        streams: random numbers.
        guard: counts failures.
    """
    begin = time.process_time()
    parts: list[tuple[Sampler, Samples]] = []

    def draw(own: Sampler, number: int) -> None:
        purpose = f"choice {len(parts)}"
        parts.append((own, fresh_weights(integrand, own, number, streams, purpose=purpose, guard=guard)))

    draw(sampler, n - n // 2)
    known = _Points(parts)
    draw(sampler.with_eps(known.share), n // 2)
    while True:
        known = _Points(parts)
        expected = events / max(known.usual.efficiency, 1e-6)
        more = min(known.n, round(AFFORDABLE * expected) - known.n, MOST - known.n)
        if more < known.n // 4:
            break
        draw(sampler.with_eps(known.share), more)
    usual = known.usual
    drawing = (time.process_time() - begin) / known.n  # what the sampler itself costs is part of a point
    figures = Figures(
        points=known.n,
        mean=usual.mean,
        error=usual.sigma / known.n**0.5,
        rsd=usual.sigma / abs(usual.mean) if usual.mean else float("inf"),
        efficiency=usual.efficiency,
        kish=usual.absolute**2 / usual.second if usual.second else 0.0,
        seconds_per_point=integrand.seconds_per_evaluation + drawing,
    )
    highest = max(usual.largest, known.judge(known.share, HIGHEST).largest)
    return Measured(sampler.with_eps(known.share), figures, usual.largest, highest, usual.live)


class _Points:
    """Points of several mixtures of the same flow and grid: all are points of the mean of these mixtures.

    Attributes:
        n: number of all points.
        share: of the grid, with the most events per point.
        usual: figures of that mixture, at MadEvent's truncation.
    """

    def __init__(self, parts: list[tuple[Sampler, Samples]]) -> None:
        self.n = sum(len(points) for _, points in parts)
        live = [points.select(points.weight != 0.0) for _, points in parts]
        densities = [sampler.channels[0].densities(points.u) for (sampler, _), points in zip(parts, live, strict=True)]
        self._weight = np.concatenate([points.weight for points in live])
        self._grid, self._flow = (np.concatenate([own[k] for own in densities]) for k in (0, 1))
        eps = sum(sampler.channels[0].eps * len(points) for sampler, points in parts) / self.n
        self._density = self._mixture(eps)
        found = {share: self.judge(share, TRUNCATION) for share in SHARES}
        self.share = max(SHARES, key=lambda share: found[share].efficiency)
        self.usual = found[self.share]

    def _mixture(self, share: float) -> Array:
        mixed: Array = share * self._grid + (1.0 - share) * self._flow
        return mixed

    def judge(self, share: float, quantile: float) -> Moments:
        """Figures with another share of the grid."""
        return judge(self._weight, self._density, self._mixture(share), self.n, quantile)
