"""Figures of merit of a density that did not draw the points, by reweighting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcbridge.integrands.protocol import Array

__all__ = ["Moments", "best_eps", "judge"]

QUANTILE = 1e-3


@dataclass(frozen=True)
class Moments:
    """Of one channel.

    Attributes:
        mean: of the weights, with their sign.
        absolute: mean of their absolute values.
        second: mean of their squares.
        efficiency: of unweighting at the quantile of overweight.
        largest: weight that unweighting takes as the largest then.
        live: share of the points with a weight other than 0.
    """

    mean: float
    absolute: float
    second: float
    efficiency: float
    largest: float = 0.0
    live: float = 0.0

    @property
    def sigma(self) -> float:
        """Standard deviation of a weight."""
        return float(np.sqrt(max(self.second - self.mean**2, 0.0)))


def judge(target: Array, density: Array, proposed: Array, n: int, quantile: float = QUANTILE) -> Moments:
    """What the weights ``target/proposed`` would be if ``proposed`` had drawn the points.

    Arguments:
        target: (k,), alpha f, non-zero.
        density: (k,), what drew the points.
        proposed: (k,), the density in question.
        n: number of points drawn, those with weight 0 included.
        quantile: share of the absolute weight that may lie above the largest weight of the unweighting.
    """
    if not len(target) or n < 1:
        return Moments(0.0, 0.0, 0.0, 0.0)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        weight = np.abs(target) / proposed
        share = proposed / density
    total = float(np.sum(np.abs(target) / density))
    mean = float(np.sum(target / density)) / n
    second = float(np.sum(weight * (np.abs(target) / density))) / n
    if not np.isfinite(second):
        return Moments(mean, total / n, float("inf"), 0.0)
    order = np.argsort(-weight)
    heavy, number = weight[order], np.cumsum(share[order])
    carried = np.cumsum(heavy * share[order])
    # The excess above w_max = heavy[k] grows with k; it must not exceed the quantile of the total.
    last = max(int(np.searchsorted(carried - heavy * number, quantile * total)) - 1, 0)
    maximum = (carried[last] - quantile * total) / max(number[last], 1e-300)
    if maximum <= 0.0:  # one point carries less than the quantile
        maximum = float(heavy[last])
    live = min(float(np.sum(share)) / n, 1.0)  # below 1 where part of the density falls on weight 0
    return Moments(mean, total / n, second, float(min(total / n / maximum, live)), float(maximum), live)


def efficiency_and_spread(found: Moments) -> float:
    """``efficiency / sqrt(second moment)``: what serves events and integral alike."""
    return float(found.efficiency / np.sqrt(found.second)) if found.second > 0.0 else 0.0


def best_eps(
    target: Array,
    density: Array,
    vegas: Array,
    flow: Array,
    n: int,
    candidates: Sequence[float],
    merit: Callable[[Moments], float] = efficiency_and_spread,
    quantile: float = QUANTILE,
) -> tuple[float, Moments]:
    """The share of the VEGAS density with the best figure of merit.

    Arguments:
        target, density, n: see :func:`judge`.
        vegas, flow: (k,), densities of the two parts of the mixture.
        candidates: what is tried, increasing; the first is the lower bound.
        merit: the figure of merit.
        quantile: see :func:`judge`.
    """
    best: tuple[float, float, Moments] | None = None
    for eps in candidates:
        found = judge(target, density, eps * vegas + (1.0 - eps) * flow, n, quantile)
        score = merit(found)
        if best is None or score > best[0]:
            best = (score, float(eps), found)
    assert best is not None  # there is at least one candidate
    return best[1], best[2]
