"""What workers do: chunks of an integration, blocks of points to be evaluated; with cost and time limit."""

from __future__ import annotations

import contextlib
import faulthandler
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from mcbridge.errors import UserError
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import Array, Evaluation, Integrand
from mcbridge.integration.chunks import Chunk, ChunkMap, ChunkSums, Plan, integrate_chunk
from mcbridge.scaling.context import Context
from mcbridge.scaling.cost import Cost
from mcbridge.scaling.workers import Workers

__all__ = ["Cost", "Done", "Raised", "evaluate_block", "integration_map", "limited", "run_chunk", "work_through"]

Payload = TypeVar("Payload")
Result = TypeVar("Result")

_armed = threading.Lock()


@dataclass
class Done:
    """The result of a chunk of work and its cost."""

    result: Any
    cost: Cost


@dataclass
class Raised:
    """An exception of an amplitude, in a form that every process can read."""

    name: str
    message: str

    def again(self) -> Exception:
        """An exception of the same name and message."""
        made: Exception = type(self.name, (Exception,), {})(self.message)
        return made


@contextlib.contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """End this worker process where the block takes longer, even inside compiled code; whoever waits replaces it.

    Without effect in the main process, and in a second thread of a worker at the same time.
    """
    if seconds is None or multiprocessing.parent_process() is None or not _armed.acquire(blocking=False):
        yield
        return
    try:
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or sys.stderr)
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        _armed.release()


def run_chunk(context: Context, task: tuple[Callable[[Context, Any], Any], Any]) -> Done:
    """Do a chunk of work, given as a function and what it works on; with its cost, within the time limit."""
    function, payload = task
    clock = time.process_time if threading.current_thread() is threading.main_thread() else time.thread_time
    with limited(context.time_limit):
        before = _counts(context.made())
        start, cpu = time.perf_counter(), clock()
        result = function(context, payload)
        cpu, wall = clock() - cpu, time.perf_counter() - start
        after = _counts(context.made())
    return Done(result, Cost(after[0] - before[0], after[1] - before[1], cpu, wall))


def _counts(integrand: Integrand | None) -> tuple[int, float]:
    return (integrand.evaluations, integrand.cpu_seconds) if isinstance(integrand, Metered) else (0, 0.0)


def work_through(
    workers: Workers,
    context: Context,
    function: Callable[[Context, Payload], Result],
    payloads: Iterable[Payload],
    on_cost: Callable[[Cost], None] | None = None,
) -> Iterator[Result]:
    """Results of ``function(context, payload)`` in the order of the payloads.

    Arguments:
        on_cost: told the cost of every chunk before its result is given.
    """
    done: Done
    for done in workers.map(run_chunk, context, ((function, payload) for payload in payloads)):
        if on_cost is not None:
            on_cost(done.cost)
        yield done.result


def integration_chunk(context: Context, task: tuple[Plan, Chunk]) -> ChunkSums:
    """A chunk of an integration (see :func:`mcbridge.integration.chunks.integrate_chunk`)."""
    return integrate_chunk(context.integrand(), context.sampler(), *task)


def integration_map(workers: Workers, context: Context, on_cost: Callable[[Cost], None] | None = None) -> ChunkMap:
    """For :func:`mcbridge.integration.integrate`: its chunks on workers."""

    def do(plan: Plan, chunks: Iterable[Chunk]) -> Iterator[ChunkSums]:
        return work_through(workers, context, integration_chunk, ((plan, chunk) for chunk in chunks), on_cost)

    return do


def evaluate_block(context: Context, task: tuple[Array, int]) -> Evaluation | Raised:
    """The integrand at points (n, dim) of a channel."""
    try:
        return context.integrand()(*task)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        return Raised(type(error).__name__, str(error))
