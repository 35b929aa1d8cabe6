"""Points that were paid for before the unweighting began, as its first trials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.integration.samples import Samples

__all__ = ["PointStore", "StoredPoints"]


@dataclass(frozen=True)
class StoredPoints:
    """Independent points of one channel.

    Attributes:
        u: (n, dim).
        weight: (n,), event weights ``alpha_i f / g_i``.
    """

    u: Array
    weight: Array

    def __len__(self) -> int:
        return len(self.weight)


class PointStore:
    """Independent points of a frozen sampler, handed out once each, in their order.

    Points of the integration are trials as good as fresh ones. That the largest weights were found with the same points
    does no harm: a trial is kept with probability ``min(|w|/w_max, 1)`` and then weighs ``max(|w|, w_max)``, which is
    ``w`` on average over the random number of the trial, whatever ``w_max`` is.

    Arguments:
        samples: points of the sampler that the unweighting uses.
        channels: number of channels.
    """

    def __init__(self, samples: Samples, channels: int) -> None:
        weights = samples.event_weights
        rows = [np.flatnonzero(samples.channel == channel) for channel in range(channels)]
        self._points = [StoredPoints(samples.u[own], weights[own]) for own in rows]
        self._used = np.zeros(channels, dtype=np.int64)

    @property
    def left(self) -> int:
        """Number of points not handed out yet."""
        return sum(len(points) for points in self._points) - int(np.sum(self._used))

    def take(self, counts: IntArray) -> list[StoredPoints]:
        """The next points of every channel, at most ``counts`` (channels,) of them."""
        taken = []
        for channel, points in enumerate(self._points):
            first = int(self._used[channel])
            own = slice(first, min(first + int(counts[channel]), len(points)))
            taken.append(StoredPoints(points.u[own], points.weight[own]))
            self._used[channel] = own.stop
        return taken
