"""Points with what was paid for: the content of a buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["Samples"]


@dataclass
class Samples:
    """Evaluated points of one or several channels.

    Attributes:
        u: (n, dim), points of the unit hypercube of their channel.
        channel: (n,), the channel that drew the point.
        weight: (n,), ``f(x) dx/du`` (see :class:`mcbridge.integrands.Evaluation`); for a process in pb.
        density: (n,), the density g(u) the point was drawn with.
        alpha: (n, channels), prior channel weights, or None for a single channel.
        features: (n, k), what a learned channel weight may look at, or None.
        channel_weight: (n,), the channel weight the sampler gave to the point in its own channel where that is not
            the prior (learned channel weights, dropped channels), or None.
    """

    u: Array
    channel: IntArray
    weight: Array
    density: Array
    alpha: Array | None = None
    features: Array | None = None
    channel_weight: Array | None = None

    def __post_init__(self) -> None:
        n = len(self.u)
        for field in fields(self):
            array = getattr(self, field.name)
            if array is not None and len(array) != n:
                raise UserError(f"Samples.{field.name} has {len(array)} rows; u has {n}")

    def __len__(self) -> int:
        return len(self.u)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.u.shape[1])

    @property
    def event_weights(self) -> Array:
        """(n,), ``alpha_i f / g_i`` of every point (arXiv:2212.06172, eq. 4); its mean per channel is I_i."""
        weights: Array = self.targets / self.density
        return weights

    @property
    def targets(self) -> Array:
        """(n,), ``alpha_i f`` of every point: what the density of its channel should be proportional to."""
        if self.channel_weight is not None:
            return self.weight * self.channel_weight
        if self.alpha is not None:
            return self.weight * self.alpha[np.arange(len(self)), self.channel]
        return self.weight

    def select(self, which: npt.NDArray[np.bool_] | IntArray | slice) -> Samples:
        """The points that a mask (n,), an array of indices or a slice picks."""
        columns: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        chosen: dict[str, Any] = {name: None if part is None else part[which] for name, part in columns.items()}
        return Samples(**chosen)

    def of_channel(self, channel: int) -> Samples:
        """The points of one channel."""
        return self.select(self.channel == channel)

    @staticmethod
    def concatenate(parts: Sequence[Samples]) -> Samples:
        """All points of ``parts``, in this order.

        Raises:
            UserError: for an empty list, or where only some parts have an optional column.
        """
        if not parts:
            raise UserError("Samples.concatenate needs at least one part")
        columns: dict[str, Any] = {}
        for field in fields(Samples):
            arrays = [getattr(part, field.name) for part in parts]
            missing = [array is None for array in arrays]
            if any(missing) and not all(missing):
                raise UserError(f"Samples.{field.name} is missing in {sum(missing)} of {len(parts)} parts")
            columns[field.name] = None if any(missing) else np.concatenate(arrays)
        return Samples(**columns)
