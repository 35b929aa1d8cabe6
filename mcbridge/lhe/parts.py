"""Parts of an event file: kept as arrays until the sum of all weights is known, then joined in their order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.events import PER_EVENT, WeightedEvents
from mcbridge.files import atomic
from mcbridge.integrands.protocol import EventBatch
from mcbridge.lhe.header import Sums, head_text, normalisation
from mcbridge.lhe.info import RunInfo
from mcbridge.lhe.stream import Deflated, OutputStream, is_compressed
from mcbridge.lhe.text import event_text
from mcbridge.lhe.write import Written

__all__ = ["FormatTask", "PartOfFile", "arrays_of", "events_of", "format_events", "join_parts", "sums_from", "sums_of"]

_BLOCK = 4096


def arrays_of(events: WeightedEvents) -> dict[str, npt.NDArray[Any]]:
    """Events as named arrays, for a file."""
    batch = events.batch
    arrays: dict[str, npt.NDArray[Any]] = {"status": batch.status, "mothers": batch.mothers}
    arrays |= {name: getattr(batch, name) for name in PER_EVENT}
    arrays["weight"] = events.weight
    arrays |= {f"attribute.{name}": values for name, values in events.attributes.items()}
    arrays |= {f"ratio.{name}": values for name, values in events.ratios.items()}
    return arrays


def events_of(arrays: dict[str, npt.NDArray[Any]], n: int | None = None) -> WeightedEvents:
    """The first n events of arrays that :func:`arrays_of` made; all if None.

    Raises:
        UserError: an array is missing or has a wrong length.
    """
    try:
        rows = {name: arrays[name][:n] for name in PER_EVENT}
        return WeightedEvents(
            EventBatch(status=arrays["status"], mothers=arrays["mothers"], **rows),
            arrays["weight"][:n],
            {name.partition(".")[2]: a[:n] for name, a in arrays.items() if name.startswith("attribute.")},
            {name.partition(".")[2]: a[:n] for name, a in arrays.items() if name.startswith("ratio.")},
        )
    except KeyError as error:
        raise UserError(f"a part of the events lacks the array {error}") from None


def sums_of(events: WeightedEvents) -> Sums:
    """Sums over the weights of some events."""
    sums = Sums()
    sums.add(events.weight, events.batch.process_id)
    return sums


def sums_from(data: dict[str, Any]) -> Sums:
    """Sums from their fields as JSON stores them."""
    of_process = {int(number): (float(pair[0]), float(pair[1])) for number, pair in data["of_process"].items()}
    return Sums(**{**data, "of_process": of_process})


@dataclass(frozen=True)
class PartOfFile:
    """A part and what is to be written of it.

    Attributes:
        path: of its file.
        sums: over the events that are to be written.
        content: the file, for workers that do not see it; None elsewhere.
    """

    path: Path
    sums: Sums
    content: bytes | None = None


@dataclass(frozen=True)
class FormatTask:
    """A part that is to become text.

    Attributes:
        part: the part.
        factor: XWGTUP of an event of relative weight 1 [pb].
        info: attributes and weight groups.
        compressed: whether the text is compressed.
    """

    part: PartOfFile
    factor: float
    info: RunInfo
    compressed: bool


def format_events(events: WeightedEvents, task: FormatTask) -> Deflated:
    """The text of events, compressed where the task says so."""

    def texts() -> Iterator[str]:
        for start in range(0, len(events), _BLOCK):
            yield event_text(events.select_events(slice(start, start + _BLOCK)), task.factor, task.info)

    return Deflated.of(texts(), task.compressed)


def join_parts(
    path: str | Path,
    parts: Sequence[PartOfFile],
    info: RunInfo,
    format_map: Callable[[Iterable[FormatTask]], Iterator[Deflated]],
    on_progress: Callable[[int, int], None] | None = None,
    shared: bool = True,
) -> Written:
    """Write an event file from its parts, whole or not at all; weights as in :func:`mcbridge.lhe.write`.

    Arguments:
        path: file name; gzip where it ends in ``.gz``.
        parts: in their order; their sums fix the normalisation.
        info: cross section, beams, header.
        format_map: makes the text of parts somewhere and gives it in their order.
        on_progress: called with the number of events written and of all.
        shared: whether those who make the text see the files; if not, they are given the content.

    Raises:
        UserError: where the file cannot be written (nothing is left behind), or there are no events.
    """
    path = Path(path)
    sums = Sums()
    for part in parts:
        sums.join(part.sums)
    factor = normalisation(sums, info)
    # What a worker needs of it; header blocks may be long.
    declared = replace(info, card="", figures={}, blocks={})
    compressed = is_compressed(path)
    with atomic(path) as temporary, OutputStream(temporary, compressed) as stream:
        stream.write(head_text(info, sums, factor))
        given = (part if shared else replace(part, content=part.path.read_bytes()) for part in parts)
        texts = format_map(FormatTask(part, factor, declared, compressed) for part in given)
        done = 0
        for part, text in zip(parts, texts, strict=True):
            stream.append(text)
            done += part.sums.events
            if on_progress is not None:
                on_progress(done, sums.events)
        stream.write("</LesHouchesEvents>\n")
    return Written(path, sums.events, factor * sums.total / sums.events, factor)


def as_json(sums: Sums) -> dict[str, Any]:
    """The fields of sums, for JSON."""
    return asdict(sums)
