"""What a chunk of work has cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """What a chunk of work has cost.

    Attributes:
        evaluations: of the amplitude.
        amplitude_seconds: CPU time of these [s].
        cpu_seconds: CPU time of all that was done [s].
        seconds: wall time [s].
    """

    evaluations: int = 0
    amplitude_seconds: float = 0.0
    cpu_seconds: float = 0.0
    seconds: float = 0.0
