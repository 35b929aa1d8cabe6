"""Around vegas: non-finite results counted, neval evaluations used up, what its stratification is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import vegas

from mcbridge.core import ChannelSampler
from mcbridge.integrands.domain import Domain
from mcbridge.integrands.function import StandardFunction
from mcbridge.integrands.protocol import Array, Integrand
from mcbridge.integration.guard import Guard

__all__ = ["Budget", "GuardedFunction", "adaptive_map", "stratified_rsd"]


class GuardedFunction:
    """The evaluation of a standard function for vegas, with non-finite results counted and set to 0.

    Arguments:
        function: the function; points (n, dim) in, values (n, size) out.
        domain: its region.
        guard: what is tolerated.
    """

    def __init__(self, function: StandardFunction, domain: Domain, guard: Guard) -> None:
        self.function, self.domain, self.guard = function, domain, guard

    def __call__(self, x: Array, jac: Array | None = None) -> Array:
        points = np.asarray(x)
        values = self.function(points, jac)
        failed = self.guard.inspect(self.function.name, self.domain.to_unit(points), values, 0)
        return np.where(failed[:, None], 0.0, values) if failed.any() else np.ascontiguousarray(values)


class Budget:
    """An analyzer of vegas that makes it use ``nitn`` times ``neval`` evaluations.

    VEGAS+ rounds the number of points of every hypercube down, which leaves 3 to 10% of neval unused. Before every
    iteration neval is set such that the iterations that are left use what is left; the hypercubes stay as they are.

    Arguments:
        integrator: the integrator, with its options set.
        analyzer: the user's own analyzer, which is passed on.
        spent: evaluations that were used before.
        after: called with the result at the end of every iteration.
    """

    def __init__(
        self, integrator: vegas.Integrator, analyzer: Any, spent: int = 0, after: Callable[[Any], None] | None = None
    ) -> None:
        self.integrator, self.analyzer, self.after = integrator, analyzer, after
        self.neval = int(integrator.neval)
        self.left = self.neval * int(integrator.nitn) - spent
        self.strata = np.array(integrator.nstrat)
        # Without adaptive stratification the points are distributed evenly, and little is lost.
        self.rounds = integrator.nhcube > 1 and integrator.beta > 0 and not integrator.adapt_to_errors

    def begin(self, iteration: int, integrator: Any) -> None:
        """Set neval for the next iteration."""
        if self.rounds:
            each = self.left / max(int(integrator.nitn) - iteration, 1)
            wanted = self._wanted(each)
            # The number of hypercubes stays; with fewer points vegas would refuse it.
            least = int(np.ceil(2.0 * integrator.nhcube / (1.0 - integrator.neval_frac))) + 1
            integrator.set(neval=max(wanted, min(least, self.neval)), nstrat=self.strata)
        if self.analyzer is not None:
            self.analyzer.begin(iteration, integrator)

    def end(self, iteration_result: Any, result: Any) -> None:
        """Account for the iteration."""
        self.left -= int(self.integrator.last_neval)
        if self.analyzer is not None:
            self.analyzer.end(iteration_result, result)
        if self.after is not None:
            self.after(result)

    def restore(self) -> None:
        """Give the integrator back the neval it had."""
        if self.rounds:
            self.integrator.set(neval=self.neval, nstrat=self.strata)

    def _wanted(self, evaluations: float) -> int:
        """The neval with which vegas evaluates so many points: bisection on its own rule for every hypercube."""
        share = float(self.integrator.neval_frac)
        relative = np.asarray(self.integrator.sigf, dtype=np.float64)
        cubes = len(relative)
        total = float(np.sum(relative))
        if cubes != int(self.integrator.nhcube) or total <= 0.0:
            return int(evaluations)
        relative = relative / total

        def used(neval: int) -> int:
            least = max(int((1.0 - share) * neval / cubes), 2)
            points = np.minimum((relative * (share * neval)).astype(np.int64) + least, self.integrator.max_neval_hcube)
            return int(np.sum(points))

        low, high = int(0.5 * evaluations), int(1.5 * evaluations) + 4 * cubes
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if used(middle) <= evaluations else (low, middle)
        return low


def adaptive_map(channel: ChannelSampler, limits: Array) -> vegas.AdaptiveMap:
    """The VEGAS grid of a channel as vegas' own map.

    Arguments:
        channel: its grid on the unit hypercube; discrete coordinates get one increment.
        limits: (dim, 2), the region.
    """
    grid: list[Array] = [np.array([0.0, 1.0]) for _ in range(channel.dim)]
    if channel.grid is not None:
        for axis, knots in zip(channel.continuous, channel.grid, strict=True):
            grid[axis] = np.asarray(knots)
    return vegas.AdaptiveMap(
        [list(low + knots * (high - low)) for knots, (low, high) in zip(grid, limits, strict=True)]
    )


@contextmanager
def open_target(target: Any) -> Iterator[Any]:
    """The file that ``save`` or ``saveall`` names: a path, or a binary file that stays open."""
    if isinstance(target, (str, Path)):
        with Path(target).open("wb") as file:
            yield file
    else:
        yield target


def stratified_rsd(
    integrand: Integrand, channel: ChannelSampler, points: int, wanted: int, generator: np.random.Generator
) -> float:
    """What a point is worth to VEGAS+ with its stratification: ``sqrt(n) sdev / |mean|`` of an iteration.

    More points have finer hypercubes: for a smooth integrand the figure falls like ``n^(-1/dim)``. It is measured with
    two numbers of points, and what it falls between them, within these limits, is continued to the wanted number.

    Arguments:
        integrand: of one channel.
        channel: an adapted VEGAS grid.
        points: evaluations of the integrand to spend.
        wanted: points of the iterations to come.
        generator: of the random numbers.
    """
    few = max(points // 5, 8)
    coarse, fewer = _measured_rsd(integrand, channel, few, generator)
    fine, more = _measured_rsd(integrand, channel, max(points - few, 16), generator)
    if not 0.0 < fine < coarse < float("inf") or more <= fewer or wanted <= more:
        return fine
    power = min(np.log(coarse / fine) / np.log(more / fewer), 1.0 / integrand.dim)
    return float(fine * (more / wanted) ** power)


def _measured_rsd(
    integrand: Integrand, channel: ChannelSampler, points: int, generator: np.random.Generator
) -> tuple[float, int]:
    """The figure of the second of two iterations, and its number of points; the first adapts the stratification."""
    unit = np.array(integrand.dim * [[0.0, 1.0]])
    probe = vegas.Integrator(adaptive_map(channel, unit), ran_array_generator=generator.random)

    def weights(u: Array) -> Array:
        found = integrand(np.asarray(u), 0).weight
        return np.where(np.isfinite(found), found, 0.0)

    last = probe(vegas.lbatchintegrand(weights), nitn=2, neval=max(points // 2, 4)).itn_results[-1]
    if last.mean == 0.0:
        return float("inf"), int(probe.last_neval)
    return float(last.sdev * np.sqrt(probe.last_neval) / abs(last.mean)), int(probe.last_neval)
