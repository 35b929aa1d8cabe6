"""Workers by the run card, and how they make the integrand."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from mcbridge.errors import UserError
from mcbridge.integrands.metered import Metered
from mcbridge.scaling import InProcess, Processes, Threads, Workers
from plugin.card.model import ScalingCard
from plugin.card.processes import CustomCard, ProcessCard, Section, UmamiCard

__all__ = ["MakeProcess", "absolute", "workers_of"]

log = logging.getLogger("plugin.run")


@dataclass(frozen=True)
class MakeProcess:
    """Makes the process of a run card in a worker; paths in the card are those of the main process.

    Attributes:
        card: the section ``process`` as JSON.
        folder: working directory of the main process.
    """

    card: str
    folder: str

    @staticmethod
    def of(card: Section, folder: Path | None = None) -> MakeProcess:
        """For the section of a card; relative paths become absolute.

        Arguments:
            folder: where relative paths start; the working directory if None.
        """
        start = Path.cwd() if folder is None else folder
        return MakeProcess(absolute(card, start).model_dump_json(), str(start))

    @property
    def key(self) -> str:
        """A name that equal processes share."""
        return hashlib.sha256(f"{self.card}{self.folder}".encode()).hexdigest()

    def __call__(self) -> Metered:
        import sys

        from plugin.run.process import build_process

        if self.folder not in sys.path:
            sys.path.insert(0, self.folder)  # modules beside the card
        section: Section = TypeAdapter(ProcessCard).validate_json(self.card)
        return Metered(build_process(section))


def absolute(card: Section, folder: Path) -> Section:
    """The section ``process`` of a card with absolute paths, where relative ones start in ``folder``."""
    changes: dict[str, Any] = {}
    if isinstance(card, CustomCard) and card.amplitude.rpartition(":")[0].endswith(".py"):
        changes["amplitude"] = str(folder / card.amplitude)
    if isinstance(card, UmamiCard):
        changes["library"] = str(folder / card.library)
        if card.param_card is not None:
            changes["param_card"] = str(folder / card.param_card)
    return card.model_copy(update=changes)


@contextmanager
def workers_of(card: ScalingCard) -> Iterator[Workers]:
    """The workers that a card asks for, ended at the end of the block.

    Raises:
        UserError: Dask is not installed, or its scheduler does not answer.
    """
    workers = _begin(card)
    if not isinstance(workers, InProcess):
        log.info("workers: %s", workers.description)
    try:
        yield workers
    finally:
        workers.close()


def _begin(card: ScalingCard) -> Workers:
    if card.scheduler is not None or card.cluster is not None:
        try:
            from mcbridge.scaling.cluster import DaskWorkers
        except ImportError as error:
            raise UserError(
                f"scaling.{'scheduler' if card.scheduler else 'cluster'} needs Dask, which is not installed"
                f" ({error.name} is missing): pip install 'binnis[cluster]'"
            ) from None
        if card.scheduler is not None:
            return DaskWorkers.connect(card.scheduler)
        assert card.cluster is not None
        assert card.workers is not None  # checked with the card
        return DaskWorkers.start(card.cluster, card.workers, card.cluster_options)
    if card.workers is None:
        return InProcess()
    return Threads(card.workers) if card.backend == "threads" else Processes(card.workers)
