"""Where no exact weight is known: histograms of events that were not learned from, against those of the replicas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np

from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.uncertainties.calibration import LEVELS

__all__ = ["HeldOut", "compare_histograms", "pair_histogram"]

_PAIRS = 66
_SIDES = (2, 6)
_IN_A_BIN = 25.0


@dataclass(frozen=True)
class HeldOut:
    """Coverage of the bins of histograms of held-out events.

    In a bin, ``d = held-out share - mean over the replicas`` should have the variance ``s^2 sigma_band^2 +
    sigma_count^2``: band and counting error of the held-out events. ``factor`` is the s that the bins ask for.

    Attributes:
        events: effective number of held-out events.
        bins: number of bins, of all histograms.
        raw: share of bins within 1 and 2 standard deviations with s = 1, by level.
        calibrated: the same with s = ``factor``; None where the bins do not fix it.
        factor: what the band must be multiplied with; None where the counting error hides the band.
        factor_squared, factor_error: its square as the bins ask for it, and the standard error of that (bins taken as
            independent); nan and infinite without a band.
        band_share: median of ``sigma_band / sigma_count``.
    """

    events: float
    bins: int
    raw: dict[str, float]
    calibrated: dict[str, float] | None
    factor: float | None
    factor_squared: float
    factor_error: float
    band_share: float

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""
        return {
            "method": "histograms of pairs of coordinates, of events that were not learned from",
            "events": round(self.events, 1),
            "bins": self.bins,
            "raw": {level: round(value, 4) for level, value in self.raw.items()},
            "calibrated": None if self.calibrated is None else {k: round(v, 4) for k, v in self.calibrated.items()},
            "factor": None if self.factor is None else round(self.factor, 3),
            "factor_squared": round(self.factor_squared, 3) if isfinite(self.factor_squared) else None,
            "factor_squared_error": round(self.factor_error, 3) if isfinite(self.factor_error) else None,
            "median_band_over_counting_error": round(self.band_share, 4),
        }


def pair_histogram(points: Array, weight: Array | None, events: float) -> tuple[Array, IntArray]:
    """Normalised histograms of all pairs of coordinates (of the coordinate, if there is only one), one after the other.

    Arguments:
        points: (n, dim) in the unit hypercube.
        weight: (n,), or None.
        events: effective number of events that the bins should suit.

    Returns:
        shares (bins,), which add up to 1 for each pair, and the number (bins,) of the pair of every bin.
    """
    dim = points.shape[1]
    pairs: Sequence[tuple[int, ...]] = list(combinations(range(dim), 2))[:_PAIRS] if dim > 1 else [(0,)]
    side = int(np.clip(np.sqrt(events / _IN_A_BIN), *_SIDES)) if dim > 1 else int(np.clip(events / _IN_A_BIN, 2, 36))
    place = np.minimum((points * side).astype(np.int64), side - 1)
    total = float(len(points)) if weight is None else float(np.sum(weight))
    shares, number = [], []
    for index, pair in enumerate(pairs):
        cell = place[:, pair[0]] if len(pair) == 1 else place[:, pair[0]] * side + place[:, pair[1]]
        bins = side ** len(pair)
        shares.append(np.bincount(cell, weight, bins) / total)
        number.append(np.full(bins, index))
    return np.concatenate(shares), np.concatenate(number)


def compare_histograms(held: Array, replicas: Array, events: float, drawn: int) -> HeldOut:
    """Compare the shares of held-out events in bins with those of every replica.

    Arguments:
        held: (bins,), shares of the held-out events.
        replicas: (M, bins), shares of points drawn from the replicas.
        events: effective number of held-out events.
        drawn: number of points drawn from each replica.
    """
    mean = np.mean(replicas, axis=0)
    count = np.maximum(mean * (1.0 - mean), 1e-12)
    # The variance over the replicas holds the counting error of the drawn points as well.
    band = np.maximum(np.var(replicas, axis=0, ddof=1) - count / drawn, 0.0)
    counting = count / events + count / (drawn * len(replicas))
    square = (held - mean) ** 2
    total = band + counting
    share = band / total

    def coverage(factor: float) -> dict[str, float]:
        sigma = np.sqrt(factor**2 * band + counting)
        return {level: float(np.mean(np.sqrt(square) <= width * sigma)) for level, (_, width) in LEVELS.items()}

    # Least squares of d^2 = s^2 band + counting, whose errors are sqrt(2) total.
    strength = float(np.sum(share**2))
    error = float(np.sqrt(2.0 / strength)) if strength > 0.0 else float("inf")
    squared = float(np.sum(share * (square - counting) / total)) / strength if strength > 0.0 else float("nan")
    # Bins of overlapping histograms are correlated: only a clear answer counts.
    fixed = error < 0.25 * max(squared, 1.0)
    factor = float(np.sqrt(max(squared, 0.0))) if fixed else None
    return HeldOut(
        events,
        len(held),
        coverage(1.0),
        None if factor is None else coverage(factor),
        factor,
        squared,
        error,
        float(np.median(np.sqrt(band / counting))),
    )
