"""Training of flows on top of VEGAS maps. Importing configuration and cost does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugin.training.config import TrainingConfig
from plugin.training.cost import Budget, estimate_training_seconds, split_budget

if TYPE_CHECKING:
    from plugin.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from plugin.training.result import TrainingResult, TrainingStatus
    from plugin.training.train import train

__all__ = [
    "Budget",
    "Checkpoint",
    "TrainingConfig",
    "TrainingResult",
    "TrainingStatus",
    "estimate_training_seconds",
    "load_checkpoint",
    "save_checkpoint",
    "split_budget",
    "train",
]

_LAZY = {
    "Checkpoint": "checkpoint",
    "load_checkpoint": "checkpoint",
    "save_checkpoint": "checkpoint",
    "TrainingResult": "result",
    "TrainingStatus": "result",
    "train": "train",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    globals()[name] = value  # otherwise the submodule of the same name would be found the next time
    return value
