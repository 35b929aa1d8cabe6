"""Cells: all combinations of the discrete choices of an integrand, with a probability table."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise, product

import numpy as np

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["CellTable"]

_ONE_HOT_LIMIT = 64


@dataclass
class CellTable:
    """Boxes in the discrete coordinates and how probable each is.

    Attributes:
        dims: the discrete coordinates, increasing.
        edges: for each of them its edges in [0, 1].
        boxes: (cells, len(dims), 2), lower and upper edge.
        probability: (cells,), sums to 1.
    """

    dims: tuple[int, ...]
    edges: tuple[Array, ...]
    boxes: Array = field(init=False)
    volume: Array = field(init=False)
    probability: Array = field(init=False)

    def __post_init__(self) -> None:
        sides = [list(pairwise(edge)) for edge in self.edges]
        self.boxes = np.array(list(product(*sides)), dtype=np.float64)
        self.volume = np.prod(self.boxes[:, :, 1] - self.boxes[:, :, 0], axis=1)
        self.probability = self.volume / np.sum(self.volume)

    @staticmethod
    def of(discrete: dict[int, tuple[float, ...]], dim: int) -> CellTable | None:
        """The cells of an integrand's ``discrete`` coordinates; None where it has none."""
        if not discrete:
            return None
        for coordinate, edges in discrete.items():
            array = np.asarray(edges, dtype=np.float64)
            proper = array.ndim == 1 and len(array) >= 2 and array[0] == 0.0 and array[-1] == 1.0
            if not 0 <= coordinate < dim or not proper or not np.all(np.diff(array) > 0.0):
                raise UserError(
                    f"discrete[{coordinate}] is {edges}; keys are coordinates 0 to {dim - 1}, values increasing edges"
                    " from 0 to 1"
                )
        dims = tuple(sorted(discrete))
        return CellTable(dims, tuple(np.asarray(discrete[coordinate], dtype=np.float64) for coordinate in dims))

    def __len__(self) -> int:
        return len(self.boxes)

    def index(self, u: Array) -> IntArray:
        """The cell (n,) of points ``u`` (n, dim)."""
        index = np.zeros(len(u), dtype=np.int64)
        for coordinate, edges in zip(self.dims, self.edges, strict=True):
            own = np.clip(np.searchsorted(edges, u[:, coordinate], side="right") - 1, 0, len(edges) - 2)
            index = index * (len(edges) - 1) + own
        return index

    def draw(self, u: Array, choice: Array) -> IntArray:
        """Move the discrete coordinates of ``u`` (n, dim), uniform before, into cells that ``choice`` (n,) picks."""
        cumulative = np.cumsum(self.probability)
        cell: IntArray = np.minimum(np.searchsorted(cumulative, choice * cumulative[-1], side="right"), len(self) - 1)
        for position, coordinate in enumerate(self.dims):
            low, high = self.boxes[cell, position, 0], self.boxes[cell, position, 1]
            u[:, coordinate] = np.minimum(low + u[:, coordinate] * (high - low), np.nextafter(high, 0.0))
        return cell

    def learn(self, moments: Array, floor: float = 0.1) -> None:
        """Set the table to ``sqrt(moments)`` with a floor.

        Arguments:
            moments: (cells,), ``vol_c int_c f^2 / v`` of every cell, v the density of the other coordinates; the
                variance of ``f / (p_c v / vol_c)`` is least at ``p_c`` proportional to its square root.
            floor: share of the probability that is distributed equally, so that no cell is ever left out.
        """
        root = np.sqrt(moments)
        total = float(np.sum(root))
        if total > 0.0 and np.isfinite(total):
            self.probability = (1.0 - floor) * root / total + floor / len(self)

    def context(self) -> Array:
        """(cells, k): one-hot of the cell; for many cells the one-hots of all choices side by side."""
        if len(self) <= _ONE_HOT_LIMIT:
            return np.eye(len(self))
        counts = [len(edge) - 1 for edge in self.edges]
        grid = np.stack(np.unravel_index(np.arange(len(self)), counts), axis=1)
        return np.concatenate([np.eye(count)[grid[:, position]] for position, count in enumerate(counts)], axis=1)

    def to_core(self) -> core.Cells:
        """The cells for the core, the flow's table being the same at the start."""
        return core.Cells(
            dims=self.dims,
            boxes=self.boxes,
            p_vegas=self.probability.copy(),
            p_flow=self.probability.copy(),
            context=self.context(),
        )
