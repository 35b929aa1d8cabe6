"""Hit-or-miss unweighting: a stream of independent events of weight 1 (or -1, or more where overweight)."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

import numpy as np

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events.weighted import WeightedEvents
from mcbridge.integrands.protocol import Array, EventSource, IntArray, Integrand
from mcbridge.integration.guard import Guard
from mcbridge.integration.samples import Samples
from mcbridge.random import Streams
from mcbridge.unweighting.pieces import Drawing, Piece, Points, Tried, trials_of_channels, work
from mcbridge.unweighting.store import PointStore, StoredPoints
from mcbridge.unweighting.totals import UnweightingStatus, UnweightingTotals

__all__ = ["UnweightedChunk", "UnweightedPoints", "unweight", "unweight_elsewhere", "unweight_points"]

Found = TypeVar("Found", bound=Tried)

log = logging.getLogger("mcbridge.unweighting")

_LARGEST_CHUNK = 16_384
_SMALLEST_CHUNK = 1_024
_DESPERATE_TRIALS = 10_000_000
_EMPTY_TRIALS = 1_000_000
_SUSPICIOUS_SHARE = 0.05


@dataclass
class UnweightedPoints:
    """Accepted points of the unit hypercube.

    Attributes:
        u: (n, dim).
        channel: (n,), the channel of each point.
        weight: (n,), relative weight: the sign, times |w|/w_max where that is above 1.
    """

    u: Array
    channel: IntArray
    weight: Array

    def __len__(self) -> int:
        return len(self.weight)


@dataclass
class UnweightedChunk(WeightedEvents):
    """Events with the points that they were made of.

    Attributes:
        u: (n, dim), the points.
        channel: (n,), the channel of each.
    """

    u: Array = field(default_factory=lambda: np.zeros((0, 0)))
    channel: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


PieceTask = tuple[int, list[StoredPoints] | None]
"""Number of a piece, and the evaluated points that are its first trials."""

PieceMap = Callable[[Piece, Iterator[PieceTask]], Iterator[Found]]
"""Does pieces somewhere and gives the results in their order."""


class _Loop(Generic[Found]):
    """Consumes pieces in their order until enough points are accepted."""

    def __init__(
        self,
        source: Integrand,
        sampler: Drawing,
        w_max: Sequence[float] | Array,
        n_events: int,
        streams: Streams,
        records: bool,
        purpose: str,
        chunk: int | None,
        guard: Guard | None,
        threads: int,
        max_trials: int | None,
        on_progress: Callable[[UnweightingStatus], None] | None,
        trials: Samples | None,
        piece_map: PieceMap[Found],
    ) -> None:
        if n_events < 1:
            raise UserError(f"n_events is {n_events}; it must be at least 1")
        if chunk is not None and chunk < 1:
            raise UserError(f"chunk is {chunk}; it must be at least 1")
        if max_trials is not None and max_trials < 1:
            raise UserError(f"max_trials is {max_trials}; it must be at least 1")
        if records and not isinstance(source, EventSource):
            raise UserError(f"{getattr(source, 'name', source)} is an integrand without event records (method events)")
        largest = _checked_w_max(source, w_max)
        size = min(_LARGEST_CHUNK, max(_SMALLEST_CHUNK, n_events)) if chunk is None else chunk
        self.piece = Piece(source, sampler, largest, size, streams, purpose, records, threads)
        self.n_events = int(n_events)
        self.guard = Guard() if guard is None else guard
        self.max_trials = max(_DESPERATE_TRIALS, 100_000 * n_events) if max_trials is None else max_trials
        self.piece_map = piece_map
        self.on_progress = on_progress
        self.trials = trials
        self.totals = UnweightingTotals(largest, self.n_events)

    def __iter__(self) -> Iterator[Found]:
        start = time.monotonic()
        self.totals = totals = UnweightingTotals(self.piece.w_max, self.n_events)
        pieces = self.piece_map(self.piece, self._tasks())
        try:
            for points in pieces:
                totals.add(points)
                self.guard.absorb(points.failures, self.piece.source.name)
                left = self.n_events - totals.events
                totals.events += min(left, points.accepted)
                if self.on_progress is not None:
                    self.on_progress(totals.status(time.monotonic() - start))
                if points.accepted:
                    yield points.first(left)
                if totals.events == self.n_events:
                    break
                self._check_hope()
        finally:
            if isinstance(pieces, Generator):
                pieces.close()
        if totals.tried.overweight_share > _SUSPICIOUS_SHARE:
            log.warning(
                "events above the largest weight carry %.1f%% of the cross section in excess of it: w_max comes from"
                " too few trials",
                100.0 * totals.tried.overweight_share,
            )

    def _tasks(self) -> Iterator[PieceTask]:
        """Pieces 0, 1, 2, ...; whoever does them takes them in this order."""
        store = None if self.trials is None else PointStore(self.trials, len(self.piece.w_max))
        for chunk in count():
            yield chunk, self._stored(store, chunk)

    def _stored(self, store: PointStore | None, chunk: int) -> list[StoredPoints] | None:
        """Evaluated points for a piece; pieces must ask in their order."""
        return store.take(trials_of_channels(self.piece, chunk)) if store is not None and store.left else None

    def _check_hope(self) -> None:
        totals, name = self.totals, self.piece.source.name
        if not totals.tried.nonzero and totals.trials >= min(self.max_trials, _EMPTY_TRIALS):
            raise AmplitudeError(
                f"all weights of {name} are zero in {totals.trials} trials: nothing can be unweighted (do the cuts"
                " leave any phase space?)"
            )
        if totals.trials < self.max_trials:
            return
        raise AmplitudeError(
            f"unweighting of {name} gave {totals.events} of {self.n_events} events in {totals.trials} trials"
            f" (efficiency {totals.efficiency:.2g}), the limit being max_trials = {self.max_trials}: the sampler does"
            " not fit the integrand, or w_max is far too large"
        )


def _pieces_here(executor: Executor | None, window: int) -> PieceMap[Points]:
    """Pieces in this thread, or a few under way ahead of need with an executor."""

    def do(piece: Piece, tasks: Iterator[PieceTask]) -> Iterator[Points]:
        if executor is None:
            for task in tasks:
                yield work(piece, *task)
        waiting: deque[Future[Points]] = deque()
        try:
            for task in tasks:
                assert executor is not None
                waiting.append(executor.submit(work, piece, *task))
                if len(waiting) >= window:
                    yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    return do


class FoundStream(Generic[Found]):
    """Iterate over it to get what pieces of work amount to; ``totals`` has the figures so far."""

    def __init__(self, loop: _Loop[Found]) -> None:
        self._loop = loop

    @property
    def totals(self) -> UnweightingTotals:
        """Trials, efficiencies and cross section of what has been consumed."""
        return self._loop.totals

    def __iter__(self) -> Iterator[Found]:
        yield from self._loop


class PointStream:
    """Iterate over it to get chunks of accepted points; ``totals`` has the figures so far."""

    def __init__(self, loop: _Loop[Points]) -> None:
        self._loop = loop

    @property
    def totals(self) -> UnweightingTotals:
        """Trials, efficiencies and cross section of what has been consumed."""
        return self._loop.totals

    def __iter__(self) -> Iterator[UnweightedPoints]:
        for points in self._loop:
            yield UnweightedPoints(points.u, points.channel, points.weight)


class EventStream:
    """Iterate over it to get chunks of events; ``totals`` has the figures so far."""

    def __init__(self, loop: _Loop[Points]) -> None:
        self._loop = loop

    @property
    def totals(self) -> UnweightingTotals:
        """Trials, efficiencies and cross section of what has been consumed."""
        return self._loop.totals

    def __iter__(self) -> Iterator[UnweightedChunk]:
        for points in self._loop:
            assert points.batch is not None  # made wherever a point was accepted
            yield UnweightedChunk(points.batch, points.weight, u=points.u, channel=points.channel)


def unweight(
    source: EventSource,
    sampler: Drawing,
    w_max: Sequence[float] | Array,
    n_events: int,
    streams: Streams,
    *,
    purpose: str = "unweighting",
    chunk: int | None = None,
    guard: Guard | None = None,
    threads: int = 1,
    max_trials: int | None = None,
    executor: Executor | None = None,
    window: int = 4,
    on_progress: Callable[[UnweightingStatus], None] | None = None,
    trials: Samples | None = None,
) -> EventStream:
    """Unweighted events of a process, as a stream of chunks; exactly ``n_events`` of them.

    A trial picks channel i with probability ``w_max,i / sum_j w_max,j``, draws a point from ``g_i`` and is kept with
    probability ``|w|/w_max,i``, ``w = alpha_i f/g_i``. Whatever the values of ``w_max``, events with ``|w| > w_max``
    keep the weight ``w/w_max``, so that the sample is unbiased; negative weights keep their sign.

    Work is cut into pieces of ``chunk`` trials whose random numbers depend on the seed, the channel and the number of
    the piece only; the events do not depend on the executor, its workers or ``threads``. Memory does not grow with
    ``n_events``.

    Arguments:
        source: the process.
        sampler: frozen densities (:class:`mcbridge.samplers.Sampler`).
        w_max: (channels,), largest weight of every channel (:func:`mcbridge.unweighting.largest_weights`); a channel
            with 0 is left out.
        n_events: how many events are wanted.
        streams: random numbers.
        purpose: label of the stream; another label gives other events.
        chunk: trials in a piece; by default between 1024 and 16384. Another size gives other events.
        guard: what is tolerated of the integrand.
        threads: threads of the sampler.
        max_trials: when to give up; by default 10^7 or 10^5 an event, whatever is more.
        executor: where pieces run (``concurrent.futures``); in this thread if None.
        window: pieces under way at the same time, with an executor.
        on_progress: called with an :class:`UnweightingStatus` after every piece.
        trials: independent points of ``sampler`` that are tried first, each once, such as those of the integration:
            they cost no evaluation (:class:`mcbridge.unweighting.store.PointStore`).

    Raises:
        UserError: where an argument makes no sense, or every channel has ``w_max`` 0.
        AmplitudeError: where the integrand fails, or too few events come out of ``max_trials`` trials.
    """
    return EventStream(
        _Loop(
            source, sampler, w_max, n_events, streams, True, purpose, chunk, guard, threads, max_trials,
            on_progress, trials, _pieces_here(executor, max(1, window)),
        )
    )  # fmt: skip


def unweight_points(
    integrand: Integrand,
    sampler: Drawing,
    w_max: Sequence[float] | Array,
    n_events: int,
    streams: Streams,
    *,
    purpose: str = "unweighting",
    chunk: int | None = None,
    guard: Guard | None = None,
    threads: int = 1,
    max_trials: int | None = None,
    executor: Executor | None = None,
    window: int = 4,
    on_progress: Callable[[UnweightingStatus], None] | None = None,
    trials: Samples | None = None,
) -> PointStream:
    """Unweighted points of any integrand; arguments and random numbers are those of :func:`unweight`."""
    return PointStream(
        _Loop(
            integrand, sampler, w_max, n_events, streams, False, purpose, chunk, guard, threads, max_trials,
            on_progress, trials, _pieces_here(executor, max(1, window)),
        )
    )  # fmt: skip


def unweight_elsewhere(
    source: EventSource,
    sampler: Drawing,
    w_max: Sequence[float] | Array,
    n_events: int,
    streams: Streams,
    piece_map: PieceMap[Found],
    *,
    purpose: str = "unweighting",
    chunk: int | None = None,
    guard: Guard | None = None,
    threads: int = 1,
    max_trials: int | None = None,
    on_progress: Callable[[UnweightingStatus], None] | None = None,
    trials: Samples | None = None,
) -> FoundStream[Found]:
    """The trials of :func:`unweight`, done and kept where ``piece_map`` does it; the stream has what it gives back."""
    return FoundStream(
        _Loop(
            source, sampler, w_max, n_events, streams, True, purpose, chunk, guard, threads, max_trials, on_progress,
            trials, piece_map,
        )
    )  # fmt: skip


def _checked_w_max(source: Integrand, w_max: Sequence[float] | Array) -> Array:
    largest = np.atleast_1d(np.asarray(w_max, dtype=np.float64))
    if largest.shape != (source.channels,):
        raise UserError(f"w_max has shape {largest.shape}; {source.name} has {source.channels} channel(s)")
    if not np.all(np.isfinite(largest)) or np.any(largest < 0.0):
        raise UserError(f"w_max is {largest.tolist()}; its entries must be finite and not negative")
    if not np.any(largest):
        raise AmplitudeError(
            f"the largest weight of every channel of {source.name} is zero: nothing can be unweighted (do the cuts"
            " leave any phase space?)"
        )
    return largest
