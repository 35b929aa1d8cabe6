"""Two weighted samples in one observable: the histograms, chi2 and a Kolmogorov-Smirnov test of their shapes.

Both tests compare shapes, the histograms divided by their sums; cross sections are compared by themselves. The
covariance of a normalised histogram of weighted points in strata of fixed size is known in closed form: with ``m_s``
(bins,) the sums of the weights of stratum s, ``N_s`` its number of points and ``p = m / sum m``,

    C = J (diag(sum w^2) - sum_s m_s m_s^T / N_s) J^T / (sum m)^2,    J = 1 - p 1^T.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from mcbridge.integrands import Array
from mcbridge.integrands.protocol import IntArray
from plugin.validate.sample import Column, WeightedSample

__all__ = ["Comparison", "compare", "edges_for", "tail_probability"]

FINE = 160
"""Bins in which distributions are accumulated and the Kolmogorov-Smirnov distance is read."""

COARSE = 40
"""Most bins of a chi2 and of a plot."""

LEAST = 100.0
"""Effective points that both samples must have in a bin of a chi2; neighbours are joined until they do."""

_SIMULATIONS = 2000
_ANCHOR = 0.99  # quantile of the simulated distances from which on their Gaussian tail takes over
_MOST_CATEGORIES = 60


@dataclass
class Comparison:
    """What two samples say about one observable.

    Attributes:
        name: of the observable.
        edges: (bins + 1,), of the bins of the chi2; for categories 0, 1, ...
        reference, candidate: (bins,), shares of the cross section.
        reference_error, candidate_error: (bins,), their standard errors.
        chi2, dof, p_chi2: of the difference, with all correlations.
        ks, p_ks, ks_at: largest distance of the cumulative distributions and where it is; None for categories.
        categories: names of the bins where the observable names classes.
        note: why there is no test.
    """

    name: str
    edges: Array
    reference: Array
    candidate: Array
    reference_error: Array
    candidate_error: Array
    chi2: float = 0.0
    dof: int = 0
    p_chi2: float | None = None
    ks: float | None = None
    p_ks: float | None = None
    ks_at: float | None = None
    categories: tuple[str, ...] = ()
    note: str = ""
    band: Array | None = field(default=None, repr=False)

    @property
    def worst_bin(self) -> str:
        """Where the two differ most, in words."""
        error = np.sqrt(self.reference_error**2 + self.candidate_error**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = np.nan_to_num((self.candidate - self.reference) / error)
        place = int(np.argmax(np.abs(pull)))
        where = self.categories[place] if self.categories else f"{self.edges[place]:.4g} to {self.edges[place + 1]:.4g}"
        return f"{where}: {pull[place]:+.1f} standard errors"

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""
        return {
            "name": self.name,
            "edges": self.edges.tolist(),
            "categories": list(self.categories),
            "reference": self.reference.tolist(),
            "reference_error": self.reference_error.tolist(),
            "candidate": self.candidate.tolist(),
            "candidate_error": self.candidate_error.tolist(),
            "band": None if self.band is None else self.band.tolist(),
            "chi2": self.chi2,
            "dof": self.dof,
            "p_chi2": self.p_chi2,
            "ks": self.ks,
            "p_ks": self.p_ks,
            "ks_at": self.ks_at,
            "note": self.note,
        }


def compare(name: str, reference: WeightedSample, candidate: WeightedSample) -> Comparison:
    """Compare the shapes of one observable (a column of both samples) between two samples."""
    columns = (reference.columns[name], candidate.columns[name])
    edges = edges_for(*columns, reference, candidate)
    bins = len(edges) - 1
    empty = np.zeros(0)
    if bins < 2:
        return Comparison(name, np.zeros(1), empty, empty, empty, empty, note="it has one value only")
    parts = [_accumulate(sample, column, edges) for sample, column in zip((reference, candidate), columns, strict=True)]
    for own, other in ((0, 1), (1, 0)):
        elsewhere = parts[other].elsewhere
        if elsewhere is not None:
            parts[own].squares = np.maximum(parts[own].squares, elsewhere)
    categories = columns[0].categories
    joined, groups = _join(parts, LEAST, 1 if categories else -(-bins // COARSE))
    if len(joined) < 2:
        return Comparison(name, np.zeros(1), empty, empty, empty, empty, note="too few effective points")
    shapes = [part.shape() for part in parts]
    sums = np.zeros((len(joined), bins))
    sums[groups, np.arange(bins)] = 1.0
    coarse = [(sums @ share, sums @ covariance @ sums.T) for share, covariance in shapes]
    difference = coarse[1][0] - coarse[0][0]
    chi2, dof = _chi2(difference, coarse[0][1] + coarse[1][1])
    found = Comparison(
        name,
        np.append(edges[joined], edges[-1]),
        coarse[0][0],
        coarse[1][0],
        np.sqrt(np.maximum(np.diag(coarse[0][1]), 0.0)),
        np.sqrt(np.maximum(np.diag(coarse[1][1]), 0.0)),
        chi2,
        dof,
        float(stats.chi2.sf(chi2, dof)) if dof else None,
        categories=_names(categories, groups, len(joined)),
    )
    if categories:
        found.edges = np.arange(len(joined) + 1, dtype=np.float64)
    else:
        # Bins with too few points for a Gaussian are joined for this test as well: its null distribution is Gaussian.
        found.ks, found.p_ks, place = _kolmogorov_smirnov(parts)
        found.ks_at = float(edges[place + 1])
    return found


def edges_for(first: Column, second: Column, reference: WeightedSample, candidate: WeightedSample) -> Array:
    """(bins + 1,) fine edges: halfway between equal width and equal cross section, so that peaks and tails have bins.

    Values outside belong to the outermost bins.
    """
    if first.categories:
        return np.arange(len(first.categories) + 1, dtype=np.float64) - 0.5
    values, weight = [], []
    for column, sample in ((first, reference), (second, candidate)):
        step = max(1, len(sample) // 50_000)
        own = np.asarray(column.values[::step], dtype=np.float64)
        size = np.abs(sample.contribution[::step])
        kept = np.isfinite(own)
        values.append(own[kept])
        weight.append(size[kept] / max(float(np.sum(size[kept])), 1e-300))
    joined, share = np.concatenate(values), np.concatenate(weight)
    if not len(joined):
        return np.zeros(1)
    order = np.argsort(joined, kind="stable")
    ascending, cumulative = joined[order], np.cumsum(share[order])
    cumulative /= cumulative[-1]
    low, high = (
        ascending[np.searchsorted(cumulative, 5e-4)],
        ascending[min(int(np.searchsorted(cumulative, 1 - 5e-4)), len(ascending) - 1)],
    )
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return np.zeros(1)
    grid = np.linspace(low, high, 4001)
    mixture = 0.5 * np.interp(grid, ascending, cumulative) + 0.5 * np.linspace(0.0, 1.0, len(grid))
    inner = np.interp(np.linspace(mixture[0], mixture[-1], FINE + 1), mixture, grid)
    inner[0], inner[-1] = low, high
    return np.unique(inner)


@dataclass
class _Histogram:
    """Sums of a sample in fine bins: (bins, strata) of weights, (bins,) of squares, and what the other one needs."""

    sums: Array
    squares: Array
    trials: IntArray
    elsewhere: Array | None

    def shape(self) -> tuple[Array, Array]:
        """Shares (bins,) and their covariance (bins, bins)."""
        sums = np.sum(self.sums, axis=1)
        total = float(np.sum(sums))
        share = sums / total
        covariance = np.diag(self.squares) - (self.sums / np.maximum(self.trials, 1)) @ self.sums.T
        # J C J^T without the products of full matrices
        rows = np.sum(covariance, axis=1)
        covariance = (
            covariance - np.outer(share, rows) - np.outer(rows, share) + np.outer(share, share) * float(np.sum(rows))
        )
        return share, covariance / total**2

    def merged(self, groups: IntArray, bins: int) -> _Histogram:
        """The same in joined bins."""
        sums = np.zeros((bins, self.sums.shape[1]))
        np.add.at(sums, groups, self.sums)
        return _Histogram(sums, _sums(groups, self.squares, bins), self.trials, None)


def _sums(place: IntArray, values: Array, bins: int) -> Array:
    """(bins,), sums of the values in each place."""
    result: Array = np.bincount(place, values, bins).astype(np.float64)
    return result


def _accumulate(sample: WeightedSample, column: Column, edges: Array) -> _Histogram:
    bins, strata = len(edges) - 1, len(sample.trials)
    values = np.asarray(column.values)
    kept = np.isfinite(values)
    place = np.clip(np.searchsorted(edges, values[kept], side="right") - 1, 0, bins - 1)
    own, stratum = sample.contribution[kept], sample.stratum[kept]
    sums = _sums(place * strata + stratum, own, bins * strata).reshape(bins, strata)
    elsewhere = sample.other_squares
    return _Histogram(
        sums,
        _sums(place, own**2, bins),
        sample.trials,
        None if elsewhere is None else _sums(place, elsewhere[kept], bins),
    )


def _join(parts: list[_Histogram], least: float, width: int) -> tuple[IntArray, IntArray]:
    """Join neighbouring bins until each has ``least`` effective points in both samples and ``width`` fine bins.

    Returns:
        the first fine bin of each joined one (k,), and the joined bin of each fine one (bins,).
    """
    sums = [np.sum(part.sums, axis=1) for part in parts]
    squares = [part.squares for part in parts]
    bins = len(squares[0])
    starts = [0]
    groups = np.zeros(bins, dtype=np.int64)
    running = [[0.0, 0.0] for _ in parts]
    inside = 0

    def enough() -> bool:
        return inside >= width and all(s > 0.0 and m * m >= least * s for m, s in running)

    for place in range(bins):
        if enough():
            starts.append(place)
            running, inside = [[0.0, 0.0] for _ in parts], 0
        for sum_, m, s in zip(running, sums, squares, strict=True):
            sum_[0] += m[place]
            sum_[1] += s[place]
        inside += 1
        groups[place] = len(starts) - 1
    if len(starts) > 1 and not all(s > 0.0 and m * m >= least * s for m, s in running):
        last = len(starts) - 1
        groups[groups == last] = last - 1
        starts.pop()
    return np.array(starts, dtype=np.int64), groups


def _names(categories: tuple[str, ...], groups: IntArray, joined: int) -> tuple[str, ...]:
    if not categories:
        return ()
    return tuple(
        ", ".join(name for name, group in zip(categories, groups, strict=True) if group == place)
        for place in range(joined)
    )


def _chi2(difference: Array, covariance: Array) -> tuple[float, int]:
    """chi2 of a difference that sums to zero; directions without variance are left out."""
    scale = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = values > 1e-8 * values[-1]
    projected = vectors.T[kept] @ (difference / scale)
    return float(np.sum(projected**2 / values[kept])), int(np.sum(kept))


@lru_cache(maxsize=1)
def _normals() -> npt.NDArray[np.float32]:
    return np.random.default_rng(20_210_415).standard_normal((_SIMULATIONS, FINE), dtype=np.float32)


def _kolmogorov_smirnov(parts: list[_Histogram]) -> tuple[float | None, float | None, int]:
    """Largest distance of the cumulative distributions, its probability for weighted points, and its bin.

    The distances under equal distributions are simulated: normal deviates with the covariance of the cumulative
    histograms, from which the usual formula follows for unweighted points.
    """
    starts, groups = _join(parts, 25.0, 1)
    if len(starts) < 3:
        return None, None, 0
    shapes = [part.merged(groups, len(starts)).shape() for part in parts]
    difference = np.cumsum(shapes[1][0] - shapes[0][0])
    covariance = np.cumsum(np.cumsum(shapes[0][1] + shapes[1][1], axis=0), axis=1)
    place = int(np.argmax(np.abs(difference)))
    distance = float(abs(difference[place]))
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).astype(np.float32)
    simulated = np.max(np.abs(_normals()[:, : len(starts)] @ root.T), axis=1).astype(np.float64)
    last = int(np.flatnonzero(groups == place)[-1])
    return distance, tail_probability(distance, simulated, float(np.max(np.diag(covariance)))), last


def tail_probability(value: float, simulated: Array, variance: float) -> float:
    """Probability that the largest value of a Gaussian process exceeds ``value``.

    Where the simulation has too few values beyond, the tail falls as that of its widest point does,
    ``exp(-x^2 / (2 sigma_max^2))``, which is what the supremum of a Gaussian process does asymptotically (exact for the
    Brownian bridge: ``2 exp(-2 x^2)``).

    Arguments:
        value: what was found.
        simulated: (n,), largest values of simulated processes.
        variance: largest variance of the process.
    """
    anchor = float(np.quantile(simulated, _ANCHOR))
    if value <= anchor:
        return float((np.sum(simulated >= value) + 1) / (len(simulated) + 1))
    if not variance > 0.0:
        return 0.0
    return (1.0 - _ANCHOR) * float(np.exp(-(value**2 - anchor**2) / (2.0 * variance)))
