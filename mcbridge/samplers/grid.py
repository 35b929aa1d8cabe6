"""Grids of a product density, fitted to stored points.

VEGAS (G. P. Lepage, J. Comput. Phys. 27 (1978) 192; arXiv:2009.05112) adapts every axis to the projected square of
the integrand, with each point used once. Here all points that were ever evaluated are used, each with the density of
the mixture that drew it, so that a grid can be fitted again and again, at any number of increments, for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["BaseBins", "Grid", "fit_grid", "grid_density", "locate", "regrid", "uniform_grid"]

Grid = list[Array]
"""Knots of every axis, increasing from 0 to 1; every increment holds the same probability."""

_BASE = (512, 4096)  # fewest and most base bins of an axis
_CELLS = 65536  # a power of 2, so that cells are exact
_NARROWEST = 1e-12
_POLISHING = 2  # rounds over all axes
_PLACES = np.linspace(0.05, 0.95, 19)  # between its neighbours, where a knot may go


def uniform_grid(dim: int, increments: int) -> Grid:
    """The grid of the uniform density."""
    return [np.linspace(0.0, 1.0, increments + 1) for _ in range(dim)]


def regrid(edges: Array, mass: Array, increments: int) -> Array:
    """Knots (increments + 1,) with equal probability between them.

    Arguments:
        edges: (k + 1,) increasing, from 0 to 1.
        mass: (k,), positive; probability between two edges, spread evenly.
    """
    cumulative = np.concatenate([[0.0], np.cumsum(mass)])
    knots = np.interp(np.linspace(0.0, cumulative[-1], increments + 1), cumulative, edges)
    knots[0], knots[-1] = 0.0, 1.0
    if np.min(np.diff(knots)) < _NARROWEST:  # increments must not collapse: blend in the uniform grid a little
        knots = (1.0 - 4.0 * _NARROWEST * increments) * knots + 4.0 * _NARROWEST * np.arange(increments + 1)
        knots[-1] = 1.0
    return knots


def locate(knots: Array, values: Array) -> IntArray:
    """The interval (n,) between ``knots`` that each of the ``values`` (n,) in [0, 1] falls into.

    A table of equal cells answers for all values in cells without a knot; only the others need a search.
    """
    last = len(knots) - 2
    if len(values) < _CELLS // 4:
        return np.clip(np.searchsorted(knots, values, side="right") - 1, 0, last)
    table = np.clip(np.searchsorted(knots, np.arange(_CELLS + 1) / _CELLS, side="right") - 1, 0, last)
    cell = np.clip((values * _CELLS).astype(np.int64), 0, _CELLS - 1)
    index: IntArray = table[cell]
    unclear = np.flatnonzero((table[1:] > table[:-1])[cell])
    index[unclear] = np.clip(np.searchsorted(knots, values[unclear], side="right") - 1, 0, last)
    return index


def grid_density(grid: Sequence[Array], u: Array) -> Array:
    """Density (n,) of a grid at points ``u`` (n, axes)."""
    density = np.ones(len(u))
    for axis, knots in enumerate(grid):
        increments = len(knots) - 1
        density /= (np.diff(knots) * increments)[locate(knots, u[:, axis])]
    return density


@dataclass
class BaseBins:
    """Points sorted into fine bins of every axis, once.

    Attributes:
        edges: for every axis (bins + 1,) edges.
        index: for every axis (n,), the bin of every point.
        n: number of points.
    """

    edges: list[Array]
    index: list[IntArray]
    n: int

    @staticmethod
    def of(grid: Sequence[Array], u: Array) -> BaseBins:
        """Bins for points ``u`` (n, axes), half of them following ``grid``, half uniform for the tails."""
        number = int(np.clip(2 ** np.ceil(np.log2(max(len(u), 1) / 4)), *_BASE))
        edges = [regrid(knots, 1.0 / (len(knots) - 1) + np.diff(knots), number) for knots in grid]
        return BaseBins(edges, [locate(edge, u[:, axis]) for axis, edge in enumerate(edges)], len(u))

    def mixture(
        self, grids: Sequence[Sequence[Array]], counts: Sequence[int], factors: Sequence[Array] | None = None
    ) -> Array:
        """Density (n,) of all points together, drawn from several grids: the balance heuristic of Veach.

        Averaged over the base bins, which is exact enough for a fit and not meant for an estimate.

        Arguments:
            grids: what drew the points.
            counts: how many points each of them drew.
            factors: for each of them the density (n,) of the other coordinates; 1 if None.
        """
        total = float(sum(counts))
        density = np.zeros(self.n)
        for position, (grid, count) in enumerate(zip(grids, counts, strict=True)):
            part = np.full(self.n, count / total)
            if factors is not None:
                part *= factors[position]
            for axis, knots in enumerate(grid):
                cumulative = np.interp(self.edges[axis], knots, np.linspace(0.0, 1.0, len(knots)))
                part *= (np.diff(cumulative) / np.diff(self.edges[axis]))[self.index[axis]]
            density += part
        return density


def fit_grid(
    bins: BaseBins, function: Array, density: Array, increments: int, power: float = 2.0, sweeps: int = 8
) -> Grid:
    """The product density that makes ``E_q |f / q|^power`` least, as a grid.

    With power 2 that is the variance, VEGAS' aim. A larger power bounds the weights in the wide increments of the
    tails, at the price of noise. Each axis in turn is brought closer to its optimum given the others (all at once
    would overshoot in several dimensions): mass of an increment ``m' ~ (A m^(p-1))^(1/p)``, A its share of the sum.

    Arguments:
        bins: the points, in fine bins.
        function: (n,), f at the points.
        density: (n,), the density they were drawn with.
        increments: number of increments of every axis.
        power: see above, at least 2.
        sweeps: rounds over all axes.
    """
    fit = _ProductFit(bins, function, density, increments, power)
    if fit.scale == 0.0:
        return fit.knots
    best = fit.state()
    for _ in range(sweeps):
        for axis in range(len(bins.edges)):
            fit.share_out(axis)
        # Steep integrands make the sweeps swing: the best of them counts.
        if fit.objective < best[0]:
            best = fit.state()
    fit.reset(best)
    for _ in range(_POLISHING):
        for axis in range(len(bins.edges)):
            fit.polish(axis)
    return fit.knots


class _ProductFit:
    """A product density on its way to the optimum.

    Attributes:
        knots: for every axis (increments + 1,).
        mass: for every axis (bins,), probability of the base bins.
        terms: (n,), ``|f|^p / (g q^(p-1))`` of every point; their sum is what is made least.
        scale: largest |f|; 0 where there is nothing to fit.
    """

    def __init__(self, bins: BaseBins, function: Array, density: Array, increments: int, power: float) -> None:
        self.bins, self.increments, self.power = bins, increments, power
        self.levels = np.linspace(0.0, 1.0, increments + 1)
        self.scale = float(np.max(np.abs(function), initial=0.0))
        self.knots = [regrid(edges, np.ones(len(edges) - 1), increments) for edges in bins.edges]
        self.mass: list[Array] = []
        if self.scale == 0.0:
            return
        self.terms = (np.abs(function) / self.scale) ** power / density
        for axis, index in enumerate(bins.index):
            self.mass.append(self._mass(axis, self.knots[axis]))
            self.terms *= ((np.diff(bins.edges[axis]) / self.mass[axis]) ** (power - 1.0))[index]
        self.terms /= np.sum(self.terms)

    def _mass(self, axis: int, knots: Array) -> Array:
        mass: Array = np.diff(np.interp(self.bins.edges[axis], knots, self.levels))
        return mass

    @property
    def objective(self) -> float:
        """``E_q |f/q|^p`` relative to that of the start; infinite where it overflows."""
        total = float(np.sum(self.terms))
        return total if np.isfinite(total) else float("inf")

    def state(self) -> tuple[float, list[Array]]:
        """The objective and the knots it belongs to."""
        return self.objective, list(self.knots)

    def reset(self, state: tuple[float, list[Array]]) -> None:
        """Go back to an earlier state."""
        for axis, knots in enumerate(state[1]):
            self.replace(axis, knots)

    def replace(self, axis: int, knots: Array) -> None:
        """Give an axis new knots."""
        new = self._mass(axis, knots)
        self.terms *= ((self.mass[axis] / new) ** (self.power - 1.0))[self.bins.index[axis]]
        self.knots[axis], self.mass[axis] = knots, new

    def share_out(self, axis: int) -> None:
        """Bring the increments of an axis closer to equal shares of the objective, as VEGAS does."""
        edges, increments = self.bins.edges[axis], self.increments
        share = np.bincount(self.bins.index[axis], self.terms, len(edges) - 1)
        centres = 0.5 * (edges[1:] + edges[:-1])
        group = np.clip(np.searchsorted(self.knots[axis], centres) - 1, 0, increments - 1)
        wanted: Array = np.power(np.bincount(group, share, increments), 1.0 / self.power)
        total = float(np.sum(wanted))
        if not (np.isfinite(total) and total > 0.0):
            return
        ratio = np.maximum(_smooth(wanted / total * increments), 1e-3)
        damping = 0.7 if len(self.knots) > 1 else 1.0
        self.replace(axis, regrid(self.knots[axis], ratio**damping, increments))

    def polish(self, axis: int) -> None:
        """Move single knots to where ``sum_k A_k w_k^(p-1)`` is least, A_k the profile and w_k the width of a bin.

        Equal shares put a knot somewhere near a step of the integrand (a cut), and what is left of the step lies in
        an increment that is too wide for it. Odd and even knots move in turn, between their neighbours.
        """
        edges, power, knots = self.bins.edges[axis], self.power, self.knots[axis].copy()
        share = np.bincount(self.bins.index[axis], self.terms, len(edges) - 1).astype(np.float64)
        profile = share * (self.mass[axis] / np.diff(edges)) ** (power - 1.0)
        sums = np.concatenate([[0.0], np.cumsum(profile)])
        if not np.isfinite(sums[-1]):
            return
        for parity in (1, 2, 1, 2):
            inner = np.arange(parity, len(knots) - 1, 2)
            left, right = knots[inner - 1, None], knots[inner + 1, None]
            places = np.concatenate([knots[inner, None], left + (right - left) * _PLACES], axis=1)
            at = np.interp(places, edges, sums)
            below = (at - np.interp(left, edges, sums)) * (places - left) ** (power - 1.0)
            above = (np.interp(right, edges, sums) - at) * (right - places) ** (power - 1.0)
            knots[inner] = places[np.arange(len(inner)), np.argmin(below + above, axis=1)]
        self.replace(axis, knots)


def _smooth(values: Array) -> Array:
    """The smoothing of VEGAS: 1/8, 6/8, 1/8 of the neighbours."""
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    smoothed: Array = (padded[:-2] + 6.0 * padded[1:-1] + padded[2:]) / 8.0
    return smoothed
