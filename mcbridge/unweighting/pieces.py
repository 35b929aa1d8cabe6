"""One piece of unweighting: a pure function of its labels, so that it may run anywhere and in any order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Protocol, Self

import numpy as np

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events.batch import concatenate, select, size
from mcbridge.integrands.protocol import Array, Evaluation, EventBatch, EventSource, IntArray, Integrand
from mcbridge.integration.guard import FailureLog, Guard, evaluate
from mcbridge.random import Streams
from mcbridge.unweighting.store import StoredPoints
from mcbridge.unweighting.summary import WeightSummary

__all__ = ["Drawing", "Piece", "Points", "Tried", "trials_of_channels", "work"]


class Drawing(Protocol):
    """The part of a sampler that unweighting needs (see :class:`mcbridge.samplers.Sampler`)."""

    def draw(self, channel: int, n: int, generator: np.random.Generator, threads: int = 1) -> tuple[Array, Array]:
        """Points u (n, dim) of a channel and their density (n,)."""
        ...

    def alpha(self, evaluation: Evaluation) -> Array | None:
        """Channel weights (n, channels), or None for a single channel."""
        ...


@dataclass(frozen=True)
class Piece:
    """Everything that a piece of work depends on.

    Attributes:
        source: the integrand; an :class:`EventSource` where ``records``.
        sampler: frozen densities of all channels.
        w_max: (channels,), the largest weight of every channel.
        trials: number of trials of a piece.
        streams: random numbers of the run.
        purpose: label of the streams.
        records: whether event records are made of the accepted points.
        threads: threads of the sampler.
    """

    source: Integrand
    sampler: Drawing
    w_max: Array
    trials: int
    streams: Streams
    purpose: str
    records: bool
    threads: int = 1


@dataclass(kw_only=True)
class Tried(ABC):
    """What a piece of work amounts to.

    Attributes:
        tried: relative weights ``w/w_max`` of all trials, summed up.
        kept: relative weights of the accepted ones, summed up.
        trials_per_channel, accepted_per_channel: (channels,).
        stored: number of trials that had been evaluated before.
        failures: what the integrand did wrong.
    """

    tried: WeightSummary
    kept: WeightSummary
    trials_per_channel: IntArray
    accepted_per_channel: IntArray
    stored: int
    failures: FailureLog

    @property
    def accepted(self) -> int:
        """Number of accepted points."""
        return int(np.sum(self.accepted_per_channel))

    @abstractmethod
    def first(self, n: int) -> Self:
        """The same with the first n accepted points alone; the sums stay those of all trials."""


@dataclass(kw_only=True)
class Points(Tried):
    """What a piece of work found.

    Attributes:
        u: (n, dim), accepted points in the order of their trials.
        channel: (n,), the channel of each.
        weight: (n,), relative weight: the sign, times |w|/w_max where that is above 1.
        batch: the event records, or None.
    """

    u: Array
    channel: IntArray
    weight: Array
    batch: EventBatch | None

    def first(self, n: int) -> Self:
        """See :class:`Tried`."""
        if len(self.weight) <= n:
            return self
        batch = None if self.batch is None else select(self.batch, slice(0, n))
        return replace(self, u=self.u[:n], channel=self.channel[:n], weight=self.weight[:n], batch=batch)


def trials_of_channels(piece: Piece, chunk: int) -> IntArray:
    """How many trials of a piece of work fall on each channel (channels,)."""
    generator = piece.streams.generator(f"{piece.purpose}: trials", chunk=chunk)
    counts: IntArray = np.bincount(_draw_channels(piece.w_max, piece.trials, generator), minlength=len(piece.w_max))
    return counts.astype(np.int64)


def work(piece: Piece, chunk: int, stored: list[StoredPoints] | None = None) -> Points:
    """Try ``piece.trials`` points and keep each with probability ``min(|w|/w_max, 1)``.

    The channel of every trial is drawn with probability ``w_max,i / sum_j w_max,j``. So trials are independent and
    identically distributed, and so are accepted points: their order says nothing about their channel, and the first n
    of them are a fair sample.

    Arguments:
        piece: what to do.
        chunk: number of the piece.
        stored: for each channel evaluated points that are its first trials here; the others are drawn.

    Raises:
        AmplitudeError: where the integrand raises or returns the wrong shape.
    """
    channels = len(piece.w_max)
    generator = piece.streams.generator(f"{piece.purpose}: trials", chunk=chunk)
    of_trial = _draw_channels(piece.w_max, piece.trials, generator)
    uniform = generator.random(piece.trials)
    choice = generator.random((piece.trials, 2))
    counts = np.bincount(of_trial, minlength=channels)
    # The failures of this piece are judged by the caller, together with those of all others.
    guard = Guard(max_failure_fraction=1.0)
    relative = np.zeros(piece.trials)
    u = np.zeros((piece.trials, piece.source.dim))
    for channel in np.flatnonzero(counts):
        rows = np.flatnonzero(of_trial == channel)
        if stored is not None:
            known, rows = np.split(rows, [len(stored[channel])])
            u[known] = stored[channel].u
            relative[known] = stored[channel].weight / piece.w_max[channel]
            if not len(rows):
                continue
        stream = piece.streams.generator(piece.purpose, int(channel), 0, chunk)
        points, density = piece.sampler.draw(int(channel), len(rows), stream, piece.threads)
        evaluation = evaluate(piece.source, points, int(channel), guard)
        alpha = piece.sampler.alpha(evaluation)
        weight = evaluation.weight if alpha is None else evaluation.weight * alpha[:, channel]
        u[rows] = points
        with np.errstate(divide="ignore", invalid="ignore"):
            relative[rows] = np.where(weight == 0.0, 0.0, weight / (density * piece.w_max[channel]))
    if not np.all(np.isfinite(relative)):
        raise AmplitudeError(
            f"{int(np.sum(~np.isfinite(relative)))} event weights of {piece.source.name} are not finite: the density of"
            " the sampler vanishes or overflows there"
        )
    accepted = np.flatnonzero(uniform < np.abs(relative))
    kept = np.sign(relative[accepted]) * np.maximum(np.abs(relative[accepted]), 1.0)
    tried, taken = WeightSummary(), WeightSummary()
    tried.add(relative)
    taken.add(kept)
    of_accepted = of_trial[accepted]
    return Points(
        u=u[accepted],
        channel=of_accepted,
        weight=kept,
        batch=_records(piece, u[accepted], of_accepted, choice[accepted]) if piece.records and len(accepted) else None,
        tried=tried,
        kept=taken,
        trials_per_channel=counts.astype(np.int64),
        accepted_per_channel=np.bincount(of_accepted, minlength=channels).astype(np.int64),
        stored=0 if stored is None else sum(len(points) for points in stored),
        failures=guard.log,
    )


def _draw_channels(w_max: Array, n: int, generator: np.random.Generator) -> IntArray:
    if len(w_max) == 1:
        return np.zeros(n, dtype=np.int64)
    cumulative = np.cumsum(w_max)
    drawn: IntArray = np.searchsorted(cumulative, generator.random(n) * cumulative[-1], side="right").astype(np.int64)
    return np.minimum(drawn, int(np.flatnonzero(w_max)[-1]))  # rounding must not reach a channel without weight


def _records(piece: Piece, u: Array, channel: IntArray, choice: Array) -> EventBatch:
    """Event records (n) of accepted points, in their order; each channel makes its own in one call."""
    source = piece.source
    assert isinstance(source, EventSource)  # checked by the caller, once
    batches, places = [], []
    for index in np.unique(channel):
        rows = np.flatnonzero(channel == index)
        batch = _call(source, u[rows], int(index), choice[rows])
        if size(batch) != len(rows):
            raise AmplitudeError(f"{source.name} made {size(batch)} event records of {len(rows)} points")
        batches.append(batch)
        places.append(rows)
    joined = concatenate(batches)
    return joined if len(batches) == 1 else select(joined, np.argsort(np.concatenate(places), kind="stable"))


def _call(source: EventSource, u: Array, channel: int, choice: Array) -> EventBatch:
    try:
        return source.events(u, channel, choice)
    except UserError:
        raise
    except Exception as error:
        raise AmplitudeError(
            f"{source.name} raised {type(error).__name__} while making event records in channel {channel}: {error}"
        ) from error
