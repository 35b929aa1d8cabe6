"""Unweighting and event writing on workers: chunks of trials become parts of events, parts become text."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents, check_batch
from mcbridge.files import atomic
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import Array
from mcbridge.integration.guard import FailureLog
from mcbridge.lhe.header import Sums
from mcbridge.lhe.parts import (
    FormatTask,
    PartOfFile,
    arrays_of,
    as_json,
    events_of,
    format_events,
    sums_from,
    sums_of,
)
from mcbridge.lhe.stream import Deflated
from mcbridge.random import Streams
from mcbridge.scaling.arrays import dump_arrays, load_arrays, load_information, parse_arrays
from mcbridge.scaling.context import Context
from mcbridge.scaling.cost import Cost
from mcbridge.scaling.tasks import work_through
from mcbridge.scaling.workers import Workers
from mcbridge.uncertainties import with_uncertainties
from mcbridge.uncertainties.theory import PDF_GROUP, SCALE_GROUP, TheoryWeights
from mcbridge.unweighting import UnweightedChunk, WeightSummary
from mcbridge.unweighting.pieces import Piece, Tried, work
from mcbridge.unweighting.store import StoredPoints
from mcbridge.unweighting.unweight import PieceMap, PieceTask

__all__ = ["EventParts", "Part", "event_part", "format_part"]

log = logging.getLogger("mcbridge.scaling")

_KIND = "events"
TOKEN = "token"
"""A file in the folder of the parts; a worker that reads the right text there sees the folder."""


@dataclass(kw_only=True)
class Part(Tried):
    """A part of the events in a file of its own.

    Attributes:
        number: of the chunk of trials.
        path: of the file.
        sums: over the events that are to be written.
        theory: sums of the weights of scales and PDF members, and last that of the central weights.
        cost: of the chunk.
        content: the file, from a worker that does not see the folder; None elsewhere.
    """

    number: int
    path: Path
    sums: Sums
    theory: Array
    cost: Cost
    content: bytes | None = None

    def first(self, n: int) -> Self:
        """See :class:`mcbridge.unweighting.pieces.Tried`."""
        if self.accepted <= n:
            return self
        events = events_of(load_arrays(self.path, _KIND)[0], n)
        return replace(self, sums=sums_of(events), theory=_theory_sums(events))

    def of_file(self) -> PartOfFile:
        """For :func:`mcbridge.lhe.join_parts`."""
        return PartOfFile(self.path, self.sums)


@dataclass(frozen=True)
class _Task:
    """A chunk of trials that becomes a part (see :class:`EventParts`)."""

    number: int
    stored: list[StoredPoints] | None
    w_max: Array
    trials: int
    streams: Streams
    purpose: str
    threads: int
    folder: str
    stamp: str
    weights: bool
    theory: bool


class EventParts:
    """Does the pieces of an unweighting on workers, each of them once, and keeps their events in a folder.

    Arguments:
        workers: who does it.
        context: integrand, sampler, and the sampler with replicas where events get uncertainties.
        folder: for the parts; those that are there already are not done again.
        stamp: a text that stands for everything the parts depend on; parts with another one are done again.
        weights: whether events carry their replica weights.
        theory: whether they carry weights of scales and PDF members.
        on_cost: told what each chunk has cost.
    """

    def __init__(
        self,
        workers: Workers,
        context: Context,
        folder: Path,
        stamp: str,
        weights: bool,
        theory: bool,
        on_cost: Callable[[Cost], None] | None = None,
    ) -> None:
        self.workers, self.context, self.folder = workers, context, folder
        self.stamp, self.weights, self.theory, self.on_cost = stamp, weights, theory, on_cost
        self.shared = True
        self.found_before = 0

    def piece_map(self) -> PieceMap[Part]:
        """For :func:`mcbridge.unweighting.unweight_elsewhere`."""
        return self._do

    def _do(self, piece: Piece, tasks: Iterator[PieceTask]) -> Iterator[Part]:
        _make_folder(self.folder, self.stamp)

        def task_of(number: int, stored: list[StoredPoints] | None) -> _Task:
            return _Task(
                number, stored, piece.w_max, piece.trials, piece.streams, piece.purpose, piece.threads,
                str(self.folder), self.stamp, self.weights, self.theory,
            )  # fmt: skip

        for number, stored in tasks:
            found = _find(self.folder, number, self.stamp)
            if found is None:
                first = [task_of(number, stored)]
                break
            self.found_before += 1
            if self.on_cost is not None:
                self.on_cost(found.cost)
            yield found
        left = chain(first, (task_of(number, stored) for number, stored in tasks))
        for part in work_through(self.workers, self.context, event_part, left):
            if part.content is not None:
                self.shared = False
                _write(part.path, part.content)
                part.content = None
            if self.on_cost is not None:
                self.on_cost(part.cost)
            yield part

    def format_map(self, tasks: Iterable[FormatTask]) -> Iterator[Deflated]:
        """For :func:`mcbridge.lhe.join_parts`."""
        return work_through(self.workers, self.context, format_part, tasks, self.on_cost)


def event_part(context: Context, task: _Task) -> Part:
    """Do a chunk of trials and keep its events, with all their weights, in a file; or find that this was done."""
    folder = Path(task.folder)
    seen = _sees(folder, task.stamp)
    found = _find(folder, task.number, task.stamp) if seen else None
    if found is not None:
        return found
    integrand = context.integrand()
    meter = integrand if isinstance(integrand, Metered) else None
    before = (0, 0.0) if meter is None else (meter.evaluations, meter.cpu_seconds)
    start, cpu = time.perf_counter(), time.thread_time()
    piece = Piece(
        integrand, context.sampler(), task.w_max, task.trials, task.streams, task.purpose, True, task.threads
    )  # fmt: skip
    points = work(piece, task.number, task.stored)
    arrays: dict[str, Any] = {}
    sums, theory = Sums(), np.zeros(0)
    if points.batch is not None:
        events = _with_weights(
            context, task, UnweightedChunk(points.batch, points.weight, u=points.u, channel=points.channel)
        )
        check_batch(events.batch)
        arrays, sums, theory = arrays_of(events), sums_of(events), _theory_sums(events)
    cost = Cost(
        0 if meter is None else meter.evaluations - before[0],
        0.0 if meter is None else meter.cpu_seconds - before[1],
        time.thread_time() - cpu,
        time.perf_counter() - start,
    )
    part = Part(
        number=task.number,
        path=_path(folder, task.number),
        sums=sums,
        theory=theory,
        cost=cost,
        tried=points.tried,
        kept=points.kept,
        trials_per_channel=points.trials_per_channel,
        accepted_per_channel=points.accepted_per_channel,
        stored=points.stored,
        failures=points.failures,
    )
    content = dump_arrays(arrays, _KIND, _as_json(part, task.stamp))
    if seen:
        _write(part.path, content)
    else:
        part.content = content
    return part


def format_part(context: Context, task: FormatTask) -> Deflated:
    """The text of a part."""
    part = task.part
    arrays = load_arrays(part.path, _KIND)[0] if part.content is None else parse_arrays(part.content)
    return format_events(events_of(arrays, part.sums.events), task)


def _with_weights(context: Context, task: _Task, chunk: UnweightedChunk) -> WeightedEvents:
    events: Iterable[WeightedEvents] = [chunk]
    replicas = context.replicas()
    if replicas is not None:
        events = with_uncertainties([chunk], replicas, task.weights, task.threads)
    if task.theory:
        integrand: Any = context.integrand()
        theory = context.once("theory", lambda: TheoryWeights.of_process(getattr(integrand, "integrand", integrand)))
        if theory is not None:
            events = theory.apply(events)
    return next(iter(events))


def _theory_sums(events: WeightedEvents) -> Array:
    groups = [events.ratios[name] for name in (SCALE_GROUP, PDF_GROUP) if name in events.ratios]
    if not groups:
        return np.zeros(0)
    sums: Array = np.append(events.weight @ np.concatenate(groups, axis=1), np.sum(events.weight))
    return sums


def _as_json(part: Part, stamp: str) -> dict[str, Any]:
    return {
        "stamp": stamp,
        "sums": as_json(part.sums),
        "theory": part.theory.tolist(),
        "cost": asdict(part.cost),
        "tried": asdict(part.tried),
        "kept": asdict(part.kept),
        "trials_per_channel": part.trials_per_channel.tolist(),
        "accepted_per_channel": part.accepted_per_channel.tolist(),
        "stored": part.stored,
        "failures": part.failures.as_json(),
    }


def _find(folder: Path, number: int, stamp: str) -> Part | None:
    """A part that was done before; None where there is none, it is damaged, or it belongs to something else."""
    path = _path(folder, number)
    if not path.exists():
        return None
    try:
        data = load_information(path, _KIND)
        if data["stamp"] != stamp:
            return None
        return Part(
            number=number,
            path=path,
            sums=sums_from(data["sums"]),
            theory=np.array(data["theory"], dtype=np.float64),
            cost=Cost(**data["cost"]),
            tried=WeightSummary(**data["tried"]),
            kept=WeightSummary(**data["kept"]),
            trials_per_channel=np.array(data["trials_per_channel"], dtype=np.int64),
            accepted_per_channel=np.array(data["accepted_per_channel"], dtype=np.int64),
            stored=int(data["stored"]),
            failures=FailureLog.from_json(data["failures"]),
        )
    except (UserError, KeyError, TypeError, ValueError) as error:
        log.warning("%s is done again: %s", path.name, error)
        return None


def _path(folder: Path, number: int) -> Path:
    return folder / f"part_{number:06d}.safetensors"


def _make_folder(folder: Path, stamp: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error.strerror or error}") from None
    _write(folder / TOKEN, stamp.encode())


def _sees(folder: Path, stamp: str) -> bool:
    try:
        return (folder / TOKEN).read_text(encoding="utf-8") == stamp
    except (OSError, ValueError):
        return False


def _write(path: Path, content: bytes) -> None:
    # Without waiting for the disk: what a power failure takes away of a part is seen, and the part done again.
    with atomic(path, durable=False) as temporary:
        temporary.write_bytes(content)
