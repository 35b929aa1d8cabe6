"""The events that a Bayesian flow learns from, in the coordinates of the flow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.integration import Samples
from mcbridge.samplers import Sampler
from plugin.bayesian.posterior import check_weights
from plugin.training.buffer import Space

__all__ = ["Events"]

Floats = npt.NDArray[np.float32]


@dataclass
class Events:
    """Weighted events of one or several channels.

    Attributes:
        y: (n, dim), points of the flow.
        weight: (n,), positive; for points of a sampler ``alpha_i f/g_i``.
        channel: (n,), channel of each point.
        context: (n, columns), conditions of the flow, or None.
        channels: number of channels.

    Raises:
        UserError: a weight is negative or not finite, or all are zero.
    """

    y: Floats
    weight: Array
    channel: IntArray
    context: Floats | None = None
    channels: int = 1

    def __post_init__(self) -> None:
        check_weights(self.weight)
        live = self.weight > 0.0
        self.y = np.ascontiguousarray(self.y[live], dtype=np.float32)
        self.weight, self.channel = self.weight[live], self.channel[live]
        self.context = None if self.context is None else np.ascontiguousarray(self.context[live], dtype=np.float32)
        self._rows = [np.flatnonzero(self.channel == index) for index in range(self.channels)]
        self._cumulative = [np.cumsum(self.weight[rows]) for rows in self._rows]

    def __len__(self) -> int:
        return len(self.weight)

    @staticmethod
    def unweighted(points: npt.ArrayLike, context: npt.ArrayLike | None = None) -> Events:
        """Events (n, dim) of one channel that all count the same."""
        y = np.asarray(points, dtype=np.float32)
        if y.ndim != 2 or not len(y):
            raise UserError(f"points have the shape {y.shape}; it must be (n, dim) with n above 0")
        if not np.all((y >= 0.0) & (y <= 1.0)):
            raise UserError("points of a flow must lie in the unit hypercube")
        condition = None if context is None else np.asarray(context, dtype=np.float32)
        return Events(y, np.ones(len(y)), np.zeros(len(y), dtype=np.int64), condition)

    @staticmethod
    def of_samples(samples: Samples, sampler: Sampler, periodic: tuple[int, ...]) -> Events:
        """The points of an integration or a training, seen through the VEGAS maps of a sampler.

        Raises:
            UserError: the integrand is negative somewhere.
        """
        space = Space(sampler, periodic)
        kept = samples.select(samples.targets != 0.0)
        y = np.zeros((len(kept), space.dim), dtype=np.float32)
        context = np.zeros((len(kept), space.columns), dtype=np.float32)
        for index in range(space.channels):
            own = np.flatnonzero(kept.channel == index)
            table = space.contexts[index]
            if len(own):
                y[own], cell, _ = space.locate(kept.u[own], index)
                if table is not None:
                    context[own] = table[cell]
        return Events(y, kept.event_weights, kept.channel, context if space.columns else None, space.channels)

    @property
    def n_eff(self) -> Array:
        """(channels,), ``(sum w)^2 / sum w^2`` of every channel; 1 for one without events."""
        squares = np.array([np.sum(self.weight[rows] ** 2) for rows in self._rows])
        sums = np.array([np.sum(self.weight[rows]) for rows in self._rows])
        result: Array = np.where(squares > 0.0, sums**2 / np.where(squares > 0.0, squares, 1.0), 1.0)
        return result

    @property
    def live(self) -> list[int]:
        """Channels that have events."""
        return [index for index, rows in enumerate(self._rows) if len(rows)]

    def draw(self, n: int, generator: np.random.Generator) -> IntArray:
        """Rows of ``n`` events of every channel in proportion to their weights: a systematic sample in random order."""
        parts = []
        for index in self.live:
            cumulative, rows = self._cumulative[index], self._rows[index]
            places = (np.arange(n) + generator.random(n)) * (float(cumulative[-1]) / n)
            found = np.minimum(np.searchsorted(cumulative, places, side="right"), len(rows) - 1)
            parts.append(rows[found])
        chosen: IntArray = generator.permutation(np.concatenate(parts))
        return chosen
