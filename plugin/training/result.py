"""What a training reports while it runs and what it leaves behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import inf, nan
from typing import Any

from mcbridge.integration import Samples
from mcbridge.samplers import Sampler

__all__ = ["TrainingResult", "TrainingStatus"]


@dataclass(frozen=True)
class TrainingStatus:
    """One look at a training.

    Attributes:
        stage: ``"density"``, ``"points"``, ``"channel weights"`` or ``"fine-tuning"``.
        step, steps: done and planned, over all stages.
        loss: of the training points, averaged since the last look.
        held_out_rsd: relative standard deviation of the mixture's weights on held-out points.
        best_rsd: the least so far in this stage.
        evaluations: of the integrand, so far, by the training.
    """

    stage: str
    step: int
    steps: int
    loss: float
    held_out_rsd: float
    best_rsd: float
    evaluations: int

    def as_json(self) -> dict[str, Any]:
        """For files; what is not finite (nothing was measured) becomes null."""
        return {name: None if value != value or value == inf else value for name, value in asdict(self).items()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> TrainingStatus:
        """The inverse of :meth:`as_json`."""
        content: dict[str, Any] = {name: nan if value is None else value for name, value in data.items()}
        return TrainingStatus(**content)

    def __str__(self) -> str:
        return f"{self.stage} {self.step}/{self.steps}: loss {self.loss:.4g}, held-out rsd {self.held_out_rsd:.3g}"


@dataclass
class TrainingResult:
    """What a training leaves behind.

    Attributes:
        sampler: the defensive mixture of flow and VEGAS; the VEGAS sampler alone where the training diverged.
        samples: all points, survey included. Their density is that of all sources together, so that
            ``event_weights`` of a channel average to its integral.
        history: every look at the held-out points.
        steps: optimisation steps.
        evaluations: of the integrand.
        cpu_seconds: CPU time [s], evaluations included.
        diverged: whether the training failed.
        reason: one clause, why it ended or how it failed.
    """

    sampler: Sampler
    samples: Samples
    history: list[TrainingStatus] = field(default_factory=list)
    steps: int = 0
    evaluations: int = 0
    cpu_seconds: float = 0.0
    diverged: bool = False
    reason: str = ""
