"""Workers of a Dask cluster: one that runs already, one on this machine, or jobs of a batch system."""

from __future__ import annotations

import contextlib
import logging
import shlex
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import dask
import distributed
from distributed.client import Client

from mcbridge.errors import UserError
from mcbridge.scaling.context import Context

__all__ = ["DaskWorkers"]

_SETTINGS = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.admin.system-monitor.disk": False,
    "distributed.admin.tick.interval": "500ms",
    "distributed.scheduler.worker-saturation": 2.0,
    "distributed.deploy.lost-worker-timeout": "5s",
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1, "MKL_NUM_THREADS": 1, "OPENBLAS_NUM_THREADS": 1},
}
"""What Dask measures of itself costs 4% of a core in every process; nobody looks at it here.

Every thread has a chunk in stock, so that it need not wait for the next one where many end at the same time. Workers
keep memory that was freed (Dask gives it back at once): arrays of megabytes would cost page faults every time.
"""

Task = TypeVar("Task")
Result = TypeVar("Result")

log = logging.getLogger("mcbridge.scaling")

_ATTEMPTS = 2  # times that Dask may give a chunk up, after four workers that died of it
_PATIENCE = 30.0  # seconds to reach a scheduler
_LOOK = 10.0  # seconds of waiting for a chunk, after which is looked whether there are workers
_EVERY = 2.0  # seconds between two questions how many workers there are


class DaskWorkers:
    """Chunks on the workers of a Dask cluster. Whoever starts it closes it.

    Dask gives the chunks of a worker that dies to another one, and its nannies start a new worker. A worker ends
    itself beyond the time limit of a chunk; workers should have one thread each, for else it is not kept to.

    Arguments:
        client: connected to a scheduler.
        cluster: what was started for it, and is closed with it; None for a cluster of somebody else's.
        count: number of workers, where it is known in advance.
    """

    def __init__(self, client: Client, cluster: Any = None, count: int | None = None) -> None:
        self.client, self.cluster = client, cluster
        self._count = count
        self._there, self._asked = 0, -_EVERY
        self._shared: tuple[Context, Any] | None = None
        self.description = f"Dask cluster {client.scheduler.address}"
        _quiet()

    @staticmethod
    def connect(address: str) -> DaskWorkers:
        """Workers of a running scheduler.

        Raises:
            UserError: it does not answer.
        """
        dask.config.set(_SETTINGS)
        try:
            client = Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())
            raise UserError(f"the Dask scheduler {address} does not answer: {said}") from None
        return DaskWorkers(client)

    @staticmethod
    def start(kind: str, workers: int, options: Mapping[str, Any] | None = None) -> DaskWorkers:
        """Start workers on this machine (``local``), or as jobs of ``slurm`` or ``htcondor`` by dask-jobqueue.

        Arguments:
            kind: of the cluster.
            workers: their number.
            options: arguments of the cluster; dask-jobqueue takes others from its own configuration file.

        Raises:
            UserError: dask-jobqueue is not installed, or an argument is wrong.
        """
        given = dict(options or {})
        dask.config.set(_SETTINGS)
        try:
            cluster = _local(workers, given) if kind == "local" else _batch(kind, workers, given)
        except ImportError as error:
            raise UserError(
                f"scaling.cluster: {kind} needs dask-jobqueue ({error.name} is missing): pip install 'binnis[cluster]'"
            ) from None
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise UserError(f"the {kind} cluster cannot be started with {given or 'its settings'}: {said}") from None
        return DaskWorkers(Client(cluster, set_as_default=False), cluster, workers)

    @property
    def count(self) -> int:
        """Number of threads of all workers that are there, at least 1."""
        if time.monotonic() - self._asked > _EVERY:
            self._there = int(sum(self.client.nthreads().values()))
            self._asked = time.monotonic()
        return max(self._there, self._count or 1, 1)

    def map(
        self, function: Callable[[Context, Task], Result], context: Context, tasks: Iterable[Task]
    ) -> Iterator[Result]:
        """See :class:`mcbridge.scaling.workers.Workers`.

        Raises:
            UserError: workers die again and again of the same chunk, or the scheduler is lost.
        """
        waiting: deque[tuple[Any, Task, int]] = deque()
        source = iter(tasks)
        exhausted = False
        try:
            shared = None
            while True:
                # Of more than two tasks a thread, the scheduler keeps in a queue what no thread has room for; fewer it
                # gives away at once, to workers that turn out to be slower than thought.
                window = 3 * self.count
                wanted = 0 if exhausted else window - len(waiting)
                if wanted > self.count // 8:
                    fresh = list(islice(source, wanted))
                    exhausted = len(fresh) < wanted
                    if fresh and shared is None:  # once for all chunks, and not with each of them
                        shared = self._share(context)
                    waiting.extend((future, task, 1) for future, task in self._submit(function, shared, fresh))
                if not waiting:
                    return
                future, task, attempts = waiting.popleft()
                try:
                    result = self._result(future)
                except distributed.KilledWorker:
                    if attempts == _ATTEMPTS:
                        raise UserError(
                            "workers of the Dask cluster ended again and again at the same chunk (killed, out of"
                            " memory, or over the time limit scaling.time_limit)"
                        ) from None
                    log.warning("several workers ended early at the same chunk; it is tried again")
                    waiting.appendleft((*next(self._submit(function, shared, [task])), attempts + 1))
                    continue
                except (distributed.CommClosedError, distributed.client.FutureCancelledError, OSError) as error:
                    if self.client.status == "running" and not isinstance(error, OSError) and attempts < _ATTEMPTS:
                        self._shared = None
                        shared = self._share(context)
                        waiting.appendleft((*next(self._submit(function, shared, [task])), attempts + 1))
                        continue
                    raise UserError(
                        f"the connection to the Dask scheduler was lost: {type(error).__name__}: {error}"
                    ) from None
                yield result
        finally:
            with contextlib.suppress(Exception):
                self.client.cancel([future for future, _, _ in waiting])

    def _result(self, future: Any) -> Any:
        """Result of a chunk; new workers where none is left (a nanny gives up when its worker ends too early)."""
        while True:
            try:
                return future.result(timeout=_LOOK)
            except TimeoutError:
                if future.done():  # the time-out is the integrand's own
                    raise
                if self.cluster is not None and self._count and not self.client.nthreads():
                    log.warning("no worker of the Dask cluster is left; new ones are started")
                    self.cluster.scale(self._count)

    def _share(self, context: Context) -> Any:
        """The context as the result of a task: sent once, and made again by Dask where the worker that has it dies."""
        if not self.client.nthreads():
            log.info("waiting for the first worker of the Dask cluster")
            self.client.wait_for_workers(1)
        if self._shared is None or self._shared[0] is not context or self._shared[1].cancelled():
            self._shared = (context, self.client.submit(_given, context.with_content(), pure=False))
        return self._shared[1]

    def _submit(self, function: Callable[..., Any], shared: Any, tasks: list[Any]) -> Iterator[tuple[Any, Any]]:
        """Pairs of future and task; together, so that the scheduler knows how many there are."""
        if not tasks:
            return iter(())
        futures = self.client.map(function, [shared] * len(tasks), tasks, pure=False, retries=0)
        return zip(futures, tasks, strict=True)

    def close(self) -> None:
        """Leave the cluster, and end it where it was started here."""
        with contextlib.suppress(Exception):
            self.client.close()
        if self.cluster is not None:
            with contextlib.suppress(Exception):
                self.cluster.close()


