"""Integration with a frozen sampler: independent points, channels as strata, streaming sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import chain, islice
from typing import TYPE_CHECKING

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray, Integrand
from mcbridge.integration.allocation import allocate, split
from mcbridge.integration.chunks import CHUNK, Accumulator, Chunk, ChunkMap, Plan, draw_chunk, in_process
from mcbridge.integration.guard import Guard
from mcbridge.integration.integral import (
    ChannelResult,
    Integral,
    IterationResult,
    combine,
)
from mcbridge.integration.samples import Samples
from mcbridge.random import Streams

if TYPE_CHECKING:
    from mcbridge.samplers.sampler import Sampler

__all__ = ["CHUNK", "Accumulator", "draw_samples", "fresh_weights", "integrate"]

# Two points are the least that give a variance.
_MINIMUM_POINTS = 2


def draw_samples(
    integrand: Integrand,
    sampler: Sampler,
    channel: int,
    n: int,
    streams: Streams,
    purpose: str,
    iteration: int = 0,
    guard: Guard | None = None,
    threads: int = 1,
) -> Iterator[tuple[Samples, Array]]:
    """Draw and evaluate ``n`` points of one channel, in chunks of at most ``CHUNK``.

    Yields:
        the points (prior alpha kept, the channel weight used in ``channel_weight``) and the event weights (k, size)
        of all components.
    """
    guard = Guard() if guard is None else guard
    for chunk, start in enumerate(range(0, n, CHUNK)):
        generator = streams.generator(purpose, channel, iteration, chunk)
        yield draw_chunk(integrand, sampler, channel, min(CHUNK, n - start), generator, guard, threads)


def check_fit(integrand: Integrand, sampler: Sampler) -> None:
    """UserError where a sampler was made for another dimension or number of channels than the integrand's."""
    if sampler.dim != integrand.dim:
        raise UserError(f"the sampler has {sampler.dim} dimensions; the integrand {integrand.name} has {integrand.dim}")
    if len(sampler.channels) != integrand.channels:
        raise UserError(
            f"the sampler has {len(sampler.channels)} channels; the integrand {integrand.name} has {integrand.channels}"
        )


def _shares(sampler: Sampler, allocation: Sequence[float] | Array | None, floor: float) -> Array:
    active = np.array(sampler.active)
    shares = np.zeros(len(active))
    given = sampler.allocation if allocation is None else np.asarray(allocation, dtype=np.float64)
    if given.shape != shares.shape or not np.all(np.isfinite(given)) or np.any(given < 0.0):
        raise UserError(f"allocation is {given}; it must be one number >= 0 for each of {len(active)} channels")
    shares[active] = allocate(given[active], floor)
    return shares


def _chunks(iteration: int, counts: IntArray, size: int) -> list[Chunk]:
    """The chunks of one iteration with ``counts`` (channels,) points, channel by channel."""
    return [
        Chunk(channel, iteration, number, min(size, int(n) - start))
        for channel, n in enumerate(counts)
        for number, start in enumerate(range(0, int(n), size))
    ]


def iteration_result(sums: list[Accumulator]) -> IterationResult:
    """Sum over the strata of one iteration: the means add up, and so do the variances of the means."""
    used = [accumulator for accumulator in sums if accumulator.n]
    mean = np.sum([accumulator.mean for accumulator in used], axis=0)
    covariance = np.sum([accumulator.covariance / accumulator.n for accumulator in used], axis=0)
    n = sum(accumulator.n for accumulator in used)
    return IterationResult(float(mean[0]), float(np.sqrt(covariance[0, 0])), n, mean, covariance)


def summarise(
    iterations: list[IterationResult], totals: list[Accumulator], guard: Guard, keep: list[Samples] | None = None
) -> Integral:
    """The result from its iterations and the sums ``totals`` of every channel over all iterations."""
    used = [total for total in totals if total.n]
    mean = float(sum(total.mean[0] for total in used))
    error = float(np.sqrt(sum(total.covariance[0, 0] / total.n for total in used)))
    channels = [
        ChannelResult(
            float(total.mean[0]), total.sigma, total.n, total.absolute_sum / total.n if total.n else 0.0, total.maximum
        )
        for total in totals
    ]
    return Integral(
        mean=mean,
        error=error,
        iterations=iterations,
        channels=channels,
        absolute=sum(channel.absolute for channel in channels),
        evaluations=sum(total.n for total in totals),
        chi2=combine(iterations)[2],
        dof=len(iterations) - 1,
        failures=guard.log,
        samples=Samples.concatenate(keep) if keep else None,
    )


