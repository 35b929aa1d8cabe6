"""Fresh points of a trained sampler: the share of MadEvent's grid it had better have, and what it is worth then."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from madgraph_interface.integrand import MadEventIntegrand
from mcbridge.integration import Guard, Samples, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.choice import Figures
from plugin.training.measures import Moments, best_eps

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
    known = _Points()
    drawing = 0.0  # what the sampler itself costs is part of a point

    def draw(share: float, number: int) -> None:
        nonlocal drawing
        own, begin = sampler.with_eps(share), time.process_time()
        points = fresh_weights(integrand, own, number, streams, purpose=f"choice {known.parts}", guard=guard)
        drawing += time.process_time() - begin
        known.add(own, points)

    draw(sampler.channels[0].eps, n - n // 2)
    draw(known.best()[0], n // 2)
    while True:
        share, usual = known.best()
        expected = events / max(usual.efficiency, 1e-6)
        more = min(known.n, round(AFFORDABLE * expected) - known.n, MOST - known.n)
        if more < known.n // 4:
            break
        draw(share, more)
    figures = Figures(
        points=known.n,
        mean=usual.mean,
        error=usual.sigma / known.n**0.5,
        rsd=usual.sigma / abs(usual.mean) if usual.mean else float("inf"),
        efficiency=usual.efficiency,
        kish=usual.absolute**2 / usual.second if usual.second else 0.0,
        seconds_per_point=integrand.seconds_per_evaluation + drawing / known.n,
    )
    highest = max(usual.largest, known.best((share,), HIGHEST)[1].largest)
    return Measured(sampler.with_eps(share), figures, usual.largest, highest, usual.live)


class _Points:
    """Points of several mixtures of the same flow and grid: all are points of the mean of these mixtures.

    Attributes:
        n: number of all points.
        parts: number of mixtures.
    """

    def __init__(self) -> None:
        self.n = self.parts = 0
        self._of_grid = 0.0  # points that the grid has drawn, on average
        self._weight, self._grid, self._flow = np.zeros(0), np.zeros(0), np.zeros(0)

    def add(self, sampler: Sampler, points: Samples) -> None:
        """Points of one more mixture."""
        channel, live = sampler.channels[0], points.select(points.weight != 0.0)
        grid, flow = channel.densities(live.u)
        self._weight = np.concatenate([self._weight, live.weight])
        self._grid, self._flow = np.concatenate([self._grid, grid]), np.concatenate([self._flow, flow])
        self._of_grid += channel.eps * len(points)
        self.n += len(points)
        self.parts += 1

    def best(self, shares: Sequence[float] = SHARES, quantile: float = TRUNCATION) -> tuple[float, Moments]:
        """The share of the grid with the most events per point, and the figures of that mixture."""
        eps = self._of_grid / self.n
        density = eps * self._grid + (1.0 - eps) * self._flow
        return best_eps(
            self._weight, density, self._grid, self._flow, self.n, shares, lambda found: found.efficiency, quantile
        )
