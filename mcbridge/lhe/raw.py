"""Event files as bytes: header, events and what lies between them, for programs that must not change a line."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from mcbridge.errors import UserError

__all__ = ["RawBlock", "RawFile"]

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20
_LONGEST = 64 << 20  # bytes of one event, or of the header, above which a file is taken for a broken one
_EVENT = re.compile(rb"<event(?:group)?(?=[\s>/])")
_EVENT_OR_COMMENT = re.compile(rb"<!--|<event(?:group)?(?=[\s>/])")
_INIT_END = re.compile(rb"</init\s*>")
_CLOSE = b"</event>"
_END = re.compile(rb"</LesHouchesEvents\s*>")


@dataclass
class RawBlock:
    """Some consecutive events of a file.

    Attributes:
        gaps: for each event the bytes between the end of the one before and its own ``<event``.
        events: for each event its bytes from ``<event`` to ``</event>``.
        first: number of the first one in the file, from 1.
    """

    gaps: list[bytes] = field(default_factory=list)
    events: list[bytes] = field(default_factory=list)
    first: int = 1

    def __len__(self) -> int:
        return len(self.events)


class RawFile:
    """An event file in the Les Houches format, plain or gzip, read without changing or interpreting a byte.

    Iterating gives :class:`RawBlock` after :class:`RawBlock`; afterwards :attr:`tail` is what follows the last event.
    ``preamble``, gaps and events in turn, and ``tail`` are the bytes of the file. It can be iterated over again and
    again; memory does not grow with the file.

    Arguments:
        path: the file.
        block: largest number of events in a block.
        on_progress: called with the bytes read so far and those of the file (compressed ones where it is gzip).

    Attributes:
        preamble: everything before the first ``<event``.
        compressed: whether the file is gzip.

    Raises:
        UserError: it cannot be read, is no event file, or is cut short.
    """

    def __init__(
        self, path: str | Path, block: int = 4096, on_progress: Callable[[int, int], None] | None = None
    ) -> None:
        self.path = Path(path)
        self.on_progress = on_progress
        self._block = block
        self.tail = b""
        try:
            with self.path.open("rb") as stream:
                self.compressed = stream.read(2) == _GZIP
            self._size = self.path.stat().st_size
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}") from error
        self.preamble = next(self._pieces())[0]

    def __iter__(self) -> Iterator[RawBlock]:
        pieces = self._pieces()
        block = RawBlock()
        for number, (gap, event) in enumerate(pieces):
            block.gaps.append(gap if number else b"")
            block.events.append(event)
            if len(block) == self._block:
                yield block
                block = RawBlock(first=block.first + len(block))
        if len(block):
            yield block

    def _pieces(self) -> Iterator[tuple[bytes, bytes]]:
        """Pairs of gap and event, the preamble for the first gap; sets ``tail`` at the end."""
        try:
            with self.path.open("rb") as file:
                stream = gzip.GzipFile(fileobj=file) if self.compressed else file
                window = _Window(stream, file, self._size, self.on_progress, self.path)
                yield from _split(window)
                self.tail = window.text
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise UserError(f"{self.path} is no complete gzip file: {error}") from error
        except OSError as error:
            raise UserError(f"{self.path} cannot be read: {error.strerror or error}") from error


class _Window:
    """A window on the bytes of a stream that grows at its end and is cut at its beginning."""

    def __init__(
        self,
        stream: BinaryIO | gzip.GzipFile,
        file: BinaryIO,
        size: int,
        report: Callable[[int, int], None] | None,
        name: Path,
    ) -> None:
        self.stream, self.file, self.size, self.report, self.name = stream, file, size, report, name
        self.text = b""
        self.ended = False

    def grow(self) -> None:
        """Append the next bytes; ``ended`` where there are none."""
        if len(self.text) > _LONGEST:
            raise UserError(f"{self.name}: {len(self.text) >> 20} MB without an end of an event; the file is broken")
        # In proportion to the window, so that a long event costs no quadratic time.
        found = self.stream.read(max(_CHUNK, len(self.text)))
        self.ended = not found
        self.text += found
        if self.report is not None:
            self.report(self.file.tell(), self.size)


def _split(window: _Window) -> Iterator[tuple[bytes, bytes]]:
    """Pairs of gap and event, the preamble for the first gap; the tail stays in the window."""
    name = window.name
    search = _end_of_init(window)
    position = number = 0  # of the window: where the gap begins; of the event
    while True:
        begin = _next_event(window, search)
        if begin is None:
            if number == 0:
                raise UserError(f"{name} has no events")
            if not _END.search(window.text):
                raise UserError(f"{name} ends without </LesHouchesEvents>: it is cut short")
            window.text = window.text[position:]
            return
        number += 1
        while (end := window.text.find(_CLOSE, begin)) < 0 and not window.ended:
            window.grow()
        inner = _EVENT.search(window.text, begin + 6, end if end >= 0 else len(window.text))
        if end < 0 or inner is not None:
            raise UserError(f"{name}: event {number} has no </event>; the file is cut short or broken")
        end += len(_CLOSE)
        yield window.text[position:begin], window.text[begin:end]
        position = search = end
        if position > _CHUNK:
            window.text = window.text[position:]
            position = search = 0


def _end_of_init(window: _Window) -> int:
    """Where ``</init>`` ends in the window."""
    while (init := _INIT_END.search(window.text)) is None and not window.ended:
        window.grow()
    if b"<LesHouchesEvents" not in window.text[: len(window.text) if init is None else init.start()]:
        raise UserError(f"{window.name} is no event file: it has no <LesHouchesEvents> tag")
    if init is None:
        raise UserError(f"{window.name} is no complete event file: it has no <init> block")
    return init.end()


def _next_event(window: _Window, search: int) -> int | None:
    """Where the next ``<event`` outside comments begins in the window, or None at the end of the file."""
    while True:
        found = _EVENT_OR_COMMENT.search(window.text, search)
        if found is not None and found.group() == b"<!--":
            end = window.text.find(b"-->", found.end())
            if end >= 0:
                search = end + 3
                continue
            if window.ended:
                return None
        elif found is not None:
            if found.group() == b"<eventgroup":
                raise UserError(
                    f"{window.name} has groups of correlated events (<eventgroup>), which no density of single events"
                    " describes"
                )
            return found.start()
        elif window.ended:
            return None
        else:
            # The beginning of a tag may be the end of the window.
            search = max(search, len(window.text) - 16)
        window.grow()