def integrate(
    integrand: Integrand,
    sampler: Sampler,
    evaluations: int,
    iterations: int,
    streams: Streams,
    purpose: str = "integrate",
    allocation: Sequence[float] | Array | None = None,
    guard: Guard | None = None,
    threads: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
    keep: bool = False,
    floor: float = 0.1,
    converged: Callable[[list[IterationResult]], bool] | None = None,
    chunk: int = CHUNK,
    chunk_map: ChunkMap | None = None,
    on_sums: Callable[[list[Accumulator]], None] | None = None,
) -> Integral:
    """Integrate with a frozen sampler; unbiased, since nothing adapts to the points that are used.

    ``I = sum_i <alpha_i f / g_i>`` with ``error^2 = sum_i sigma_i^2 / N_i`` (arXiv:2212.06172, eqs. 4 to 6).

    Arguments:
        integrand: any integrand.
        sampler: its sampler.
        evaluations: number of points of all iterations together; used up exactly.
        iterations: number of independent estimates.
        streams: random numbers.
        purpose: label of the stream; another label gives other points.
        allocation: (channels,), sigma of every channel; the sampler's own if None. Fixed before the first point.
        guard: what is tolerated of the integrand.
        threads: threads of the sampler.
        on_progress: called with the number of points done and of all, after every chunk.
        keep: whether the points are kept in ``Integral.samples``.
        floor: share of points distributed equally over the channels.
        converged: asked after every iteration whether to stop early.
        chunk: most points of a chunk; another size gives other points.
        chunk_map: does the chunks somewhere else (:mod:`mcbridge.scaling`); the result does not depend on where.
        on_sums: called with the sums of every channel so far, after every chunk.

    Raises:
        UserError: where the sampler does not fit the integrand, or there are too few points.
        AmplitudeError: where the integrand fails.
    """
    check_fit(integrand, sampler)
    if iterations < 1:
        raise UserError(f"iterations is {iterations}; it must be at least 1")
    evaluations = int(evaluations)
    shares = _shares(sampler, allocation, floor)
    needed = _MINIMUM_POINTS * int(np.sum(shares > 0.0)) * iterations
    if evaluations < needed:
        raise UserError(f"evaluations is {evaluations}; {iterations} iterations need at least {needed}")
    if chunk < 1:
        raise UserError(f"chunk is {chunk}; it must be at least 1")
    guard = Guard() if guard is None else guard
    plan = Plan(streams, purpose, keep, threads)
    work = in_process(integrand, sampler, guard) if chunk_map is None else chunk_map
    kept: list[Samples] = []
    totals = [Accumulator() for _ in sampler.channels]
    results: list[IterationResult] = []
    counts = [split(int(points), shares, _MINIMUM_POINTS) for points in split(evaluations, np.ones(iterations))]
    pieces = [_chunks(iteration, points, chunk) for iteration, points in enumerate(counts)]
    done = 0
    # Without a question in between, chunks of later iterations are under way while those of earlier ones are awaited.
    everything = work(plan, chain.from_iterable(pieces)) if converged is None else None
    for iteration in pieces:
        sums = [Accumulator() for _ in sampler.channels]
        found = work(plan, iteration) if everything is None else islice(everything, len(iteration))
        for piece, part in zip(iteration, found, strict=True):
            guard.absorb(part.failures, integrand.name)
            sums[piece.channel].join(part.sums)
            if part.samples is not None:
                kept.append(part.samples)
            done += piece.points
            if on_progress is not None:
                on_progress(done, evaluations)
            if on_sums is not None:
                on_sums(_joined(totals, sums))
        for total, of_iteration in zip(totals, sums, strict=True):
            total.join(of_iteration)
        results.append(iteration_result(sums))
        if converged is not None and converged(results):
            break
    return summarise(results, totals, guard, kept)


def _joined(totals: list[Accumulator], sums: list[Accumulator]) -> list[Accumulator]:
    joined = deepcopy(totals)
    for total, part in zip(joined, sums, strict=True):
        total.join(part)
    return joined


def fresh_weights(
    integrand: Integrand,
    sampler: Sampler,
    n: int,
    streams: Streams,
    purpose: str,
    guard: Guard | None = None,
    allocation: Sequence[float] | Array | None = None,
    threads: int = 1,
    floor: float = 0.1,
    chunk: int = CHUNK,
    chunk_map: ChunkMap | None = None,
) -> Samples:
    """``n`` fresh independent points with their ``event_weights``, for benchmarks and for the choice of a sampler.

    Channels get points as in :func:`integrate`; a figure of merit must treat every channel by itself.
    """
    check_fit(integrand, sampler)
    guard = Guard() if guard is None else guard
    counts = split(int(n), _shares(sampler, allocation, floor), _MINIMUM_POINTS)
    work = in_process(integrand, sampler, guard) if chunk_map is None else chunk_map
    kept: list[Samples] = []
    for part in work(Plan(streams, purpose, True, threads), _chunks(0, counts, chunk)):
        guard.absorb(part.failures, integrand.name)
        assert part.samples is not None  # asked for
        kept.append(part.samples)
    return Samples.concatenate(kept)
