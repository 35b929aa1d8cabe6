"""One chunk of an integration: a pure function of sampler, integrand, seed and labels, so that it may run anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mcbridge.integrands.function import ComponentEvaluation
from mcbridge.integrands.protocol import Array, Integrand
from mcbridge.integration.guard import FailureLog, Guard, evaluate
from mcbridge.integration.samples import Samples
from mcbridge.random import Streams

if TYPE_CHECKING:
    from mcbridge.samplers.sampler import Sampler

__all__ = [
    "CHUNK",
    "Accumulator",
    "Chunk",
    "ChunkMap",
    "ChunkSums",
    "Plan",
    "draw_chunk",
    "in_process",
    "integrate_chunk",
]

CHUNK = 65536
"""Points of a chunk, where nothing else is asked for."""


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


@dataclass(frozen=True)
class Plan:
    """What all chunks of an integration share.

    Attributes:
        streams: random numbers.
        purpose: label of the stream.
        keep: whether the points are wanted, and not their sums alone.
        threads: of the sampler.
    """

    streams: Streams
    purpose: str
    keep: bool = False
    threads: int = 1


@dataclass(frozen=True)
class Chunk:
    """The labels of a chunk and its number of points; with the seed they fix its random numbers."""

    channel: int
    iteration: int
    number: int
    points: int


@dataclass
class ChunkSums:
    """What came out of a chunk.

    Attributes:
        sums: of the event weights.
        samples: the points, where they were wanted.
        failures: what the integrand did wrong.
    """

    sums: Accumulator
    samples: Samples | None
    failures: FailureLog


ChunkMap = Callable[[Plan, Iterable[Chunk]], Iterator[ChunkSums]]
"""Does the chunks of an integration somewhere and gives the results in their order."""


def draw_chunk(
    integrand: Integrand,
    sampler: Sampler,
    channel: int,
    n: int,
    generator: np.random.Generator,
    guard: Guard,
    threads: int = 1,
) -> tuple[Samples, Array]:
    """Draw and evaluate n points of a channel.

    Returns:
        the points (prior alpha kept, the channel weight used in ``channel_weight``) and the event weights (n, size) of
        all components.
    """
    u, density = sampler.draw(channel, n, generator, threads)
    evaluation = evaluate(integrand, u, channel, guard)
    alpha = sampler.alpha(evaluation)
    channel_weight = None if alpha is None else np.ascontiguousarray(alpha[:, channel])
    samples = Samples(
        u,
        np.full(n, channel, dtype=np.int64),
        evaluation.weight,
        density,
        evaluation.alpha,
        evaluation.features,
        channel_weight,
    )
    components = evaluation.components if isinstance(evaluation, ComponentEvaluation) else None
    values = evaluation.weight[:, None] if components is None else components
    factor = 1.0 / density if channel_weight is None else channel_weight / density
    return samples, values * factor[:, None]


def integrate_chunk(
    integrand: Integrand, sampler: Sampler, plan: Plan, chunk: Chunk, guard: Guard | None = None
) -> ChunkSums:
    """Draw and evaluate the points of a chunk, and sum up their weights.

    Arguments:
        guard: of the whole integration, where it is at hand; otherwise failures are reported to be judged with those
            of all chunks.

    Raises:
        AmplitudeError: where the integrand raises at every point or returns the wrong shape.
    """
    own = Guard(max_failure_fraction=1.0) if guard is None else guard
    generator = plan.streams.generator(plan.purpose, chunk.channel, chunk.iteration, chunk.number)
    samples, weights = draw_chunk(integrand, sampler, chunk.channel, chunk.points, generator, own, plan.threads)
    sums = Accumulator()
    sums.add(weights)
    return ChunkSums(sums, samples if plan.keep else None, own.log if guard is None else FailureLog())


def in_process(integrand: Integrand, sampler: Sampler, guard: Guard) -> ChunkMap:
    """Chunks one after the other in this thread."""

    def do(plan: Plan, chunks: Iterable[Chunk]) -> Iterator[ChunkSums]:
        for chunk in chunks:
            yield integrate_chunk(integrand, sampler, plan, chunk, guard)

    return do
