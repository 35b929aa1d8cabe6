"""A user's function evaluated by the worker processes of ``nproc``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from mcbridge.integrands.protocol import Array

if TYPE_CHECKING:
    from mcbridge.integrands.function import StandardFunction

__all__ = ["PooledFunction"]


class PooledFunction:
    """A standard function whose points are shared out to worker processes.

    Arguments:
        function: the function; it must be possible to pickle it.
        pool: the pool of processes (``multiprocessing.Pool``).
        nproc: number of its processes.

    Attributes:
        cpu_seconds: CPU time that the workers have spent in the function.
    """

    def __init__(self, function: StandardFunction, pool: Any, nproc: int) -> None:
        self.function, self.pool, self.nproc = function, pool, nproc
        self.cpu_seconds = 0.0

    def __call__(self, x: Array, jac: Array | None = None) -> Array:
        """Values (n, size) at the points ``x`` (n, dim)."""
        parts = [part for part in np.array_split(x, self.nproc) if len(part)]
        found = self.pool.starmap(_timed, [(self.function, part) for part in parts], 1)
        self.cpu_seconds += sum(seconds for _, seconds in found)
        return np.concatenate([values for values, _ in found])


def _timed(function: StandardFunction, x: Array) -> tuple[Array, float]:
    start = time.process_time()
    values = function(x)
    return values, time.process_time() - start
