"""Where chunks of work run: here, in threads, or elsewhere. Whatever it is, results come in the order of the tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from mcbridge.scaling.context import Context

__all__ = ["InProcess", "Threads", "Workers"]

Task = TypeVar("Task")
Result = TypeVar("Result")


class Workers(Protocol):
    """A place where chunks of work run."""

    @property
    def count(self) -> int:
        """Number of chunks that run at the same time."""
        ...

    @property
    def description(self) -> str:
        """A few words for logs."""
        ...

    def map(
        self, function: Callable[[Context, Task], Result], context: Context, tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """``function(context, task)`` of every task, in the order of the tasks; tasks are taken as they are needed.

        Whoever stops early closes the iterator; work under way is dropped. Functions are pure: a task may run twice.
        """
        ...

    def close(self) -> None:
        """End the workers."""
        ...


class InProcess:
    """Chunks one after the other in this thread."""

    count = 1
    description = "in process"

    def map(
        self, function: Callable[[Context, Task], Result], context: Context, tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """See :class:`Workers`."""
        for task in tasks:
            yield function(context, task)

    def close(self) -> None:
        """Nothing to end."""


class Threads:
    """Chunks in threads of this process: for amplitudes that release Python's lock, and for compression.

    Arguments:
        count: number of threads.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.description = f"{count} threads"
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="binnis")

    def map(
        self, function: Callable[[Context, Task], Result], context: Context, tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """See :class:`Workers`."""
        waiting: deque[Future[Result]] = deque()
        try:
            for task in tasks:
                waiting.append(self._pool.submit(function, context, task))
                if len(waiting) >= 2 * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
