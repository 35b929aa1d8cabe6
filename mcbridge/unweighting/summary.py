"""Sums over weights that arrive in batches, and their table."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.unweighting.measures import absolute_weights

__all__ = ["WeightSummary", "table_html", "table_text"]

Rows = Sequence[tuple[str, str]]


def table_text(title: str, rows: Rows) -> str:
    """Two aligned columns under a title, for a terminal."""
    width = max(len(name) for name, _ in rows)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows)])


def table_html(title: str, rows: Rows) -> str:
    """Two columns under a title, for a notebook."""
    cells = "".join(f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>" for name, value in rows)
    return f"<table><caption>{html.escape(title)}</caption>{cells}</table>"


@dataclass
class WeightSummary:
    """Figures of merit of a stream of weights, in memory that does not grow.

    Attributes:
        w_max: the largest weight by the policy in use.
        n: number of weights, zeros included.
        nonzero: number of weights other than zero (inside the cuts).
        total, absolute, squares: sums of w, |w| and w^2.
        negative: sum of |w| over negative weights.
        excess: sum of (|w| - w_max)+.
        overweight: number of weights with |w| > w_max.
        largest: largest |w|.
    """

    w_max: float = 1.0
    n: int = 0
    nonzero: int = 0
    total: float = 0.0
    absolute: float = 0.0
    squares: float = 0.0
    negative: float = 0.0
    excess: float = 0.0
    overweight: int = 0
    largest: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.w_max) and self.w_max > 0.0):
            raise UserError(f"w_max is {self.w_max}; it must be a positive number")

    def add(self, weights: Array) -> None:
        """Count the weights (n,) of further trials."""
        sizes = absolute_weights(weights)
        above = sizes[sizes > self.w_max]
        self.n += len(sizes)
        self.nonzero += int(np.count_nonzero(sizes))
        self.total += float(np.sum(weights))
        self.absolute += float(np.sum(sizes))
        self.squares += float(np.sum(sizes**2))
        self.negative += float(np.sum(sizes[np.asarray(weights) < 0.0]))
        self.excess += float(np.sum(above - self.w_max))
        self.overweight += len(above)
        self.largest = max(self.largest, float(np.max(sizes, initial=0.0)))

    def join(self, other: WeightSummary) -> None:
        """Add the sums of another part of the stream.

        Raises:
            UserError: where the parts were counted with different ``w_max``.
        """
        if other.w_max != self.w_max:
            raise UserError(f"summaries with w_max {self.w_max} and {other.w_max} cannot be added")
        for name in ("n", "nonzero", "total", "absolute", "squares", "negative", "excess", "overweight"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.largest = max(self.largest, other.largest)

    @property
    def mean(self) -> float:
        """Mean weight."""
        return self.total / self.n if self.n else 0.0

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        if self.n < 2:
            return 0.0
        return float(np.sqrt(max(self.squares / self.n - self.mean**2, 0.0) / (self.n - 1)))

    @property
    def efficiency(self) -> float:
        """``<|w|> / w_max`` of all trials."""
        return self.absolute / (self.n * self.w_max) if self.n else 0.0

    @property
    def efficiency_after_cuts(self) -> float:
        """``<|w|> / w_max`` of the trials with a weight."""
        return self.absolute / (self.nonzero * self.w_max) if self.nonzero else 0.0

    @property
    def kish(self) -> float:
        """Kish effective size ``(sum w)^2 / sum w^2``."""
        return self.total**2 / self.squares if self.squares > 0.0 else 0.0

    @property
    def overweight_share(self) -> float:
        """Share of ``sum |w|`` in excess of the largest weight."""
        return self.excess / self.absolute if self.absolute > 0.0 else 0.0

    @property
    def negative_fraction(self) -> float:
        """Share of ``sum |w|`` from negative weights."""
        return self.negative / self.absolute if self.absolute > 0.0 else 0.0

    def rows(self) -> Rows:
        """The table, as pairs of name and value."""
        return (
            ("weights", str(self.n)),
            ("inside cuts", str(self.nonzero)),
            ("mean", f"{self.mean:.6g} +- {self.error:.2g}"),
            ("w_max", f"{self.w_max:.6g}"),
            ("largest weight", f"{self.largest:.6g}"),
            ("efficiency, all trials", f"{self.efficiency:.4g}"),
            ("efficiency after cuts", f"{self.efficiency_after_cuts:.4g}"),
            ("Kish effective size", f"{self.kish:.6g}"),
            ("overweight share", f"{self.overweight_share:.3g}"),
            ("negative share", f"{self.negative_fraction:.3g}"),
        )

    def __str__(self) -> str:
        return table_text("weights", self.rows())

    def _repr_html_(self) -> str:
        return table_html("weights", self.rows())
