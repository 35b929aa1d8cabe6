"""Bijections of the unit hypercube."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mcbridge.integrands.protocol import Array

__all__ = ["Map"]


@runtime_checkable
class Map(Protocol):
    """A bijection of the unit hypercube.

    Attributes:
        dim: number of coordinates.
    """

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        ...

    def forward(self, u: Array) -> tuple[Array, Array]:
        """Points x (n, dim) and jacobian |dx/du| (n,) for ``u`` (n, dim); x has the density 1/jacobian."""
        ...

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """Points u (n, dim) and jacobian |du/dx| (n,) for ``x`` (n, dim): the density of x."""
        ...
