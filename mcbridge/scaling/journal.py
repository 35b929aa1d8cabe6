"""Evaluated points in a folder, so that nothing is paid for twice after a break."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, Evaluation
from mcbridge.scaling.arrays import load_arrays, save_arrays
from mcbridge.scaling.cost import Cost

__all__ = ["Journal"]

_CHEAP = 0.02  # CPU or wall seconds below which a block is sooner evaluated again than read


class Journal:
    """Blocks of evaluated points by their content; a block that is damaged or missing is evaluated again.

    Arguments:
        folder: made when the first block is kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, u: Array, channel: int) -> Path:
        points = np.ascontiguousarray(u)
        return (
            self.folder / f"{channel}-{len(u)}-{zlib.crc32(points.data):08x}{zlib.adler32(points.data):08x}.safetensors"
        )

    def find(self, u: Array, channel: int) -> tuple[Evaluation, Cost] | None:
        """What was found at points ``u`` (n, dim) before, and what it cost."""
        if not self.folder.is_dir():
            return None
        path = self._path(u, channel)
        if not path.exists():
            return None
        try:
            arrays, information = load_arrays(path, "evaluations")
            if not np.array_equal(arrays["u"], u):
                return None
            cost = Cost(*information["cost"])
            return Evaluation(arrays["weight"], arrays.get("alpha"), arrays.get("features")), cost
        except (UserError, KeyError, TypeError):
            return None

    def keep(self, u: Array, channel: int, found: Evaluation, cost: Cost) -> None:
        """Keep an evaluation, unless it was too cheap."""
        if max(cost.seconds, cost.cpu_seconds) < _CHEAP:
            return
        arrays: dict[str, Any] = {"u": u, "weight": found.weight, "alpha": found.alpha, "features": found.features}
        self.folder.mkdir(parents=True, exist_ok=True)
        save_arrays(
            self._path(u, channel),
            {name: array for name, array in arrays.items() if array is not None},
            "evaluations",
            {"cost": [cost.evaluations, cost.amplitude_seconds, cost.cpu_seconds, cost.seconds]},
            durable=False,
        )
