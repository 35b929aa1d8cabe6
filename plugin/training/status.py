"""What a training tells while it runs, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mcbridge.integration import Samples
    from mcbridge.samplers import Sampler

__all__ = ["HistoryEntry", "TrainingResult", "TrainingStatus"]


@dataclass(frozen=True)
class TrainingStatus:
    """How far a training is; handed to ``on_progress`` after every check.

    Attributes:
        stage: name of the stage.
        step, steps: optimisation steps done and planned.
        evaluations: amplitude evaluations used by the training so far.
        loss: mean loss since the last check.
        rsd: relative standard deviation of the mixture on held-out points.
        best_rsd: the best so far.
        learning_rate: of the last step.
    """

    stage: str
    step: int
    steps: int
    evaluations: int
    loss: float
    rsd: float
    best_rsd: float
    learning_rate: float

    def __str__(self) -> str:
        return f"{self.stage}: step {self.step}/{self.steps}, loss {self.loss:.4g}, rsd {self.rsd:.3g} (best {self.best_rsd:.3g})"


HistoryEntry = TrainingStatus


@dataclass
class TrainingResult:
    """What a training leaves behind.

    Attributes:
        sampler: the defensive mixture of flow and VEGAS; the VEGAS sampler where the training diverged.
        samples: all points, those of the survey first; their density is that of all of them together.
        history: status after every check.
        evaluations: amplitude evaluations of the training.
        steps: optimisation steps made.
        cpu_seconds: CPU time of the training, amplitude included [s].
        diverged: whether the training failed.
        reason: why it failed, or why there is nothing to train; empty otherwise.
        rsd: relative standard deviation of the final mixture on held-out points.
        efficiency: its unweighting efficiency at the quantile policy 1e-3, on the same points.
        eps: share of the VEGAS map, by channel.
    """

    sampler: Sampler
    samples: Samples
    history: list[TrainingStatus] = field(default_factory=list)
    evaluations: int = 0
    steps: int = 0
    cpu_seconds: float = 0.0
    diverged: bool = False
    reason: str = ""
    rsd: float = float("nan")
    efficiency: float = float("nan")
    eps: tuple[float, ...] = ()

    def __str__(self) -> str:
        if self.diverged:
            return f"training diverged ({self.reason}); VEGAS takes over"
        shares = ", ".join(f"{eps:.3g}" for eps in self.eps)
        return (
            f"trained in {self.steps} steps, {self.evaluations} evaluations, {self.cpu_seconds:.1f} s of CPU time:"
            f" rsd {self.rsd:.3g}, efficiency {self.efficiency:.3g}, eps {shares}"
        )
