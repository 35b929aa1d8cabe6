"""Named arrays and a JSON text in one safetensors file: no pickle, written whole, checked when read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from mcbridge.errors import UserError
from mcbridge.files import atomic

__all__ = ["FORMAT", "load_arrays", "save_arrays"]

FORMAT = "binnis-checkpoint-1"


def save_arrays(
    path: str | Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    kind: str,
    information: Mapping[str, Any] | None = None,
    durable: bool = True,
) -> None:
    """Write arrays and information whole or not at all.

    Arguments:
        kind: what is in the file; a reader must ask for the same.
        information: anything JSON can hold.
        durable: whether the content must survive a power failure, and not the end of this process alone.

    Raises:
        UserError: the file cannot be written; nothing is left behind.
    """
    header = {"format": FORMAT, "kind": kind, "information": json.dumps(dict(information or {}), allow_nan=False)}
    with atomic(path, durable) as temporary:
        try:
            save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, temporary, header)
        except SafetensorError as error:
            raise OSError(os.strerror(28) if "No space" in str(error) else str(error)) from None


def load_arrays(path: str | Path, kind: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Arrays and information of a file.

    Raises:
        UserError: the file cannot be read, is damaged, or holds something else.
    """
    try:
        with safe_open(str(path), framework="numpy") as stream:
            header = stream.metadata() or {}
            arrays = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (no mapping)
    except OSError as error:
        raise UserError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"the checkpoint {path} is damaged or no safetensors file: {text}") from None
    if header.get("format") != FORMAT:
        raise UserError(
            f"the checkpoint {path} has the format '{header.get('format', 'unknown')}'; this version reads '{FORMAT}'"
        )
    if header.get("kind") != kind:
        raise UserError(f"the checkpoint {path} holds '{header.get('kind')}', not '{kind}'")
    try:
        information = json.loads(header["information"])
    except (KeyError, ValueError):
        raise UserError(f"the checkpoint {path} is damaged: its information is not readable") from None
    if not isinstance(information, dict):
        raise UserError(f"the checkpoint {path} is damaged: its information is not readable")
    return arrays, information
