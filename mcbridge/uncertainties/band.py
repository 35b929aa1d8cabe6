"""Marginal uncertainties: mean and band of an observable from the replica weights of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import boost_histogram as bh
import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array

__all__ = ["Band", "uncertainty_band"]


@dataclass(frozen=True)
class Band:
    """The distribution of an observable with the uncertainty of the learned density.

    Attributes:
        edges: (bins + 1,).
        values: (bins,), cross section of every bin by the events' own weights, in their unit.
        mean: (bins,), mean of the replica histograms.
        sigma: (bins,), their standard deviation: the band (sigma_pred of the marginal distribution).
        statistical: (bins,), ``sqrt(sum w^2)`` of the events' own weights.
        replicas: (M, bins), one histogram a replica.
        histogram: the values as a boost-histogram object with weights.
    """

    edges: Array
    values: Array
    mean: Array
    sigma: Array
    statistical: Array
    replicas: Array
    histogram: bh.Histogram[Any]

    @property
    def relative(self) -> Array:
        """(bins,), sigma over mean; nan in an empty bin."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Array = self.sigma / self.mean
        return result

    @property
    def covariance(self) -> Array:
        """(bins, bins), covariance of the bins over the replicas: neighbouring bins move together."""
        return np.atleast_2d(np.cov(self.replicas, rowvar=False, ddof=1))

    @property
    def total(self) -> Array:
        """(bins,), ``sqrt(sigma_pred^2 + sigma_stoch^2)``: band and counting error (physics.md, section 5)."""
        result: Array = np.sqrt(self.sigma**2 + self.statistical**2)
        return result


def uncertainty_band(
    observable: npt.ArrayLike,
    weights: npt.ArrayLike | Mapping[str, npt.ArrayLike],
    bins: Any,
    weight: npt.ArrayLike | None = None,
) -> Band:
    """Mean and band of an observable: one histogram a replica, then mean and standard deviation over them.

    The errors of neighbouring events are strongly correlated; adding ``sigma_stat`` in quadrature would be wrong
    (arXiv:2104.04543, section 3.2; physics.md, section 5).

    Arguments:
        observable: (n,), its value for every event.
        weights: (n, M) replica weights, or a mapping from ids to (n,) as :attr:`mcbridge.lhe.EventArrays.weights` is;
            of a mapping only ids that begin with ``binn_`` are used.
        bins: edges (bins + 1,), or an axis of boost-histogram or hist.
        weight: (n,), the events' own weights (XWGTUP); the mean over the replicas if None. With IDWTUP -4 a histogram
            divided by the number of events of the file is a cross section in pb.

    Raises:
        UserError: the lengths differ, there are fewer than two replicas, or the bins make no sense.
    """
    values = np.asarray(observable, dtype=np.float64)
    table = _table(weights)
    if values.ndim != 1 or table.ndim != 2 or len(table) != len(values):
        raise UserError(
            f"observable has the shape {values.shape} and the replica weights {table.shape}; they must be (n,) and"
            " (n, replicas)"
        )
    if table.shape[1] < 2:
        raise UserError(f"there are {table.shape[1]} replica weights an event; a band needs at least 2")
    own = np.mean(table, axis=1) if weight is None else np.asarray(weight, dtype=np.float64)
    if own.shape != values.shape:
        raise UserError(f"weight has the shape {own.shape}; it must be {values.shape}")
    axis = _axis(bins)
    histogram = bh.Histogram(axis, storage=bh.storage.Weight())
    histogram.fill(values, weight=own)
    view = histogram.view()
    index = np.asarray(axis.index(values), dtype=np.int64)
    inside = (index >= 0) & (index < axis.size)
    replicas = np.stack(
        [np.bincount(index[inside], column[inside], axis.size) for column in np.ascontiguousarray(table.T)]
    ).astype(np.float64)
    return Band(
        np.asarray(axis.edges, dtype=np.float64),
        np.array(view["value"]),
        np.mean(replicas, axis=0),
        np.std(replicas, axis=0, ddof=1),
        np.sqrt(np.array(view["variance"])),
        replicas,
        histogram,
    )


def _table(weights: npt.ArrayLike | Mapping[str, npt.ArrayLike]) -> Array:
    if not isinstance(weights, Mapping):
        return np.asarray(weights, dtype=np.float64)
    names: Sequence[str] = sorted(name for name in weights if name.startswith("binn_"))
    if not names:
        raise UserError(f"there are no weights binn_001, ... among {sorted(weights)[:5]}")
    return np.stack([np.asarray(weights[name], dtype=np.float64) for name in names], axis=1)


def _axis(bins: Any) -> Any:
    if hasattr(bins, "edges") and hasattr(bins, "index"):
        return bins
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0.0):
        raise UserError(f"bins has the shape {edges.shape}; it must be increasing edges, or an axis of boost-histogram")
    return bh.axis.Variable(edges)
