"""Integration with a frozen sampler: independent points, channels as strata, streaming sums."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.function import ComponentEvaluation
from mcbridge.integrands.protocol import Array, IntArray, Integrand
from mcbridge.integration.allocation import allocate, split
from mcbridge.integration.guard import Guard, evaluate
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

__all__ = ["CHUNK", "Accumulator", "draw_samples", "fresh_weights", "integrate", "run_iteration"]

CHUNK = 65536
"""Largest number of points evaluated at once."""

# Two points are the least that give a variance.
_MINIMUM_POINTS = 2


@dataclass
class Accumulator:
    """Streaming sums of the weights of one channel, shifted by the first chunk's mean against cancellation.

    Attributes:
        size: number of components of the integrand.
        n: number of points.
    """

    size: int = 1
    n: int = 0
    absolute_sum: float = 0.0
    maximum: float = 0.0
    mean: Array = field(default_factory=lambda: np.zeros(1))
    squares: Array = field(default_factory=lambda: np.zeros((1, 1)))

    def add(self, weights: Array) -> None:
        """Take in ``weights`` (n, size), the first column being the one that was adapted to."""
        n = len(weights)
        if n == 0:
            return
        mean = np.mean(weights, axis=0)
        deviation = weights - mean
        self.merge(n, mean, deviation.T @ deviation)
        first = np.abs(weights[:, 0])
        self.absolute_sum += float(np.sum(first))
        self.maximum = max(self.maximum, float(np.max(first)))

    def merge(self, n: int, mean: Array, squares: Array) -> None:
        """Join sums of ``n`` further points: their mean (size,) and sum of squared deviations (size, size)."""
        if self.n == 0:
            self.n, self.mean, self.squares, self.size = n, mean, squares, len(mean)
            return
        total = self.n + n
        difference = mean - self.mean
        self.mean = self.mean + difference * (n / total)
        self.squares = self.squares + squares + np.outer(difference, difference) * (self.n * n / total)
        self.n = total

    def join(self, other: Accumulator) -> None:
        """Join the points of another accumulator."""
        if other.n:
            self.merge(other.n, other.mean, other.squares)
            self.absolute_sum += other.absolute_sum
            self.maximum = max(self.maximum, other.maximum)

    @property
    def covariance(self) -> Array:
        """(size, size), covariance of the components of one point."""
        covariance: Array = self.squares / (self.n - 1) if self.n > 1 else np.zeros_like(self.squares)
        return covariance

    @property
    def sigma(self) -> float:
        """Standard deviation of one weight."""
        return float(np.sqrt(self.covariance[0, 0]))


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
        size = min(CHUNK, n - start)
        generator = streams.generator(purpose, channel, iteration, chunk)
        u, density = sampler.draw(channel, size, generator, threads)
        evaluation = evaluate(integrand, u, channel, guard)
        alpha = sampler.alpha(evaluation)
        channel_weight = None if alpha is None else np.ascontiguousarray(alpha[:, channel])
        samples = Samples(
            u,
            np.full(size, channel, dtype=np.int64),
            evaluation.weight,
            density,
            evaluation.alpha,
            evaluation.features,
            channel_weight,
        )
        components = evaluation.components if isinstance(evaluation, ComponentEvaluation) else None
        values = evaluation.weight[:, None] if components is None else components
        factor = 1.0 / density if channel_weight is None else channel_weight / density
        yield samples, values * factor[:, None]


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


def run_iteration(
    integrand: Integrand,
    sampler: Sampler,
    counts: IntArray,
    streams: Streams,
    purpose: str,
    iteration: int,
    guard: Guard,
    threads: int = 1,
    keep: list[Samples] | None = None,
    on_points: Callable[[int], None] | None = None,
) -> list[Accumulator]:
    """One iteration with ``counts`` (channels,) points; the sums of every channel.

    ``keep`` collects the points, ``on_points`` is told how many there are in every chunk.
    """
    sums = []
    for channel, n in enumerate(counts):
        accumulator = Accumulator()
        for samples, weights in draw_samples(
            integrand, sampler, channel, int(n), streams, purpose, iteration, guard, threads
        ):
            accumulator.add(weights)
            if keep is not None:
                keep.append(samples)
            if on_points is not None:
                on_points(len(samples))
        sums.append(accumulator)
    return sums


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
    guard = Guard() if guard is None else guard
    kept: list[Samples] | None = [] if keep else None
    totals = [Accumulator() for _ in sampler.channels]
    results: list[IterationResult] = []
    done = 0

    def report(points: int) -> None:
        nonlocal done
        done += points
        if on_progress is not None:
            on_progress(done, evaluations)

    for iteration, points in enumerate(split(evaluations, np.ones(iterations))):
        counts = split(int(points), shares, _MINIMUM_POINTS)
        sums = run_iteration(integrand, sampler, counts, streams, purpose, iteration, guard, threads, kept, report)
        for total, part in zip(totals, sums, strict=True):
            total.join(part)
        results.append(iteration_result(sums))
        if converged is not None and converged(results):
            break
    return summarise(results, totals, guard, kept)


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
) -> Samples:
    """``n`` fresh independent points with their ``event_weights``, for benchmarks and for the choice of a sampler.

    Channels get points as in :func:`integrate`; a figure of merit must treat every channel by itself.
    """
    check_fit(integrand, sampler)
    guard = Guard() if guard is None else guard
    counts = split(int(n), _shares(sampler, allocation, floor), _MINIMUM_POINTS)
    kept: list[Samples] = []
    run_iteration(integrand, sampler, counts, streams, purpose, 0, guard, threads, kept)
    return Samples.concatenate(kept)
