"""VEGAS adaptation of one channel with every point kept, and the scan over the number of increments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcbridge import core
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.samplers.cells import CellTable
from mcbridge.samplers.grid import BaseBins, Grid, fit_grid, grid_density, uniform_grid

__all__ = ["Candidate", "ChannelSurvey", "default_increments"]

_FIT_POINTS = 100_000  # points of a fit during the scan and between iterations; the last fit uses all
_SCAN = ((128, 3_000), (200, 8_000), (400, 30_000), (1000, 150_000))  # increments, and points that they need
_POWERS = (2.0, 5.0)
_TIE = 1.01  # second moments within 1% count as equal, and the efficiency decides


def default_increments(points: int) -> tuple[int, ...]:
    """Numbers of increments worth a try: 64 to 200 as a rule, and more where there are points to fill them."""
    return (64, *(number for number, needed in _SCAN if points >= needed))


@dataclass(frozen=True)
class Candidate:
    """One grid of the scan, judged on points it was not fitted to.

    Attributes:
        increments: number of increments of every axis.
        power: the moment of f/q that was minimised.
        second_moment: ``E[f^2/q]`` on held-out points, in units of I^2 (1 + rsd^2 of independent points).
        efficiency: unweighting efficiency at 1e-3 of overweight, on held-out points.
    """

    increments: int
    power: float
    second_moment: float
    efficiency: float


class ChannelSurvey:
    """All points of one channel and the density that is adapted to them.

    Arguments:
        dim: number of coordinates.
        discrete: edges of the coordinates that only make a choice.
        increments: number of increments while adapting.
    """

    def __init__(self, dim: int, discrete: dict[int, tuple[float, ...]], increments: int = 100) -> None:
        self.dim = dim
        self.cells = CellTable.of(discrete, dim)
        self.continuous = tuple(axis for axis in range(dim) if axis not in discrete)
        self.increments = increments
        self.grid: Grid = uniform_grid(len(self.continuous), increments)
        self.grids: list[Grid] = []
        self.tables: list[Array] = []
        self.counts: list[int] = []
        self.points: list[Array] = []
        self.targets: list[Array] = []
        self.candidates: list[Candidate] = []
        self.chosen: Candidate | None = None
        self.sigma = 0.0

    def draw(self, n: int, generator: np.random.Generator) -> tuple[Array, Array]:
        """Draw ``n`` points u (n, dim) and their density (n,) from the present grid and table."""
        u = generator.random((n, self.dim))
        density = np.ones(n)
        for axis, knots in zip(self.continuous, self.grid, strict=True):
            increments = len(knots) - 1
            position = u[:, axis] * increments
            index = np.minimum(position.astype(np.int64), increments - 1)
            width = np.diff(knots)[index]
            u[:, axis] = np.minimum(knots[index] + width * (position - index), knots[index + 1])
            density /= width * increments
        if self.cells is not None:
            cell = self.cells.draw(u, generator.random(n))
            density *= self.cells.probability[cell] / self.cells.volume[cell]
        return u, density

    def add(self, u: Array, target: Array) -> None:
        """Store points (n, dim) that the present density drew, with ``alpha f`` (n,)."""
        if not self.counts or self.grids[-1] is not self.grid:
            self.grids.append(self.grid)
            self.tables.append(np.ones(1) if self.cells is None else self.cells.probability / self.cells.volume)
            self.counts.append(0)
        self.counts[-1] += len(u)
        self.points.append(u)
        self.targets.append(target)

    @property
    def n(self) -> int:
        """Number of stored points."""
        return sum(self.counts)

    def adapt(self) -> None:
        """Fit the present grid and table to what is stored."""
        if not self.counts:
            return
        step = max(1, -(-self.n // _FIT_POINTS))
        fit = _Fit(self, step)
        if fit.empty:
            return
        self.grid = fit.grid(self.increments, 2.0, self.cells, sweeps=3)

    def scan(self, increments: Sequence[int] | None) -> None:
        """Choose the number of increments on held-out points, then fit the grid to all points.

        The candidate with the least held-out ``E[f^2/q]`` wins; among those within 1% of it, the one with the best
        unweighting efficiency.
        """
        if not self.counts:
            return
        step = max(1, -(-self.n // (2 * _FIT_POINTS)))
        whole = _Fit(self, step)
        if whole.empty:
            return
        train, held = whole.halves()
        integral = float(np.mean(whole.target / whole.density))
        numbers = default_increments(self.n) if increments is None else tuple(increments)
        if not train.empty and not held.empty:
            for number in numbers:
                for power in _POWERS:
                    grid = train.grid(number, power, self.cells)
                    self.candidates.append(held.judge(grid, self.cells, number, power))
            best = min(candidate.second_moment for candidate in self.candidates)
            level = [candidate for candidate in self.candidates if candidate.second_moment <= _TIE * best]
            self.chosen = max(level, key=lambda candidate: candidate.efficiency)
            absolute = float(np.mean(np.abs(whole.target) / whole.density))
            second = self.chosen.second_moment * absolute**2
        else:
            self.chosen = Candidate(min(numbers), 2.0, float("nan"), float("nan"))
            second = float(np.mean(whole.target**2 / whole.density**2))
        everything = whole if step == 1 else _Fit(self, 1)
        self.grid = everything.grid(self.chosen.increments, self.chosen.power, self.cells)
        self.sigma = float(np.sqrt(max(second - integral**2, 0.0)))

    def density(self) -> Array:
        """Density (n,) of all stored points together: the mixture of all iterations, exactly."""
        u = np.concatenate(self.points)
        continuous = np.ascontiguousarray(u[:, self.continuous])
        cell = None if self.cells is None else self.cells.index(u)
        density = np.zeros(len(u))
        for grid, table, count in zip(self.grids, self.tables, self.counts, strict=True):
            part = grid_density(grid, continuous)
            density += count / self.n * (part if cell is None else part * table[cell])
        return density

    def sampler(self) -> core.ChannelSampler:
        """The adapted density for the core."""
        cells = None if self.cells is None else self.cells.to_core()
        return core.ChannelSampler(self.dim, grid=self.grid, cells=cells)


class _Fit:
    """Stored points prepared for fits.

    Attributes:
        u: (n, axes), continuous coordinates.
        target: (n,), alpha f.
        density: (n,), density of the mixture of all iterations.
        cell: (n,), cell of the point, or None.
    """

    def __init__(self, survey: ChannelSurvey, step: int) -> None:
        u = np.concatenate([part[::step] for part in survey.points])
        self.target = np.concatenate([part[::step] for part in survey.targets])
        self.u = np.ascontiguousarray(u[:, survey.continuous])
        self.bins = BaseBins.of(survey.grid, self.u)
        self.cell: IntArray | None = None
        if survey.cells is None:
            self.density = self.bins.mixture(survey.grids, survey.counts)
        else:
            self.cell = survey.cells.index(u)
            tables = [table[self.cell] for table in survey.tables]
            self.density = self.bins.mixture(survey.grids, survey.counts, tables)

    @property
    def empty(self) -> bool:
        """Whether the integrand vanishes at all points."""
        return not np.any(self.target)

    def halves(self) -> Iterator[_Fit]:
        """Every second point, and the others."""
        for start in (0, 1):
            half = object.__new__(_Fit)
            half.u, half.target, half.density = self.u[start::2], self.target[start::2], self.density[start::2]
            half.bins = BaseBins(self.bins.edges, [index[start::2] for index in self.bins.index], len(half.u))
            half.cell = None if self.cell is None else self.cell[start::2]
            yield half

    def grid(self, increments: int, power: float, cells: CellTable | None, sweeps: int = 8) -> Grid:
        """Fit a grid, and with it the table of the cells."""
        if cells is None or self.cell is None:
            return fit_grid(self.bins, self.target, self.density, increments, power, sweeps)
        grid: Grid = []
        for _ in range(2):
            inverse = (cells.volume / cells.probability)[self.cell]
            function = self.target * inverse ** (1.0 - 1.0 / power)
            grid = fit_grid(self.bins, function, self.density, increments, power, sweeps)
            terms = self.target**2 / (self.density * grid_density(grid, self.u)) * cells.volume[self.cell]
            cells.learn(np.bincount(self.cell, terms, len(cells)) / len(terms))
        return grid

    def judge(self, grid: Grid, cells: CellTable | None, increments: int, power: float) -> Candidate:
        """Second moment and efficiency of a grid on these points."""
        proposed = grid_density(grid, self.u)
        if cells is not None and self.cell is not None:
            proposed *= (cells.probability / cells.volume)[self.cell]
        weight = np.abs(self.target) / proposed
        share = proposed / self.density  # how often the proposed density would have drawn the point
        total = float(np.sum(weight * share))
        mean = total / len(weight)
        second = float(np.mean(weight**2 * share)) / mean**2
        order = np.argsort(-weight)
        heavy, number = weight[order], np.cumsum(share[order])
        carried = np.cumsum(heavy * share[order])
        # Excess above w_max = heavy[k]; the first k where it exceeds 1e-3 of the total bounds the quantile.
        excess = carried - heavy * number
        last = max(int(np.searchsorted(excess, 1e-3 * total)) - 1, 0)
        maximum = max((carried[last] - 1e-3 * total) / number[last], mean)
        return Candidate(increments, power, second, float(mean / maximum))
