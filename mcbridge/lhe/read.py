"""Event files as arrays, for analysis and validation."""

from __future__ import annotations

import gzip
import json
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

import numpy as np
import pylhe

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["EventArrays", "EventFile", "read"]

Result = TypeVar("Result")

_GZIP = b"\x1f\x8b"
_BROKEN = (
    RuntimeWarning,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    EOFError,
    OverflowError,
    ParseError,
    zlib.error,
)


@dataclass
class EventArrays:
    """Events with the same number of particles.

    Attributes:
        momenta: (n, particles, 4) [GeV], (E, px, py, pz).
        pdg_ids, status: (n, particles).
        mothers, colours: (n, particles, 2).
        masses: (n, particles) [GeV].
        weight: (n,), XWGTUP [pb].
        process_id: (n,), LPRUP.
        scale: (n,) [GeV].
        alpha_s, alpha_qed: (n,).
        attributes: numbers (n,) of the event tag, by name; NaN where an event has none or no number.
        weights: alternative weights (n,) [pb] by id; NaN where an event has none.
    """

    momenta: Array
    pdg_ids: IntArray
    status: IntArray
    mothers: IntArray
    colours: IntArray
    masses: Array
    weight: Array
    process_id: IntArray
    scale: Array
    alpha_s: Array
    alpha_qed: Array
    attributes: dict[str, Array]
    weights: dict[str, Array]

    def __len__(self) -> int:
        return len(self.weight)


