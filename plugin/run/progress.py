"""Progress bars on standard error, one line per stage."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

__all__ = ["Progress", "training_note"]


class Progress:
    """Progress bars of a run; silent where nobody looks (``quiet``, or standard error is no terminal)."""

    def __init__(self, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=quiet or not console.is_terminal,
        )

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def counter(self, stage: str, total: int) -> Callable[[int, int], None]:
        """A callback ``(done, total)`` for a stage that counts points or events."""
        task = self._bars.add_task(stage, total=total, note="")

        def update(done: int, total: int = total) -> None:
            self._bars.update(task, completed=min(done, total), total=total)

        return update

    def stages(self) -> Callable[[str, int, int], None]:
        """A callback ``(stage, done, total)``; every stage gets a bar when it comes."""
        updates: dict[str, Callable[[int, int], None]] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in updates:
                updates[stage] = self.counter(stage, total)
            updates[stage](done, total)

        return update

    def status(self, stage: str, done: str, total: str, note: Callable[[Any], str]) -> Callable[[Any], None]:
        """A callback for a status object: the names of its two counters, and a text made from it."""
        tasks: list[Any] = []

        def update(status: Any) -> None:
            if not tasks:  # a stage that never comes has no bar
                tasks.append(self._bars.add_task(stage, total=None, note=""))
            self._bars.update(
                tasks[0], completed=getattr(status, done), total=getattr(status, total), note=note(status)
            )

        return update


def training_note(status: Any) -> str:
    """What stands beside the bar of a training."""
    return f"{status.stage}, held-out rel. std {status.held_out_rsd:.3g}"
