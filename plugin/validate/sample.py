"""Weighted samples of the same cross section, whatever they come from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcbridge.integrands import Array
from mcbridge.integrands.protocol import IntArray

__all__ = ["Column", "WeightedSample"]


@dataclass(frozen=True)
class Column:
    """An observable of every point of a sample.

    Attributes:
        values: (n,), float64 or float32; NaN where a point does not have it.
        categories: what the values 0, 1, ... stand for, where they only name a class; empty for numbers.
    """

    values: Array
    categories: tuple[str, ...] = ()


@dataclass
class WeightedSample:
    """Independent points with weights, in strata of fixed size.

    Points of weight zero may be left out; ``trials`` counts them.

    Attributes:
        label: for tables and plots.
        contribution: (n,), weight over the number of trials of its stratum; the sum is the cross section [pb].
        stratum: (n,), which stratum a point belongs to (the channel that drew it).
        trials: (strata,), points drawn in each, those of weight zero included.
        columns: observables by name.
        other_squares: (n,), at the points of this sample: what they say about ``sum contribution^2`` of the *other*
            sample. A sampler that starves a region does not see the variance this costs; the other one does. None
            where that is not known (event files).
    """

    label: str
    contribution: Array
    stratum: IntArray
    trials: IntArray
    columns: dict[str, Column] = field(default_factory=dict)
    other_squares: Array | None = None

    def __len__(self) -> int:
        return len(self.contribution)

    @property
    def total(self) -> float:
        """Cross section [pb]."""
        return float(np.sum(self.contribution))

    @property
    def kish(self) -> float:
        """Kish effective size ``(sum w)^2 / sum w^2``."""
        squares = float(np.sum(self.contribution**2))
        return self.total**2 / squares if squares > 0.0 else 0.0

    @property
    def variance(self) -> float:
        """Variance of :attr:`total` from its own points, the strata being of fixed size [pb^2]."""
        return self.variance_with(None)

    def variance_with(self, other: WeightedSample | None) -> float:
        """Variance of :attr:`total` [pb^2], with the larger sum of squares where the other sample knows one."""
        squares = float(np.sum(self.contribution**2))
        if other is not None and other.other_squares is not None:
            squares = max(squares, float(np.sum(other.other_squares)))
        sums = np.bincount(self.stratum, self.contribution, len(self.trials))
        return max(0.0, squares - float(np.sum(sums**2 / np.maximum(self.trials, 1))))

    @staticmethod
    def of_weights(label: str, weights: Array, stratum: IntArray, strata: int) -> WeightedSample:
        """The sample of event weights (n,) of all trials, zeros included and kept."""
        trials = np.bincount(stratum, minlength=strata)
        return WeightedSample(label, weights / trials[stratum], stratum, trials)
