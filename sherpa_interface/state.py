"""What the stages of a run with Sherpa hand on."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcbridge.random import Streams
from plugin.run.progress import Progress
from sherpa_interface.card import Process, SherpaCard
from sherpa_interface.process import Installation
from sherpa_interface.training import Choice

__all__ = ["Settings", "State"]


@dataclass(frozen=True)
class Settings:
    """What the user asked for on the command line.

    Attributes:
        events: unweighted events; None takes ``EVENTS`` of the card.
        seed: of Sherpa and of the training.
        sampler: ``auto``, ``flow`` or ``vegas``; None takes ``BINNIS: {SAMPLER: ...}`` of the card.
        evaluations: of the integrand for the training of each process.
        choice: fresh points for each of flow and Sherpa's own mapping.
        integration: points of the integration with the trained sampler, for each process.
        split: whether groups of processes are divided into partonic channels, each with its own sampler.
        replicas: draws of the Bayesian flow; 0 for events without uncertainties.
        threads: of the flow kernel.
        quiet: no progress bars.
    """

    events: int | None = None
    seed: int = 1
    sampler: Choice | None = None
    evaluations: int = 400_000
    choice: int = 50_000
    integration: int = 500_000
    split: bool = True
    replicas: int = 32
    threads: int = 1
    quiet: bool = False


@dataclass
class State:
    """What the stages hand on."""

    card: SherpaCard
    settings: Settings
    program: Installation
    folder: Path
    progress: Progress
    streams: Streams
    name: str = ""
    mode: Choice = "auto"
    events: int = 0
    overlay: dict[str, Any] = field(default_factory=dict)
    processes: list[Process] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)

    def found(self) -> dict[str, Any]:
        """What the search for processes has found, as JSON holds it."""
        return {"overlay": self.overlay, "processes": self.processes, "notes": self.notes}

    def recall(self, found: dict[str, Any]) -> None:
        """Take over what :meth:`found` gave in an earlier run."""
        self.overlay, self.processes, self.notes = found["overlay"], found["processes"], found["notes"]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the CPU time of a stage, that of its Sherpa processes included."""
        start = _cpu()
        yield
        self.cpu[name] = self.cpu.get(name, 0.0) + _cpu() - start


def _cpu() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
