"""Event files in the Les Houches format 3.0."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mcbridge.events import WeightedEvents, check_batch, rebatch
from mcbridge.files import atomic
from mcbridge.lhe.header import Sums, head_text, normalisation
from mcbridge.lhe.info import RunInfo
from mcbridge.lhe.spool import Spool
from mcbridge.lhe.stream import OutputStream, is_compressed
from mcbridge.lhe.text import check_declared, event_text

__all__ = ["Written", "write"]

_BLOCK = 4096


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        path: the file.
        events: their number.
        mean_weight: mean of XWGTUP [pb].
        weight_of_an_event: XWGTUP of an event of relative weight 1 [pb].
    """

    path: Path
    events: int
    mean_weight: float
    weight_of_an_event: float


def write(
    path: str | Path, events: Iterable[WeightedEvents], info: RunInfo, *, check: bool = True, threads: int = 1
) -> Written:
    """Write an event file, whole or not at all.

    Weights have IDWTUP -4: XWGTUP is in pb, and its mean over all events is the cross section (:class:`RunInfo` states
    the normalisation). Since that takes the sum over all events first, they are kept aside in a temporary file; memory
    does not grow with their number. The same events and information give the same bytes.

    Arguments:
        path: file name; gzip where it ends in ``.gz``.
        events: chunks of events with relative weights (:func:`mcbridge.unweighting.unweight` gives them).
        info: cross section, beams, header.
        check: whether each event is checked (:func:`mcbridge.events.check_batch`).
        threads: threads that compress.

    Raises:
        UserError: where the file cannot be written (nothing is left behind), there are no events, or events and
            information do not fit together.
        AmplitudeError: where an event violates momentum conservation, its mass shells or its colour flow.
    """
    path = Path(path)
    sums = Sums()
    with atomic(path) as temporary, Spool(path.parent) as spool:
        for block in rebatch(events, _BLOCK):
            if check:
                check_batch(block.batch)
            check_declared(block, info)
            sums.add(block.weight, block.batch.process_id)
            spool.append(block)
        factor = normalisation(sums, info)
        with OutputStream(temporary, is_compressed(path), threads) as stream:
            stream.write(head_text(info, sums, factor))
            for block in spool:
                stream.write(event_text(block, factor, info))
            stream.write("</LesHouchesEvents>\n")
    return Written(path, sums.events, factor * sums.total / sums.events, factor)