def _given(context: Context) -> Context:
    return context


def _local(workers: int, options: dict[str, Any]) -> Any:
    settings = {
        "n_workers": workers,
        "threads_per_worker": 1,
        "processes": True,
        "dashboard_address": "127.0.0.1:0",
        **options,
    }
    return distributed.LocalCluster(**settings)


def _batch(kind: str, workers: int, options: dict[str, Any]) -> Any:
    import dask_jobqueue

    cluster = {"slurm": dask_jobqueue.SLURMCluster, "htcondor": dask_jobqueue.HTCondorCluster}[kind]
    # One worker with one thread a job, unless the user or the configuration of dask-jobqueue says otherwise.
    configured = dask.config.get(f"jobqueue.{kind}", default={}) or {}
    defaults: dict[str, Any] = {"cores": 1, "processes": 1, "memory": "2GB"}
    if kind == "htcondor":
        defaults["disk"] = "1GB"
    defaults["job_script_prologue"] = [
        f"export DASK_{name.upper().replace('.', '__').replace('-', '_')}={shlex.quote(repr(value))}"
        for name, value in _SETTINGS.items()
    ]
    missing = {name: value for name, value in defaults.items() if not configured.get(name)}
    made = cluster(**{**missing, **options})
    made.scale(workers)
    return made


def _quiet() -> None:
    # Workers that die or are replaced are told by our own log.
    for name in ("distributed", "distributed.nanny", "distributed.scheduler", "distributed.worker", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
