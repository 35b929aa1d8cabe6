"""Named arrays and a JSON text in one safetensors file: no pickle, written whole, checked when read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, save

from mcbridge.errors import UserError
from mcbridge.files import atomic

__all__ = ["FORMAT", "dump_arrays", "load_arrays", "load_information", "parse_arrays", "save_arrays"]

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
    content = dump_arrays(arrays, kind, information)
    with atomic(path, durable) as temporary:
        temporary.write_bytes(content)


def dump_arrays(
    arrays: Mapping[str, npt.NDArray[Any]], kind: str, information: Mapping[str, Any] | None = None
) -> bytes:
    """The content of a file with arrays and information (see :func:`save_arrays`)."""
    header = {"format": FORMAT, "kind": kind, "information": json.dumps(dict(information or {}), allow_nan=False)}
    content: bytes = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, header)
    return content


def parse_arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    """The arrays in the content of a file."""
    arrays: dict[str, npt.NDArray[Any]] = load(content)
    return arrays


def load_arrays(path: str | Path, kind: str) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Arrays and information of a file.

    Raises:
        UserError: the file cannot be read, is damaged, or holds something else.
    """
    with _opened(path) as stream:
        information = _information(path, stream.metadata() or {}, kind)
        return {name: stream.get_tensor(name) for name in stream.keys()}, information  # noqa: SIM118 (no mapping)


def load_information(path: str | Path, kind: str) -> dict[str, Any]:
    """The information of a file; its arrays are not read, but must be there in full.

    Raises:
        UserError: see :func:`load_arrays`.
    """
    with _opened(path) as stream:
        return _information(path, stream.metadata() or {}, kind)


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    try:
        with safe_open(str(path), framework="numpy") as stream:
            yield stream
    except OSError as error:
        raise UserError(f"the checkpoint {path} cannot be read: {error.strerror or error}") from None
    except UserError:
        raise
    except (SafetensorError, ValueError, TypeError, KeyError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"the checkpoint {path} is damaged or no safetensors file: {text}") from None


def _information(path: str | Path, header: Mapping[str, str], kind: str) -> dict[str, Any]:
    if header.get("format") != FORMAT:
        raise UserError(
            f"the checkpoint {path} has the format '{header.get('format', 'unknown')}'; this version reads '{FORMAT}'"
        )
    if header.get("kind") != kind:
        raise UserError(f"the checkpoint {path} holds '{header.get('kind')}', not '{kind}'")
    try:
        information = json.loads(header["information"])
    except (KeyError, ValueError):
        information = None
    if not isinstance(information, dict):
        raise UserError(f"the checkpoint {path} is damaged: its information is not readable")
    return information
