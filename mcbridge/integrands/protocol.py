"""What an integrand is: channels of the unit hypercube in, weights out, and event records on demand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "Evaluation", "EventBatch", "EventSource", "IntArray", "Integrand"]

Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass
class Evaluation:
    """What one batched call of an integrand returns.

    Attributes:
        weight: shape (n,). ``f(x) dx/du`` of the point ``x = G_channel(u)``, without the channel weight alpha and
            without the density of the sampler; for a process in pb. Zero outside the cuts.
        alpha: shape (n, channels), the prior channel weights, each row sums to 1; None for a single channel.
        features: shape (n, k), what a learned channel weight may look at (of order one); None if there is none.
    """

    weight: Array
    alpha: Array | None = None
    features: Array | None = None


@runtime_checkable
class Integrand(Protocol):
    """Protocol of everything that can be integrated.

    Attributes:
        name: short name for logs.
        dim: number of random numbers of a channel.
        channels: number of channels.
        periodic: coordinates of the unit hypercube in which 0 and 1 are the same point (azimuths).
        discrete: for each coordinate that only makes a choice, its edges (k + 1 increasing numbers from 0 to 1): the
            weight depends on the interval the coordinate falls into and on nothing else of it.
    """

    name: str
    dim: int
    channels: int
    periodic: tuple[int, ...]
    discrete: dict[int, tuple[float, ...]]

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Evaluate ``u`` of shape (n, dim) in [0, 1] for one channel."""
        ...


@dataclass
class EventBatch:
    """Event records of n points with the same number of particles (incoming first).

    Attributes:
        momenta: (n, particles, 4) [GeV], (E, px, py, pz), laboratory frame.
        pdg_ids: (n, particles).
        status: (particles,), -1 incoming, 1 outgoing, 2 intermediate.
        mothers: (particles, 2), 1-based as in LHE; 0 for none.
        colours: (n, particles, 2), colour and anticolour line, 0 for none; lines start at 501.
        masses: (n, particles) [GeV].
        scale: (n,) [GeV].
        alpha_s, alpha_qed: (n,).
        process_id: (n,), index into the subprocesses of the process, starting at 1.
    """

    momenta: Array
    pdg_ids: IntArray
    status: IntArray
    mothers: IntArray
    colours: IntArray
    masses: Array
    scale: Array
    alpha_s: Array
    alpha_qed: Array
    process_id: IntArray


@runtime_checkable
class EventSource(Integrand, Protocol):
    """An integrand that can also write down the event of a point."""

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """The event records of points with non-zero weight.

        Arguments:
            u: (n, dim) points of the channel.
            channel: the channel that drew them.
            choice: (n, 2) uniform numbers that pick the subprocess (flavours, beam swap) and the colour flow with
                the probabilities they have at the point.
        """
        ...
