"""From coordinates to the unit hypercube of a flow: logarithms, a box, a grid of equal content in each direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing.coordinates import ANGLE, COSINE, LENGTH

__all__ = ["Chart"]

_LEAST = 50.0  # effective events in a bin of the grid
_BINS = (1, 2, 4, 8, 16, 32, 64)
_TOLERANCE = 0.01  # of the log likelihood an event, given up for fewer bins: the flow learns what is smooth
_NARROWEST = 1e-7  # bin of the grid, in units of the box
_LOWEST = 1e-6  # least length that is told from 0, in units of the typical one


class Chart:
    """A map of coordinates into the unit hypercube, fixed by a sample of weighted events.

    Lengths enter as logarithms. The box reaches as far as the sample; within it lies a grid of one axis a coordinate
    with equal content in all bins, as VEGAS would adapt it, so that the flow on top need not find peaks. An axis has
    the fewest bins that describe other events nearly as well as any number does: what a bin does not resolve is left to
    the flow, while the noise of a bin is not.

    The box has the place of ``log(pT - pT_min)``, the circle of a periodic spline that of ``atanh(dphi/pi)``
    (arXiv:2110.13632, section 2): these serve flows that live on the infinite line, where a cut or a seam must be moved
    away.

    Arguments:
        values: (n, dim), coordinates of events.
        kinds: of the coordinates.
        weight: (n,), not negative.
        other: (k, dim), coordinates of other events, which decide on the number of bins.
        other_weight: (k,), not negative.

    Attributes:
        low, high: (dim,), the box, in transformed coordinates.
        grid: for each coordinate increasing edges from 0 to 1.

    Raises:
        UserError: there are no events, or all have weight 0.
    """

    def __init__(self, values: Array, kinds: Sequence[str], weight: Array, other: Array, other_weight: Array) -> None:
        if not np.any(weight > 0.0) or not np.any(other_weight > 0.0):
            raise UserError("there are no events from which a chart of phase space could be made")
        self.kinds = tuple(kinds)
        live = weight > 0.0
        values, weight = values[live], weight[live]
        self._floor = np.array([max(_LOWEST * float(np.median(column)), 1e-12) for column in np.abs(values).T])
        moved = self._transform(values)
        effective = float(np.sum(weight)) ** 2 / float(np.sum(weight**2))
        box = [self._box(column, kind, effective) for column, kind in zip(moved.T, self.kinds, strict=True)]
        self.low, self.high = np.array(box).reshape(-1, 2).T
        self._sorted = [(np.sort(column), np.argsort(column)) for column in self._scaled(moved).T]
        self._weight = weight
        allowed = [bins for bins in _BINS if bins == 1 or effective / bins >= _LEAST]
        checked = np.clip(self._scaled(self._transform(other)), 0.0, 1.0)
        self._bins = [self._fewest(index, allowed, checked[:, index], other_weight) for index in range(len(self.kinds))]
        self.grid = [self._edges(index, bins, weight) for index, bins in enumerate(self._bins)]

    @staticmethod
    def _box(column: Array, kind: str, effective: float) -> tuple[float, float]:
        """The range of a coordinate: beyond the outermost events there is room for one more."""
        if kind == ANGLE:
            return -np.pi, np.pi
        low, high = float(np.min(column)), float(np.max(column))
        if not high - low > 1e-9 * max(abs(low), abs(high)):  # no two values differ
            return low - 0.5, high + 0.5
        share = min(0.5, 10.0 / effective)
        inner = np.quantile(column, [share, 1.0 - share])
        low, high = low - 0.1 * (float(inner[0]) - low), high + 0.1 * (high - float(inner[1]))
        return (max(low, -1.0), min(high, 1.0)) if kind == COSINE else (low, high)

    def _transform(self, values: Array) -> Array:
        result = np.array(values, dtype=np.float64)
        for index, kind in enumerate(self.kinds):
            if kind == LENGTH:
                result[:, index] = np.log(np.maximum(values[:, index], self._floor[index]))
        return result

    def _scaled(self, moved: Array) -> Array:
        result: Array = (moved - self.low) / (self.high - self.low)
        return result

    def _edges(self, index: int, bins: int, weight: Array) -> Array:
        """Edges from 0 to 1 with equal weight between them, without bins narrower than the narrowest allowed."""
        column, order = self._sorted[index]
        cumulative = np.cumsum(weight[order])
        cumulative = (cumulative - 0.5 * weight[order]) / cumulative[-1]
        kept = [0.0]
        for edge in np.interp(np.linspace(0.0, 1.0, bins + 1)[1:-1], cumulative, column):
            if edge - kept[-1] >= _NARROWEST and 1.0 - edge >= _NARROWEST:
                kept.append(float(edge))
        return np.array([*kept, 1.0])

    def _fewest(self, index: int, allowed: Sequence[int], checked: Array, weight: Array) -> int:
        likelihoods = []
        for bins in allowed:
            edges = self._edges(index, bins, self._weight)
            place = np.clip(np.searchsorted(edges, checked, side="right") - 1, 0, len(edges) - 2)
            density = -np.log((len(edges) - 1) * np.diff(edges))[place]
            likelihoods.append(float(np.sum(weight * density) / np.sum(weight)))
        best = max(likelihoods)
        return next(bins for bins, found in zip(allowed, likelihoods, strict=True) if found >= best - _TOLERANCE)

    def __call__(self, values: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Points (n, dim) of the unit hypercube, and whether an event lies inside the box (n,).

        Events outside it are moved to its surface.
        """
        moved = self._scaled(self._transform(values))
        inside = np.all((moved >= 0.0) & (moved <= 1.0), axis=1)
        return np.clip(moved, 0.0, 1.0), inside

    def sampler(self) -> core.ChannelSampler:
        """The grid as a channel of a sampler."""
        return core.ChannelSampler(len(self.grid), self.grid)

    def resampled(self, generator: np.random.Generator) -> core.ChannelSampler:
        """The grid of a sample with other weights: what is not known of the content of the bins.

        One draw of the Bayesian bootstrap (Rubin 1981): every weight is multiplied with an exponential number.
        """
        weight = self._weight * generator.standard_exponential(len(self._weight))
        return core.ChannelSampler(
            len(self.grid), [self._edges(index, bins, weight) for index, bins in enumerate(self._bins)]
        )

    def forget(self) -> None:
        """Drop the sample; no more :meth:`resampled` afterwards."""
        self._sorted, self._weight = [], np.zeros(0)
