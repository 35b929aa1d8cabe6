"""The identity and the composition of maps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.maps.protocol import Map

__all__ = ["ComposedMap", "IdentityMap", "check_points"]


def check_points(points: Array, dim: int) -> Array:
    """``points`` as a float64 array (n, dim); UserError for another shape."""
    array = np.asarray(points, dtype=np.float64)
    if array.ndim != 2 or array.shape[1] != dim:
        raise UserError(f"the points have shape {array.shape}; the map needs (n, {dim})")
    return array


class IdentityMap:
    """The map that changes nothing.

    Arguments:
        dim: number of coordinates.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise UserError(f"dim is {dim}; it must be at least 1")
        self._dim = dim

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self._dim

    def forward(self, u: Array) -> tuple[Array, Array]:
        """``u`` itself and ones."""
        points = check_points(u, self.dim)
        return points.copy(), np.ones(len(points))

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """``x`` itself and ones."""
        return self.forward(x)


class ComposedMap:
    """Maps one after the other: ``ComposedMap([flow, vegas])`` makes ``x = vegas(flow(u))``.

    Arguments:
        maps: at least one map, all of the same dimension, in the direction of sampling.
    """

    def __init__(self, maps: Sequence[Map]) -> None:
        dims = {part.dim for part in maps}
        if len(dims) != 1:
            raise UserError(
                f"maps have the dimensions {sorted(dims)}; at least one map is needed, all of one dimension"
            )
        self.maps = tuple(maps)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return self.maps[0].dim

    def forward(self, u: Array) -> tuple[Array, Array]:
        """Points x (n, dim) and the product of the jacobians (n,)."""
        points, jacobian = self.maps[0].forward(u)
        for part in self.maps[1:]:
            points, factor = part.forward(points)
            jacobian = jacobian * factor
        return points, jacobian

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """Points u (n, dim) and the product of the jacobians of the inverse (n,)."""
        points, jacobian = self.maps[-1].inverse(x)
        for part in reversed(self.maps[:-1]):
            points, factor = part.inverse(points)
            jacobian = jacobian * factor
        return points, jacobian
