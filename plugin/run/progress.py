"""Progress bars on standard error, one line per stage, and the same for the log of a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

__all__ = ["Progress", "per_second", "training_note"]

_EVERY = 1.0  # seconds between two lines of the log


def per_second(rate: float | None) -> str:
    """A rate in three digits, with k or M."""
    if not rate:
        return ""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.3g}{unit}/s"
    return f"{rate:.3g}/s"


class _Rate(ProgressColumn):
    """What is done in a second."""

    def render(self, task: Task) -> Text:
        return Text(per_second(task.finished_speed or task.speed), style="progress.data.speed")


class Progress:
    """Progress bars of a run; silent where nobody looks (``quiet``, or standard error is no terminal).

    Arguments:
        quiet: show no bars.
        sink: told the same at most once a second, as ``sink(state=..., done=..., total=..., ...)``.
    """

    def __init__(self, quiet: bool = False, sink: Callable[..., None] | None = None) -> None:
        console = Console(stderr=True)
        self._sink = sink
        self._bars = Bars(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            _Rate(),
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

    def live(self, stage: str) -> Callable[..., None]:
        """A callback ``(done, total, note="", **figures)``; figures go into the log alone."""
        tasks: list[Any] = []
        start = last = 0.0
        first = 0

        def update(done: int, total: int, note: str = "", **figures: Any) -> None:
            nonlocal start, last, first
            now = time.monotonic()
            if not tasks:  # a stage that never comes has no bar
                tasks.append(self._bars.add_task(stage, total=total, note=""))
                start, first = now, 0
            self._bars.update(tasks[0], completed=min(done, total), total=total, note=note)
            if self._sink is not None and (now - last >= _EVERY or done >= total):
                last = now
                rate = (done - first) / (now - start) if now > start else 0.0
                left = (total - done) / rate if rate > 0.0 else None
                self._sink(state=stage, done=done, total=total, rate=rate, remaining=left, note=note, **figures)

        return update

    def counter(self, stage: str, total: int) -> Callable[[int, int], None]:
        """A callback ``(done, total)`` for a stage that counts points or events."""
        live = self.live(stage)

        def update(done: int, total: int = total) -> None:
            live(done, total)

        return update

    def stages(self) -> Callable[[str, int, int], None]:
        """A callback ``(stage, done, total)``; every stage gets a bar when it comes."""
        updates: dict[str, Callable[..., None]] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in updates:
                updates[stage] = self.live(stage)
            updates[stage](done, total)

        return update

    def status(self, stage: str, done: str, total: str, note: Callable[[Any], str]) -> Callable[[Any], None]:
        """A callback for a status object: the names of its two counters, and a text made from it."""
        live = self.live(stage)

        def update(status: Any) -> None:
            figures = {name: getattr(status, name) for name in _FIGURES if hasattr(status, name)}
            live(getattr(status, done), getattr(status, total), note(status), **figures)

        return update


_FIGURES = ("efficiency", "cross_section", "error", "trials", "evaluations")


def training_note(status: Any) -> str:
    """What stands beside the bar of a training."""
    return f"{status.stage}, held-out rel. std {status.held_out_rsd:.3g}"
