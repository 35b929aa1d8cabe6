"""Header and ``<init>`` of an event file, in pylhe's model."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field

import numpy as np
import pylhe

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.lhe.info import RunInfo

__all__ = ["Sums", "head_text", "normalisation"]

_STRATEGY = -4  # IDWTUP: weighted events of either sign, the mean of XWGTUP is the cross section in pb
_FORMAT = pylhe.LHEXMLFormat(
    initinfo=(
        "{beamA:d} {beamB:d} {energyA:.10e} {energyB:.10e} {PDFgroupA:d} {PDFgroupB:d} {PDFsetA:d} {PDFsetB:d}"
        " {weightingStrategy:d} {numProcesses:d}"
    ),
    procinfo="{xSection:.10e} {error:.10e} {unitWeight:.10e} {procId:d}",
)
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass
class Sums:
    """Sums over the relative weights of a sample.

    Attributes:
        events: number of events.
        total, absolute, squares: sums of r, |r| and r^2.
        negative: number of events with r < 0.
        of_process: for each process id the sum of r and the largest |r|.
    """

    events: int = 0
    total: float = 0.0
    absolute: float = 0.0
    squares: float = 0.0
    negative: int = 0
    of_process: dict[int, tuple[float, float]] = field(default_factory=dict)

    def add(self, weight: Array, process: IntArray) -> None:
        """Count events with relative weights (n,) and process ids (n,)."""
        self.events += len(weight)
        self.total += float(np.sum(weight))
        self.absolute += float(np.sum(np.abs(weight)))
        self.squares += float(np.sum(weight**2))
        self.negative += int(np.sum(weight < 0.0))
        for number in np.unique(process):
            own = weight[process == number]
            total, largest = self.of_process.get(int(number), (0.0, 0.0))
            self.of_process[int(number)] = (total + float(np.sum(own)), max(largest, float(np.max(np.abs(own)))))

    def join(self, other: Sums) -> None:
        """Count the events of another part."""
        self.events += other.events
        self.total += other.total
        self.absolute += other.absolute
        self.squares += other.squares
        self.negative += other.negative
        for number, (of_other, largest_of_other) in other.of_process.items():
            total, largest = self.of_process.get(number, (0.0, 0.0))
            self.of_process[number] = (total + of_other, max(largest, largest_of_other))


def normalisation(sums: Sums, info: RunInfo) -> float:
    """XWGTUP of an event of relative weight 1 [pb] (see :class:`RunInfo`, ``absolute``).

    Raises:
        UserError: where there are no events, or their weights cannot be scaled to the cross section.
    """
    if not sums.events:
        raise UserError("there are no events to write")
    if info.absolute is not None:
        return info.absolute * sums.events / sums.absolute
    if sums.total == 0.0 or sums.total * info.cross_section <= 0.0:
        raise UserError(
            f"the events' relative weights add up to {sums.total:.4g} and the cross section is {info.cross_section:.4g}"
            " pb: no factor makes their mean the cross section; give the integral of the absolute value"
            " (RunInfo.absolute)"
        )
    return info.cross_section * sums.events / sums.total


def head_text(info: RunInfo, sums: Sums, factor: float) -> str:
    """Everything before the first event.

    Cross sections of the subprocesses share out the total as the events do; their errors are such that the squares add
    up to the square of the total's.
    """
    file = pylhe.LHEFile(init=_init(info, sums, factor), header=_header(info, sums, factor))
    text: str = file.tolhe(_FORMAT)
    return text[: text.rindex("</LesHouchesEvents>")]


def _init(info: RunInfo, sums: Sums, factor: float) -> pylhe.LHEInit:
    numbers = sorted(set(sums.of_process) | set(info.processes))
    shares = {number: sums.of_process.get(number, (0.0, 0.0)) for number in numbers}
    absolute = sum(abs(total) for total, _ in shares.values())
    lines = []
    for number, (total, largest) in shares.items():
        # Where the mean of XWGTUP is the cross section only within errors, the shares are still shares of the total.
        cross_section = info.cross_section * total / sums.total if sums.total else factor * total / sums.events
        error = info.error * np.sqrt(abs(total) / absolute) if absolute else info.error
        lines.append(pylhe.LHEProcInfo(cross_section, float(error), factor * largest, number))
    first = pylhe.LHEInitInfo(
        beamA=info.beams[0],
        beamB=info.beams[1],
        energyA=float(info.energies[0]),
        energyB=float(info.energies[1]),
        PDFgroupA=0,
        PDFgroupB=0,
        PDFsetA=info.pdf_ids[0],
        PDFsetB=info.pdf_ids[1],
        weightingStrategy=_STRATEGY,
        numProcesses=len(lines),
    )
    name, version = info.generator
    generator = pylhe.LHEGenerator(name, version, "events drawn by a normalizing flow or by VEGAS; see the header")
    return pylhe.LHEInit(first, lines, [generator])


def _header(info: RunInfo, sums: Sums, factor: float) -> pylhe.LHEHeader:
    content = {
        "cross_section_pb": info.cross_section,
        "cross_section_error_pb": info.error,
        "events": sums.events,
        "negative_events": sums.negative,
        "kish_effective_size": sums.total**2 / sums.squares,
        "weight_of_an_event_pb": factor,
        "weights": "XWGTUP in pb; the mean over all events, overweight and negative ones too, is the cross section",
        "processes": {str(number): name for number, name in sorted(info.processes.items())},
        "seed": info.seed,
        "versions": dict(info.versions),
        "figures": dict(info.figures),
    }
    try:
        text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"the figures for the header cannot be written as JSON: {error}") from None
    blocks = {"card": info.card, "binnis": text, **info.blocks}
    elements = [_element(name, content) for name, content in blocks.items() if content]
    groups: list[pylhe.LHEInitRWGTWeight | pylhe.LHEInitRWGTWeightGroup] = []
    for group in info.weight_groups:
        descriptions = group.descriptions or group.ids
        weights = [pylhe.LHEInitRWGTWeight(id=id, name=text) for id, text in zip(group.ids, descriptions, strict=True)]
        groups.append(pylhe.LHEInitRWGTWeightGroup(name=group.name, combine=group.combine, weights=weights))
    return pylhe.LHEHeader(initrwgt=pylhe.LHEInitRWGT(groups), extra_elements=elements)


def _element(name: str, content: str) -> ET.Element:
    bad = _FORBIDDEN.search(content)
    if bad:
        raise UserError(f"the header block {name} holds the character {bad.group()!r}, which no XML file may have")
    element = ET.Element(name)
    element.text = f"\n{content.strip()}\n"
    return element