class EventFile:
    """An open event file; iterate over it to get :class:`EventArrays`, block by block, in the order of the file.

    A block ends where the number of particles changes. The file can be iterated over again and again.

    Arguments:
        path: plain or gzip.
        block: largest number of events in a block.

    Attributes:
        path: the file.
        init: the ``<init>`` block in pylhe's model.
        header: text of the header blocks by name.
        weight_ids: ids of the alternative weights that ``<initrwgt>`` declares, by group.
    """

    def __init__(self, path: str | Path, block: int = 10_000) -> None:
        if block < 1:
            raise UserError(f"block is {block}; it must be at least 1")
        self.path = Path(path)
        self._block = block
        with self._open() as file:
            self.init = file.init
            header = file.header
        elements = header.extra_elements if header is not None else []
        self.header = {element.tag: (element.text or "").strip() for element in elements}
        entries = header.initrwgt.entries if header is not None else []
        self.weight_ids = {
            str(entry.attributes.get("name", entry.attributes.get("type", ""))): tuple(w.id for w in entry.weights)
            for entry in entries
            if isinstance(entry, pylhe.LHEInitRWGTWeightGroup)
        }

    @property
    def cross_section(self) -> float:
        """Sum of the subprocesses' cross sections in ``<init>`` [pb]."""
        return float(sum(line.xSection for line in self.init.procInfo))

    @property
    def error(self) -> float:
        """Errors of the subprocesses in ``<init>``, added in quadrature [pb]."""
        return float(np.sqrt(sum(line.error**2 for line in self.init.procInfo)))

    @property
    def figures(self) -> dict[str, Any]:
        """The content of the header block ``<binnis>``.

        Raises:
            UserError: where the file has none.
        """
        if "binnis" not in self.header:
            raise UserError(f"{self.path} has no header block <binnis>; other programs wrote it")
        content: dict[str, Any] = json.loads(self.header["binnis"])
        return content

    def __iter__(self) -> Iterator[EventArrays]:
        with self._open() as file:
            events = iter(file.events)
            waiting: list[pylhe.LHEEvent] = []
            while True:
                event = self._supervised(lambda: next(events, None))
                if waiting and (event is None or len(waiting) == self._block or _differ(event, waiting[0])):
                    yield self._supervised(partial(_arrays, waiting))
                    waiting = []
                if event is None:
                    return
                waiting.append(event)

    def load(self) -> EventArrays:
        """All events in one go.

        Raises:
            UserError: where the file is empty, or its events differ in the number of particles.
        """
        blocks = list(self)
        counts = sorted({block.momenta.shape[1] for block in blocks})
        if len(counts) != 1:
            raise UserError(f"{self.path} has events with {counts} particles; read it block by block")
        names = sorted({name for block in blocks for name in block.attributes})
        ids = sorted({name for block in blocks for name in block.weights})
        columns = {
            name: np.concatenate([getattr(block, name) for block in blocks])
            for name in EventArrays.__annotations__
            if name not in ("attributes", "weights")
        }
        return EventArrays(
            **columns,
            attributes={
                name: np.concatenate([_column(block, block.attributes, name) for block in blocks]) for name in names
            },
            weights={name: np.concatenate([_column(block, block.weights, name) for block in blocks]) for name in ids},
        )

    @contextmanager
    def _open(self) -> Iterator[pylhe.LHEFile]:
        """The file in pylhe's model, header and ``<init>`` read; closed at the end."""
        with ExitStack() as stack:
            stream: Any = stack.enter_context(self._supervised(partial(open, self.path, "rb")))
            if self._supervised(partial(stream.read, 2)) == _GZIP:
                stream = stack.enter_context(gzip.GzipFile(self.path))
            else:
                stream.seek(0)
            yield self._supervised(partial(pylhe.LHEFile.frombuffer, stream))

    def _supervised(self, call: Callable[[], Result]) -> Result:
        """Call pylhe with everything that a broken file can lead to turned into a sentence."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RuntimeWarning)  # pylhe warns of broken XML and goes on
                return call()
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}") from error
        except _BROKEN as error:
            raise UserError(f"{self.path} is no readable event file: {error}") from error


def read(path: str | Path, block: int = 10_000) -> EventFile:
    """Open an event file (see :class:`EventFile`).

    Raises:
        UserError: where it cannot be read or is no event file.
    """
    return EventFile(path, block)


def _differ(one: pylhe.LHEEvent, other: pylhe.LHEEvent) -> bool:
    return len(one.particles) != len(other.particles)


def _column(block: EventArrays, columns: dict[str, Array], name: str) -> Array:
    return columns.get(name, np.full(len(block), np.nan))


def _number(text: str | None) -> float:
    try:
        return float(text) if text is not None else float("nan")
    except ValueError:
        return float("nan")


def _arrays(events: list[pylhe.LHEEvent]) -> EventArrays:
    particles = [event.particles for event in events]
    infos = [event.eventinfo for event in events]
    names = sorted({name for event in events for name in event.attributes})
    ids = sorted({name for event in events for name in event.weights})
    if any(len(event.particles) != event.eventinfo.nparticles for event in events):
        raise ValueError("an event has another number of particles than its first line says")

    def table(*fields: str, dtype: type = float) -> Any:
        rows = [[[getattr(p, name) for name in fields] for p in event] for event in particles]
        array: Any = np.array(rows, dtype=dtype).reshape(len(events), -1, len(fields))
        return array[:, :, 0] if len(fields) == 1 else array

    return EventArrays(
        momenta=table("e", "px", "py", "pz"),
        pdg_ids=table("id", dtype=np.int64),
        status=table("status", dtype=np.int64),
        mothers=table("mother1", "mother2", dtype=np.int64),
        colours=table("color1", "color2", dtype=np.int64),
        masses=table("m"),
        weight=np.array([info.weight for info in infos]),
        process_id=np.array([info.pid for info in infos], dtype=np.int64),
        scale=np.array([info.scale for info in infos]),
        alpha_s=np.array([info.aqcd for info in infos]),
        alpha_qed=np.array([info.aqed for info in infos]),
        attributes={name: np.array([_number(event.attributes.get(name)) for event in events]) for name in names},
        weights={name: np.array([event.weights.get(name, np.nan) for event in events]) for name in ids},
    )
