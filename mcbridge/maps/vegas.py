"""The VEGAS map: every axis stretched by its own grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import vegas

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.maps.basic import check_points
from mcbridge.samplers.sampler import Sampler

__all__ = ["VegasMap"]


class VegasMap:
    """A piecewise-linear map with equal probability between neighbouring knots (arXiv:2009.05112, section II).

    Arguments:
        grid: for every axis its knots, increasing from 0 to 1.

    Raises:
        UserError: for knots that do not increase from 0 to 1.
    """

    def __init__(self, grid: Sequence[npt.ArrayLike]) -> None:
        self.grid: list[Array] = [np.array(knots, dtype=np.float64) for knots in grid]
        if not self.grid:
            raise UserError("a VEGAS map needs the knots of at least one axis")
        for axis, knots in enumerate(self.grid):
            proper = knots.ndim == 1 and len(knots) >= 2 and abs(knots[0]) < 1e-12 and abs(knots[-1] - 1.0) < 1e-12
            if not proper or not np.all(np.diff(knots) > 0.0):
                raise UserError(f"the knots of axis {axis} must increase from 0 to 1")
            knots[0], knots[-1] = 0.0, 1.0

    @staticmethod
    def from_adaptive_map(adaptive_map: vegas.AdaptiveMap) -> VegasMap:
        """The map of vegas, its region rescaled to the unit hypercube."""
        grid = [np.asarray(knots) for knots in adaptive_map.extract_grid()]
        return VegasMap([(knots - knots[0]) / (knots[-1] - knots[0]) for knots in grid])

    def to_adaptive_map(self, limits: Any = None) -> vegas.AdaptiveMap:
        """The map as vegas has it.

        Arguments:
            limits: (dim, 2), the region; the unit hypercube if None.
        """
        region = np.tile([0.0, 1.0], (self.dim, 1)) if limits is None else np.asarray(limits, dtype=np.float64)
        return vegas.AdaptiveMap(
            [list(low + knots * (high - low)) for knots, (low, high) in zip(self.grid, region, strict=True)]
        )

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.grid)

    def forward(self, u: Array) -> tuple[Array, Array]:
        """Points x (n, dim) and jacobian |dx/du| (n,)."""
        points = check_points(u, self.dim)
        x, jacobian = np.empty_like(points), np.ones(len(points))
        for axis, knots in enumerate(self.grid):
            increments = len(knots) - 1
            position = points[:, axis] * increments
            index = np.clip(position.astype(np.int64), 0, increments - 1)
            width = np.diff(knots)[index]
            x[:, axis] = np.minimum(knots[index] + width * (position - index), knots[index + 1])
            jacobian *= width * increments
        return x, jacobian

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """Points u (n, dim) and jacobian |du/dx| (n,)."""
        points = check_points(x, self.dim)
        u, jacobian = np.empty_like(points), np.ones(len(points))
        for axis, knots in enumerate(self.grid):
            increments = len(knots) - 1
            index = np.clip(np.searchsorted(knots, points[:, axis], side="right") - 1, 0, increments - 1)
            width = np.diff(knots)[index]
            u[:, axis] = (index + (points[:, axis] - knots[index]) / width) / increments
            jacobian /= width * increments
        return u, jacobian

    def sampler(self) -> Sampler:
        """A frozen sampler with this map as its only channel."""
        return Sampler([core.ChannelSampler(self.dim, grid=self.grid)])
