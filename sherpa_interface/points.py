"""Training points that the plug-in recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import Samples

__all__ = ["read_points"]

_MAGIC = b"MCBRECD1"


def read_points(path: str | Path, dim: int) -> Samples:
    """The points of a record file (its format is in ``mcbridge.h``); a last one that was cut off is left out.

    Arguments:
        path: the file.
        dim: number of coordinates that a point must have.

    Raises:
        UserError: the file is missing, is no record, or has another dimension.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"the recorded points {path} cannot be read: {error.strerror}") from None
    if content[:8] != _MAGIC or len(content) < 16:
        raise UserError(f"{path} is no file of recorded points")
    stored = int(np.frombuffer(content, np.int64, 1, 8)[0])
    if stored != dim:
        raise UserError(f"the recorded points {path} have {stored} dimensions, the process has {dim}")
    columns = dim + 3
    rows = (len(content) - 16) // (8 * columns)
    table = np.frombuffer(content, np.float64, rows * columns, 16).reshape(rows, columns)
    return Samples(
        u=np.ascontiguousarray(table[:, 1 : 1 + dim]),
        channel=table[:, 0].astype(np.int64),
        weight=table[:, -2].copy(),
        density=table[:, -1].copy(),
    )
