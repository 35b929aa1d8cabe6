"""Cost accounting: how many amplitude evaluations were paid for, and what one costs in CPU time."""

from __future__ import annotations

import time

from mcbridge.integrands.protocol import Array, Evaluation, EventBatch, EventSource, Integrand

__all__ = ["Metered"]


class Metered:
    """An integrand that counts its evaluations and their CPU time.

    Arguments:
        integrand: the integrand to be called; all its attributes stay visible.

    Attributes:
        evaluations: points evaluated so far.
        cpu_seconds: CPU time that they took in this process and in the workers of a pool.
    """

    def __init__(self, integrand: Integrand) -> None:
        self.integrand = integrand
        self.name = integrand.name
        self.dim = integrand.dim
        self.channels = integrand.channels
        self.periodic = integrand.periodic
        self.discrete = integrand.discrete
        self.evaluations = 0
        self.cpu_seconds = 0.0

    def __call__(self, u: Array, channel: int) -> Evaluation:
        start = time.process_time() + self._in_workers()
        evaluation = self.integrand(u, channel)
        self.cpu_seconds += time.process_time() + self._in_workers() - start
        self.evaluations += len(u)
        return evaluation

    def _in_workers(self) -> float:
        return float(getattr(self.integrand, "worker_seconds", 0.0))

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """The event records of points (see :class:`EventSource`); not counted as evaluations."""
        if not isinstance(self.integrand, EventSource):
            raise TypeError(f"{self.name} is an integrand without events")
        return self.integrand.events(u, channel, choice)

    @property
    def seconds_per_evaluation(self) -> float:
        """CPU time of one evaluation [s]; 0 before the first."""
        return self.cpu_seconds / self.evaluations if self.evaluations else 0.0
