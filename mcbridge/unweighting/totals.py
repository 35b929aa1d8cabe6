"""What an unweighting amounts to: trials, efficiencies, cross section; and its progress."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.unweighting.pieces import Tried
from mcbridge.unweighting.summary import Rows, WeightSummary, table_html, table_text

__all__ = ["UnweightingStatus", "UnweightingTotals"]


@dataclass(frozen=True)
class UnweightingStatus:
    """How far an unweighting is.

    Attributes:
        events: accepted and delivered so far.
        n_events: wanted.
        trials: points evaluated.
        efficiency: of all trials.
        cross_section, error: estimate from the trials (pb for a process).
        rate: events per second.
        seconds: time since the start.
    """

    events: int
    n_events: int
    trials: int
    efficiency: float
    cross_section: float
    error: float
    rate: float
    seconds: float


@dataclass
class UnweightingTotals:
    """Sums over all trials.

    Attributes:
        w_max: (channels,), largest weight of every channel.
        n_events: wanted.
        events: delivered.
        tried: relative weights ``w/w_max,i`` of all trials.
        kept: relative weights of all accepted trials, those beyond the wanted number included.
        trials_per_channel, accepted_per_channel: (channels,).
        stored: trials that had been evaluated before the unweighting began.
    """

    w_max: Array
    n_events: int
    events: int = 0
    tried: WeightSummary = field(default_factory=WeightSummary)
    kept: WeightSummary = field(default_factory=WeightSummary)
    trials_per_channel: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    accepted_per_channel: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    stored: int = 0

    def __post_init__(self) -> None:
        self.trials_per_channel = np.zeros(len(self.w_max), dtype=np.int64)
        self.accepted_per_channel = np.zeros(len(self.w_max), dtype=np.int64)

    def add(self, points: Tried) -> None:
        """Count a piece of work."""
        self.tried.join(points.tried)
        self.kept.join(points.kept)
        self.trials_per_channel += points.trials_per_channel
        self.accepted_per_channel += points.accepted_per_channel
        self.stored += points.stored

    @property
    def trials(self) -> int:
        """Points evaluated."""
        return self.tried.n

    @property
    def accepted(self) -> int:
        """Trials accepted."""
        return self.kept.n

    @property
    def efficiency(self) -> float:
        """``<|w|/w_max>`` of all trials; with several channels ``sum_i I_i / sum_i w_max,i``."""
        return self.tried.efficiency

    @property
    def efficiency_after_cuts(self) -> float:
        """``<|w|/w_max>`` of the trials with a weight."""
        return self.tried.efficiency_after_cuts

    @property
    def kish_fraction(self) -> float:
        """Kish effective size of the accepted events over their number."""
        return self.kept.kish / self.kept.n if self.kept.n else 0.0

    @property
    def kish(self) -> float:
        """Kish effective size of the delivered events."""
        return self.kish_fraction * self.events

    @property
    def overweight_share(self) -> float:
        """Share of the cross section in excess of the largest weight."""
        return self.tried.overweight_share

    @property
    def cross_section(self) -> float:
        """Estimate ``sum_j w_max,j <w/w_max,i>`` from all trials [pb for a process].

        The number of trials depends on what was accepted, which leaves a relative bias of at most 1/n_events.
        """
        return float(np.sum(self.w_max)) * self.tried.mean

    @property
    def error(self) -> float:
        """Standard error of :attr:`cross_section`."""
        return float(np.sum(self.w_max)) * self.tried.error

    @property
    def absolute(self) -> float:
        """The same estimate for |w|."""
        return float(np.sum(self.w_max)) * self.tried.efficiency

    def status(self, seconds: float) -> UnweightingStatus:
        """How far the unweighting is after ``seconds``."""
        rate = self.events / seconds if seconds > 0.0 else 0.0
        return UnweightingStatus(
            self.events, self.n_events, self.trials, self.efficiency, self.cross_section, self.error, rate, seconds
        )

    def pull(self, mean: float, error: float) -> float:
        """Distance to an independent cross section ``mean +- error`` (other points) in units of the combined error."""
        combined = float(np.hypot(self.error, error))
        return (self.cross_section - mean) / combined if combined > 0.0 else 0.0

    def as_dict(self) -> dict[str, Any]:
        """The figures, for a summary file or the header of an event file."""
        return {
            "events": self.events,
            "trials": self.trials,
            "trials_evaluated_before": self.stored,
            "trials_inside_cuts": self.tried.nonzero,
            "accepted": self.accepted,
            "efficiency": self.efficiency,
            "efficiency_after_cuts": self.efficiency_after_cuts,
            "kish_effective_size": self.kish,
            "overweight_share": self.overweight_share,
            "overweight_events": self.kept.overweight,
            "largest_relative_weight": self.tried.largest,
            "negative_fraction": self.tried.negative_fraction,
            "cross_section_pb": self.cross_section,
            "cross_section_error_pb": self.error,
            "w_max": self.w_max.tolist(),
            "trials_per_channel": self.trials_per_channel.tolist(),
            "accepted_per_channel": self.accepted_per_channel.tolist(),
        }

    def rows(self) -> Rows:
        """The table, as pairs of name and value."""
        return (
            ("events", f"{self.events} of {self.n_events}"),
            ("trials", f"{self.trials} ({self.tried.nonzero} inside cuts, {self.stored} evaluated before)"),
            ("efficiency, all trials", f"{self.efficiency:.4g}"),
            ("efficiency after cuts", f"{self.efficiency_after_cuts:.4g}"),
            ("Kish effective size", f"{self.kish:.6g}"),
            ("overweight share", f"{self.overweight_share:.3g} (largest {self.tried.largest:.3g} w_max)"),
            ("negative share", f"{self.tried.negative_fraction:.3g}"),
            ("cross section", f"{self.cross_section:.6g} +- {self.error:.2g}"),
        )

    def __str__(self) -> str:
        return table_text("unweighting", self.rows())

    def _repr_html_(self) -> str:
        return table_html("unweighting", self.rows())
