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

__all__ = ["BaseBins", "Grid", "fit_grid", "grid_density", "regrid", "uniform_grid"]

Grid = list[Array]
"""Knots of every axis, increasing from 0 to 1; every increment holds the same probability."""

BASE = 4096
_NARROWEST = 1e-12


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


def grid_density(grid: Sequence[Array], u: Array) -> Array:
    """Density (n,) of a grid at points ``u`` (n, axes)."""
    density = np.ones(len(u))
    for axis, knots in enumerate(grid):
        increments = len(knots) - 1
        index = np.clip(np.searchsorted(knots, u[:, axis], side="right") - 1, 0, increments - 1)
        density /= (np.diff(knots) * increments)[index]
    return density


@dataclass
class BaseBins:
    """Points sorted into fine bins of every axis, once.

    Attributes:
        edges: for every axis (BASE + 1,) edges.
        index: for every axis (n,), the bin of every point.
        n: number of points.
    """

    edges: list[Array]
    index: list[IntArray]
    n: int

    @staticmethod
    def of(grid: Sequence[Array], u: Array) -> BaseBins:
        """Bins for points ``u`` (n, axes), half of them following ``grid``, half uniform for the tails."""
        edges = [regrid(knots, 1.0 / (len(knots) - 1) + np.diff(knots), BASE) for knots in grid]
        index = [
            np.clip(np.searchsorted(edge, u[:, axis], side="right") - 1, 0, BASE - 1).astype(np.int64)
            for axis, edge in enumerate(edges)
        ]
        return BaseBins(edges, index, len(u))

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
    scale = float(np.max(np.abs(function), initial=0.0))
    axes = len(bins.edges)
    mass = [np.full(BASE, 1.0 / BASE) for _ in range(axes)]
    if scale == 0.0:
        return [regrid(edges, part, increments) for edges, part in zip(bins.edges, mass, strict=True)]
    terms = (np.abs(function) / scale) ** power / density
    for edges, index in zip(bins.edges, bins.index, strict=True):
        terms *= ((np.diff(edges) * BASE) ** (power - 1.0))[index]
    terms /= np.sum(terms)
    damping = 0.7 if axes > 1 else 1.0
    result = [regrid(edges, part, increments) for edges, part in zip(bins.edges, mass, strict=True)]
    for _ in range(sweeps):
        for axis, index in enumerate(bins.index):
            edges, part = bins.edges[axis], mass[axis]
            share = np.bincount(index, terms, BASE)
            group = np.clip(np.searchsorted(result[axis], 0.5 * (edges[1:] + edges[:-1])) - 1, 0, increments - 1)
            wanted: Array = np.power(np.bincount(group, share, increments), 1.0 / power)
            total = float(np.sum(wanted))
            if not (np.isfinite(total) and total > 0.0):
                continue
            ratio = np.maximum(_smooth(wanted / total * increments), 1e-3) ** damping
            result[axis] = regrid(result[axis], ratio, increments)
            new = np.diff(np.interp(edges, result[axis], np.linspace(0.0, 1.0, increments + 1)))
            terms *= ((part / new) ** (power - 1.0))[index]
            mass[axis] = new
    for axis, index in enumerate(bins.index):
        edges, part = bins.edges[axis], mass[axis]
        profile = np.bincount(index, terms, BASE) * (part / np.diff(edges)) ** (power - 1.0)
        result[axis] = _polish(result[axis], edges, profile, power, POLISH)
    return result


POLISH = 2


def _polish(knots: Array, edges: Array, profile: Array, power: float, rounds: int = 2) -> Array:
    """Move single knots to where ``sum_k A_k w_k^(p-1)`` is least, A_k the profile and w_k the width of increment k.

    Equal shares put a knot somewhere near a step of the integrand (a cut), and what is left of the step lies in an
    increment that is too wide for it. Odd and even knots move in turn, between their neighbours.

    Arguments:
        profile: (BASE,), ``int |f|^p`` over the bins between ``edges``, with the other axes' densities divided out.
    """
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    fractions = np.linspace(0.05, 0.95, 19)
    for parity in (1, 2) * rounds:
        inner = np.arange(parity, len(knots) - 1, 2)
        if not len(inner):
            continue
        left, here, right = knots[inner - 1], knots[inner], knots[inner + 1]
        places = np.concatenate([here[:, None], left[:, None] + (right - left)[:, None] * fractions], axis=1)
        at = np.interp(places, edges, sums)
        below = (at - np.interp(left, edges, sums)[:, None]) * (places - left[:, None]) ** (power - 1.0)
        above = (np.interp(right, edges, sums)[:, None] - at) * (right[:, None] - places) ** (power - 1.0)
        knots = knots.copy()
        knots[inner] = places[np.arange(len(inner)), np.argmin(below + above, axis=1)]
    return knots


def _smooth(values: Array) -> Array:
    """The smoothing of VEGAS: 1/8, 6/8, 1/8 of the neighbours."""
    if len(values) < 3:
        return values
    padded = np.concatenate([values[:1], values, values[-1:]])
    smoothed: Array = (padded[:-2] + 6.0 * padded[1:-1] + padded[2:]) / 8.0
    return smoothed
