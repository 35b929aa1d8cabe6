"""Checkpoints: parameters of the flows in one safetensors file, written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import save

from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from mcbridge.files import atomic

__all__ = ["Checkpoint", "load_checkpoint", "save_checkpoint"]

_FORMAT = "binnis-flow-1"


@dataclass
class Checkpoint:
    """State of a training without its optimiser.

    Attributes:
        spec: architecture.
        parameters: (channels, parameters), float32.
        tables: for each channel the probabilities of its cells ((1,) without discrete coordinates).
        step: optimisation steps done.
        metadata: anything JSON can hold.
    """

    spec: FlowSpec
    parameters: npt.NDArray[np.float32]
    tables: list[npt.NDArray[np.float64]]
    step: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)


def save_checkpoint(path: str | Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint.

    Raises:
        UserError: the file cannot be written; nothing is left behind.
    """
    tensors: dict[str, Any] = {"parameters": np.ascontiguousarray(checkpoint.parameters, dtype=np.float32)}
    for index, table in enumerate(checkpoint.tables):
        tensors[f"table.{index}"] = np.ascontiguousarray(table, dtype=np.float64)
    header = {
        "format": _FORMAT,
        "spec": json.dumps(checkpoint.spec.as_dict(), sort_keys=True),
        "step": str(checkpoint.step),
        "metadata": json.dumps(checkpoint.metadata, sort_keys=True),
    }
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, metadata=header))


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        UserError: the file cannot be read, or it is none of ours.
    """
    from safetensors import safe_open

    try:
        with safe_open(str(path), framework="numpy") as stream:
            header = stream.metadata() or {}
            names = list(stream.keys())
            tensors = {name: stream.get_tensor(name) for name in names}
    except OSError as error:
        raise UserError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None
    except SafetensorError as error:
        raise UserError(f"the checkpoint {path} is damaged or no safetensors file: {error}") from None
    if header.get("format") != _FORMAT or "parameters" not in tensors:
        raise UserError(f"the checkpoint {path} was not written by this program, or by a version that differs")
    values = json.loads(header["spec"])
    spec = FlowSpec(**{**values, "periodic": tuple(values["periodic"])})
    parameters = tensors["parameters"]
    if parameters.ndim != 2 or parameters.shape[1] != spec.parameters:
        raise UserError(f"the checkpoint {path} holds parameters of shape {parameters.shape} for {spec.parameters}")
    tables = [tensors[f"table.{index}"] for index in range(len(parameters)) if f"table.{index}" in tensors]
    return Checkpoint(spec, parameters, tables, int(header["step"]), json.loads(header["metadata"]))
