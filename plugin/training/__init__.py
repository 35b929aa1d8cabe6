"""Training of flows on top of VEGAS maps.

``TrainingConfig``, ``split_budget`` and ``estimate_training_seconds`` work without torch; ``train`` imports it when it
is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin.training.config import TrainingConfig
from plugin.training.cost import Budget, estimate_training_seconds, split_budget
from plugin.training.status import HistoryEntry, TrainingResult, TrainingStatus

if TYPE_CHECKING:
    from plugin.training.train import train

__all__ = [
    "Budget",
    "HistoryEntry",
    "TrainingConfig",
    "TrainingResult",
    "TrainingStatus",
    "estimate_training_seconds",
    "split_budget",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "train":
        from plugin.training.train import train

        return train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
