"""A run as a machine of states: each is done once, leaves a checkpoint, and is read back when the run is resumed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcbridge.errors import UserError
from mcbridge.integration import FailureLog
from mcbridge.scaling import Evaluator, Journal
from plugin.run.statefile import STATES, StateFile, StateRecord

if TYPE_CHECKING:
    from plugin.run.folder import RunFolder
    from plugin.run.state import State

__all__ = ["Machine"]

log = logging.getLogger("plugin.run")


class Machine:
    """Goes from state to state.

    Arguments:
        folder: of the run.
        file: how far the run is.
        state: what the states hand on.
    """

    def __init__(self, folder: RunFolder, file: StateFile, state: State) -> None:
        self.folder, self.file, self.state = folder, file, state
        self.resumed = bool(file.resumed)

    def step(
        self,
        name: str,
        work: Callable[[], dict[str, Any]],
        read: Callable[[dict[str, Any]], None] | None = None,
        timed: str | None = None,
    ) -> None:
        """Do a state, or read what it left behind.

        Arguments:
            name: of the state.
            work: does it, writes its checkpoints and returns what else the following states need, for JSON.
            read: takes the same from the checkpoints of an earlier process.
            timed: where its CPU time is entered in the summary; under its own name if None.

        Raises:
            UserError: a checkpoint is damaged, or a file cannot be written.
        """
        state = self.state
        if self.file.done(name):
            record = self.file.states[name]
            self._restore(record)
            if read is not None:
                self._read(name, read, record)
            state.cpu[timed or name] = state.cpu.get(timed or name, 0.0) + record.cpu_seconds
            return
        self.file.states[name] = StateRecord(status="running")
        self._save()
        self.folder.line(state=name, status="running")
        evaluator = state.process if isinstance(state.process, Evaluator) else None
        if evaluator is not None:
            evaluator.journal = Journal(self.folder.checkpoints / "evaluations" / name)
        elsewhere = 0.0 if evaluator is None else evaluator.worker_seconds
        cpu, start = time.process_time(), time.monotonic()
        result = work()
        seconds = time.monotonic() - start
        cpu = time.process_time() - cpu
        if evaluator is not None:
            cpu += evaluator.worker_seconds - elsewhere
            evaluator.journal = None
        self.file.states[name] = StateRecord(
            status="done",
            result=result,
            evaluations=state.process.evaluations,
            amplitude_seconds=state.process.cpu_seconds,
            cpu_seconds=cpu,
            seconds=seconds,
            failures=state.guard.log.as_json(),
        )
        self._save()
        state.cpu[timed or name] = state.cpu.get(timed or name, 0.0) + cpu
        self.folder.line(state=name, status="done", seconds=seconds, cpu_seconds=cpu)

    def finished(self, name: str) -> bool:
        """Whether a state was done by an earlier process: what only it needs is not read any more."""
        return self.file.done(name)

    def _save(self) -> None:
        self.file.save(self.folder.path)

    def _restore(self, record: StateRecord) -> None:
        self.state.process.evaluations = record.evaluations
        self.state.process.cpu_seconds = record.amplitude_seconds
        if record.failures is not None:
            self.state.guard.log = FailureLog.from_json(record.failures)

    def _read(self, name: str, read: Callable[[dict[str, Any]], None], record: StateRecord) -> None:
        try:
            read(record.result)
        except UserError as error:
            later = ", ".join(STATES[STATES.index(name) :])
            raise UserError(
                f"the state '{name}' of {self.folder.path} cannot be read back: {error}; nothing was changed. Restore"
                f" the file, or take the states {later} out of state.json, and binnis run --resume does them again"
            ) from None
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"the state '{name}' in {self.folder.path / 'state.json'} is damaged"
                f" ({type(error).__name__}: {error}); nothing was changed"
            ) from None
