"""Surrogate mode: events drawn from the Bayesian density alone, with no amplitude behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mcbridge import core
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events import concatenate, select
from mcbridge.integrands import EventSource
from mcbridge.integrands.protocol import Array, EventBatch, IntArray
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.unweighting import UnweightedChunk

__all__ = ["SurrogateEvents", "WithCuts"]

_CHUNK = 8192
_DESPERATE = 1e-3


@runtime_checkable
class WithCuts(EventSource, Protocol):
    """An event source that knows the points inside its cuts without its amplitude."""

    def inside(self, u: Array, channel: int) -> npt.NDArray[np.bool_]:
        """Whether points ``u`` (n, dim) of a channel lie inside the cuts."""
        ...


class SurrogateEvents:
    """A stream of events that follow ``p = (1/M) sum_m p_m``: of each, channel and replica are drawn, then the point.

    All events have weight 1. What the flow puts outside the cuts is thrown away; ``leaked`` is its share, by which the
    density inside is too small. Flavours and colours of a point are drawn as the process draws them.

    Arguments:
        source: the process.
        sampler: with replicas.
        shares: (channels,), integral of every channel.
        n_events: how many events are wanted.
        streams: random numbers.
        threads: of the kernel.

    Raises:
        UserError: the sampler has no replicas, or the process does not know its cuts without the amplitude.
    """

    def __init__(
        self,
        source: EventSource,
        sampler: Sampler,
        shares: Sequence[float] | Array,
        n_events: int,
        streams: Streams,
        threads: int = 1,
    ) -> None:
        if sampler.replicas is None:
            raise UserError("mode: surrogate: there is no Bayesian flow to draw events from")
        if not isinstance(source, WithCuts):
            raise UserError(
                f"mode: surrogate: the process {source.name} does not know which points lie inside its cuts without its"
                " amplitude"
            )
        if n_events < 1:
            raise UserError(f"n_events is {n_events}; it must be at least 1")
        self.source: WithCuts = source
        self.sampler, self.streams, self.threads = sampler, streams, threads
        self.shares = np.maximum(np.asarray(shares, dtype=np.float64), 0.0) * np.array(sampler.active)
        self.n_events = n_events
        self.drawn = self.events = 0

    @property
    def leaked(self) -> float:
        """Share of the points drawn so far that lay outside the cuts."""
        return 1.0 - self.events / self.drawn if self.drawn else 0.0

    def __iter__(self) -> Iterator[UnweightedChunk]:
        self.drawn = self.events = 0
        delivered = chunk = 0
        while delivered < self.n_events:
            found = self._chunk(chunk, min(_CHUNK, max(1024, self.n_events)))
            chunk += 1
            if self.drawn >= 100_000 and self.events < _DESPERATE * self.drawn:
                raise AmplitudeError(f"{self.leaked:.3%} of the points of the Bayesian flow lie outside the cuts")
            if found is None:
                continue
            left = self.n_events - delivered
            if len(found) > left:
                own = found.select_events(slice(0, left))
                found = UnweightedChunk(own.batch, own.weight, u=found.u[:left], channel=found.channel[:left])
            delivered += len(found)
            yield found

    def _chunk(self, chunk: int, n: int) -> UnweightedChunk | None:
        generator = self.streams.generator("surrogate", chunk=chunk)
        replicas = self.sampler.replicas
        assert replicas is not None  # checked at construction
        cumulative = np.cumsum(self.shares)
        channel: IntArray = np.searchsorted(cumulative, generator.random(n) * cumulative[-1], side="right")
        channel = np.minimum(channel, int(np.flatnonzero(self.shares)[-1]))
        replica = generator.integers(0, len(replicas), n)
        uniforms = generator.random((n, self.sampler.dim + 2))
        # The number that chooses the part of the mixture: 1 is always the flow.
        uniforms[:, self.sampler.dim] = 1.0
        choice = generator.random((n, 2))
        u = np.empty((n, self.sampler.dim))
        inside = np.zeros(n, dtype=bool)
        for index in np.unique(channel):
            source = self.sampler.channels[index]
            for m in np.unique(replica[channel == index]):
                rows = np.flatnonzero((channel == index) & (replica == m))
                own = core.ChannelSampler(
                    source.dim, source.grid, source.cells, replicas.spec, replicas.parameters[m, index], 0.5
                )
                u[rows] = own.sample(uniforms[rows], self.threads)[0]
            rows = np.flatnonzero(channel == index)
            inside[rows] = self.source.inside(u[rows], int(index))
        kept = np.flatnonzero(inside)
        self.drawn += n
        self.events += len(kept)
        if not len(kept):
            return None
        batch = self._records(u[kept], channel[kept], choice[kept])
        return UnweightedChunk(batch, np.ones(len(kept)), u=u[kept], channel=channel[kept])

    def _records(self, u: Array, channel: IntArray, choice: Array) -> EventBatch:
        batches, places = [], []
        for index in np.unique(channel):
            rows = np.flatnonzero(channel == index)
            batches.append(self.source.events(u[rows], int(index), choice[rows]))
            places.append(rows)
        return select(concatenate(batches), np.argsort(np.concatenate(places), kind="stable"))
