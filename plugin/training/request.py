"""New points for a training, evaluated by workers while the training goes on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from mcbridge.integrands.protocol import IntArray, Integrand
from mcbridge.integration import Guard, Samples
from mcbridge.integration.integrate import draw_samples
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.training.buffer import FrozenFlow

__all__ = ["Request"]


class Request:
    """Points that were asked for.

    An integrand that says ``elsewhere`` (its points are evaluated by workers) is called in a thread from now on; any
    other when the points are taken. The points are the same.

    Arguments:
        integrand: to be evaluated.
        sampler: draws the points.
        counts: (channels,), number of points.
        streams: random numbers.
        index: of the round.
        state: what the points are drawn from, for the buffer.
        guard: what is tolerated of the integrand.
        threads: of the sampler.
    """

    def __init__(
        self,
        integrand: Integrand,
        sampler: Sampler,
        counts: IntArray,
        streams: Streams,
        index: int,
        state: FrozenFlow,
        guard: Guard,
        threads: int,
    ) -> None:
        self.integrand, self.sampler, self.counts, self.streams = integrand, sampler, counts, streams
        self.index, self.state, self.guard, self.threads = index, state, guard, threads
        self._pool = ThreadPoolExecutor(1) if getattr(integrand, "elsewhere", False) else None
        self._own = Guard(max_failure_fraction=1.0) if self._pool is not None else guard
        self._future = None if self._pool is None else self._pool.submit(lambda: list(self._evaluated()))

    def _evaluated(self) -> Iterator[Samples]:
        for channel, count in enumerate(self.counts):
            for part, _ in draw_samples(
                self.integrand,
                self.sampler,
                channel,
                int(count),
                self.streams,
                "training",
                self.index,
                self._own,
                self.threads,
            ):
                yield part

    def points(self) -> Iterator[Samples]:
        """The points, as soon as they are there.

        Raises:
            AmplitudeError: where the integrand fails.
        """
        if self._pool is None or self._future is None:
            yield from self._evaluated()
            return
        try:
            found = self._future.result()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self.guard.absorb(self._own.log, self.integrand.name)
        yield from found
