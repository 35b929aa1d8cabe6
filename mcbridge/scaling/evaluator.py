"""An integrand whose points are evaluated by workers, block by block, and found again after a break."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import Array, Evaluation, Integrand
from mcbridge.scaling.context import Context
from mcbridge.scaling.cost import Cost
from mcbridge.scaling.journal import Journal
from mcbridge.scaling.tasks import Raised, evaluate_block, run_chunk
from mcbridge.scaling.workers import InProcess, Workers

__all__ = ["BLOCK", "Evaluator"]

BLOCK = 8192
"""Points that are evaluated at once, where nothing else is asked for."""


class Evaluator(Metered):
    """The integrand of a run for survey and training: counted, evaluated by workers, and kept for a resumed run.

    Points are evaluated in blocks whose size depends on nothing else, so that not even the rounding of an amplitude
    depends on the number of workers.

    Arguments:
        integrand: as in this process.
        context: how a worker makes it.
        workers: who evaluates.
        block: points that are evaluated at once.
    """

    def __init__(
        self, integrand: Integrand, context: Context, workers: Workers | None = None, block: int = BLOCK
    ) -> None:
        super().__init__(integrand)
        self.context, self.block = context.remember(Metered(integrand)), block
        self.workers: Workers = InProcess() if workers is None else workers
        self.elsewhere = not isinstance(self.workers, InProcess)
        self.journal: Journal | None = None
        self.worker_seconds = 0.0

    def __call__(self, u: Array, channel: int) -> Evaluation:
        parts = []
        for part in self._blocks(u, channel):
            if isinstance(part, Raised):
                raise part.again()
            parts.append(part)
        return parts[0] if len(parts) == 1 else _concatenated(parts)

    def charge(self, cost: Cost) -> None:
        """Count what was evaluated elsewhere for this run."""
        self.evaluations += cost.evaluations
        self.cpu_seconds += cost.amplitude_seconds
        if not isinstance(self.workers, InProcess):
            self.worker_seconds += cost.cpu_seconds

    def _blocks(self, u: Array, channel: int) -> Iterator[Evaluation | Raised]:
        blocks = [u[start : start + self.block] for start in range(0, max(len(u), 1), self.block)]
        known: list[tuple[Evaluation, Cost] | None] = [
            None if self.journal is None else self.journal.find(block, channel) for block in blocks
        ]
        missing = ((evaluate_block, (block, channel)) for block, found in zip(blocks, known, strict=True) if not found)
        done = self.workers.map(run_chunk, self.context, missing)
        for block, found in zip(blocks, known, strict=True):
            if found is not None:
                self.charge(found[1])
                yield found[0]
                continue
            new = next(done)
            self.charge(new.cost)
            if self.journal is not None and isinstance(new.result, Evaluation):
                self.journal.keep(block, channel, new.result, new.cost)
            yield new.result


def _concatenated(parts: list[Evaluation]) -> Evaluation:
    columns: dict[str, Any] = {}
    for name in ("weight", "alpha", "features"):
        arrays = [getattr(part, name) for part in parts]
        columns[name] = None if arrays[0] is None else np.concatenate(arrays)
    return Evaluation(**columns)
