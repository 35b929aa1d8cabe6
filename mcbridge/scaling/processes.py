"""Local worker processes, replaced where they die or hang."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mcbridge.errors import UserError
from mcbridge.scaling.context import Context

__all__ = ["Processes"]

Task = TypeVar("Task")
Result = TypeVar("Result")

log = logging.getLogger("mcbridge.scaling")

_ATTEMPTS = 4  # pools in a row that may break without a single chunk done
_GRACE = 10.0  # seconds beyond twice the time limit after which a worker that does not even end itself is killed


def _begin() -> None:
    """First thing in a worker: leave Ctrl-C to the main process, and end with it even where it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


@dataclass
class _Submitted(Generic[Task, Result]):
    task: Task
    future: Future[Result] | None = None
    done: list[Result] = field(default_factory=list)  # the result, once it is there


class Processes:
    """A pool of worker processes on this machine.

    A worker that dies, or ends itself beyond the time limit of a chunk (:func:`mcbridge.scaling.tasks.limited`), breaks
    the pool; a new one takes over all chunks that are not done. Since chunks are pure functions, nothing is doubled.

    Arguments:
        count: number of processes.
        start_method: of :mod:`multiprocessing`; ``forkserver`` or ``spawn``, since a fork of a process with threads may
            hang.
    """

    def __init__(self, count: int, start_method: str = "spawn") -> None:
        if count < 1:
            raise UserError(f"workers is {count}; it must be at least 1")
        self.count = count
        self.description = f"{count} local process{'es' if count > 1 else ''}"
        self.replaced = 0
        self._start_method = start_method
        self._pool: ProcessPoolExecutor | None = None
        self._others: set[Any] = set()

    def processes(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [child.pid for child in self._children() if child.is_alive()]

    def _children(self) -> list[Any]:
        """The processes of the pool, which starts them as they are needed."""
        if self._pool is None:
            return []
        return [child for child in multiprocessing.active_children() if child not in self._others]

    def map(
        self, function: Callable[[Context, Task], Result], context: Context, tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """See :class:`mcbridge.scaling.workers.Workers`.

        Raises:
            UserError: workers die again and again at the same chunks.
        """
        patience = None if context.time_limit is None else 2.0 * context.time_limit + _GRACE
        waiting: deque[_Submitted[Task, Result]] = deque()
        source = iter(tasks)
        broken = 0
        exhausted = False
        try:
            while True:
                while not exhausted and len(waiting) < 2 * self.count:
                    try:
                        task = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    waiting.append(_Submitted(task))
                    self._submit(function, context, waiting[-1])
                if not waiting:
                    return
                broke, gained = self._wait(waiting, patience)
                broken = broken + 1 if broke and not gained else 0
                if broken > _ATTEMPTS:
                    raise UserError(
                        f"worker processes ended {broken} times in a row without finishing a chunk (killed, out of"
                        " memory, or over the time limit scaling.time_limit)"
                    )
                if broke:
                    self._replace(function, context, waiting)
                while waiting and waiting[0].done:
                    yield waiting.popleft().done[0]
        finally:
            for entry in waiting:
                if entry.future is not None:
                    entry.future.cancel()

    def _submit(self, function: Callable[..., Any], context: Context, entry: _Submitted[Any, Any]) -> None:
        with contextlib.suppress(BrokenProcessPool), _single_threaded():  # the wait for it will tell
            entry.future = self._running().submit(function, context, entry.task)

    def _wait(self, waiting: deque[_Submitted[Task, Result]], patience: float | None) -> tuple[bool, int]:
        """Wait for the first of the chunks; whether the pool broke, and how many results there are now."""
        first = waiting[0].future
        start, finished = time.monotonic(), _finished(waiting)
        while first is not None:
            try:
                waiting[0].done.append(first.result(timeout=None if patience is None else 1.0))
                return False, 1
            except BrokenProcessPool:
                break
            except FutureTimeoutError:
                now = _finished(waiting)
                if now != finished:
                    start, finished = time.monotonic(), now
                elif patience is not None and time.monotonic() - start > patience:
                    log.warning("no chunk was done for %.0f s: the worker processes are replaced", patience)
                    break
        self._forget()
        for entry in waiting:  # results that came before the break are kept
            future = entry.future
            if future is not None and not entry.done and future.done() and not future.cancelled():
                error = future.exception()
                if error is None:
                    entry.done.append(future.result())
                elif not isinstance(error, BrokenProcessPool):
                    raise error
        return True, sum(1 for entry in waiting if entry.done)

    def _replace(
        self, function: Callable[..., Any], context: Context, waiting: deque[_Submitted[Task, Result]]
    ) -> None:
        """Submit what is not done to a new pool."""
        left = [entry for entry in waiting if not entry.done]
        self.replaced += 1
        log.warning("a worker process ended early; %d chunks are given to new processes", len(left))
        for entry in left:
            self._submit(function, context, entry)

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._others = set(multiprocessing.active_children())
            self._pool = ProcessPoolExecutor(
                self.count, mp_context=multiprocessing.get_context(self._start_method), initializer=_begin
            )
        return self._pool

    def _kill(self) -> None:
        for child in self._children():
            child.kill()

    def _forget(self) -> None:
        if self._pool is not None:
            self._kill()
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = None

    def close(self) -> None:
        """End the workers; chunks under way are dropped."""
        self._forget()


def _finished(waiting: deque[_Submitted[Task, Result]]) -> int:
    return sum(1 for entry in waiting if entry.future is not None and entry.future.done())


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    """Processes started here use one thread each, in the libraries that read these variables."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
