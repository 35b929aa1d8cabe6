"""What the states of a run hand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, Samples
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.scaling import Context, Cost, Evaluator, InProcess, Workers
from plugin.card import Card
from plugin.choice import Decision, Figures, Goal, measured_figures
from plugin.run.progress import Progress

__all__ = ["State"]


@dataclass
class State:
    """What the stages of a run hand on."""

    card: Card
    process: Metered
    streams: Streams
    guard: Guard
    progress: Progress
    vegas: Sampler | None = None
    flow: Sampler | None = None
    points: Samples | None = None
    fresh: Samples | None = None
    training: dict[str, Any] = field(default_factory=dict)
    figures_of_vegas: Figures | None = None
    early: Decision | None = None
    uncertain: Sampler | None = None
    uncertain_note: str = ""
    cpu: dict[str, float] = field(default_factory=dict)
    workers: Workers | None = None
    context: Context | None = None

    def figures(self, sampler: Sampler, purpose: str, points: int | None = None) -> tuple[Figures, Samples]:
        """Figures of merit on fresh independent points; as many as the card says unless told otherwise."""
        points = points or self.card.choice.evaluations
        return measured_figures(self.process, sampler, points, self.streams, purpose, self.guard)

    @property
    def goal(self) -> Goal:
        """What the card wants once the map is chosen."""
        return Goal(self.card.events, self.card.integration.evaluations)

    @property
    def threads(self) -> int:
        """Threads of the sampler in a chunk of work: one where several workers share the machine."""
        return self.card.threads if self.workers is None or isinstance(self.workers, InProcess) else 1

    def charge(self, cost: Cost) -> None:
        """Count what a worker has done."""
        if isinstance(self.process, Evaluator):
            self.process.charge(cost)
