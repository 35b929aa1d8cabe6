"""Sherpa's event file: its cross section, and the replica weights of every event."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from mcbridge.errors import UserError
from mcbridge.files import atomic
from mcbridge.integrands.protocol import Array
from mcbridge.lhe.stream import OutputStream
from mcbridge.uncertainties import bayesian_density, weight_group
from mcbridge.uncertainties.record import ATTRIBUTE
from sherpa_interface.output import CrossSection
from sherpa_interface.points import read_points
from sherpa_interface.training import Trained
from sherpa_interface.uncertainties import Uncertainty, learn_replicas

if TYPE_CHECKING:
    from sherpa_interface.state import State

__all__ = ["EventRecord", "finish_events", "scan_events"]

log = logging.getLogger("plugin.sherpa")

_CARD = re.compile(r"(<SHRunCard>)(.*?)(</SHRunCard>)", re.DOTALL)  # Sherpa copies its cards as they are
_TRIALS = re.compile(r"trials=['\"]([0-9.eE+]+)['\"]")


@dataclass
class EventRecord:
    """What is in the event file.

    Attributes:
        events: number of events.
        trials: number of trial points that they took.
        cross_section, error: sum of weights over trials [pb].
        weight: of an event that does not exceed the largest weight [pb]; the cross section over it is Sherpa's
            unweighting efficiency.
        overweight: share of events that exceed it, by their weight or by being written twice (then with no trial).
        uncertainties: by process, for ``summary.json``.
    """

    events: int = 0
    trials: float = 0.0
    cross_section: float = 0.0
    error: float = 0.0
    weight: float = 0.0
    overweight: float = 0.0
    uncertainties: dict[str, Any] = field(default_factory=dict)

    @property
    def efficiency(self) -> float | None:
        """Accepted events over trials; None without events."""
        return self.events / self.trials if self.trials else None


def _events(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Head (everything up to the first event) under the name "head", then the lines of every event, then the tail."""
    lines: list[str] = []
    name = "head"
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if line.startswith("<event") and (line[6:7] in (">", " ")):
                if name != "event":
                    yield name, lines
                    lines = []
                name = "event"
            lines.append(line)
            if line.startswith("</event>"):
                yield "event", lines
                lines = []
                name = "tail"
    yield ("tail" if name != "head" else "head"), lines


def _trials(lines: Sequence[str]) -> float:
    found = _TRIALS.search(lines[0])
    return 1.0 if found is None else float(found.group(1))


def _particles(lines: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """PDG ids of the incoming and of the outgoing particles of an event, each sorted."""
    count = int(lines[1].split()[0])
    rows = [line.split()[:2] for line in lines[2 : 2 + count]]
    incoming = sorted(int(pdg) for pdg, status in rows if status == "-1")
    outgoing = sorted(int(pdg) for pdg, status in rows if status == "1")
    return tuple(incoming), tuple(outgoing)


def scan_events(path: str | Path) -> EventRecord:
    """Numbers, trials and weights of a file that Sherpa wrote.

    Raises:
        UserError: the file is missing or is not of this kind.
    """
    weights, trials = [], []
    try:
        for name, lines in _events(Path(path)):
            if name == "event":
                trials.append(_trials(lines))
                weights.append(float(lines[1].split()[2]))
    except OSError as error:
        raise UserError(f"the event file {path} cannot be read: {error.strerror}") from None
    except (IndexError, ValueError):
        raise UserError(f"the event file {path} is damaged at event {len(trials)}") from None
    if not weights:
        raise UserError(f"the event file {path} holds no event")
    w = np.array(weights)
    total = float(np.sum(trials))
    mean = float(np.sum(w)) / total
    variance = max(float(np.sum(w**2)) / total - mean**2, 0.0) / max(total - 1.0, 1.0)
    usual = float(np.min(np.abs(w)))
    return EventRecord(
        events=len(w),
        trials=total,
        cross_section=mean,
        error=variance**0.5,
        weight=usual,
        overweight=float(np.mean((np.abs(w) > usual * (1.0 + 1e-6)) | (np.array(trials) == 0.0))),
    )


def finish_events(state: State, trained: list[Trained], results: dict[str, CrossSection]) -> EventRecord:
    """Make ``events.lhe.gz`` from Sherpa's file: the cross section in ``<init>``, replica weights for every event."""
    source = state.folder / "generation" / "events.lhe"
    record = scan_events(source)
    uncertain: dict[str, Uncertainty] = {}
    for process in trained if state.settings.replicas >= 2 else []:
        uncertain[process.name] = learn_replicas(
            process.sampler,
            process.points,
            process.fresh,
            results[process.name].value,
            state.settings.replicas,
            state.streams,
            state.settings.threads,
            state.progress.counter("Bayesian flow", 1) if process.sampler.has_flow else None,
        )
    ratios = _ratios(state, trained, uncertain, source)
    total = sum(result.value for result in results.values())
    error = sum(result.error**2 for result in results.values()) ** 0.5
    with atomic(state.folder / "events.lhe.gz") as temporary, OutputStream(temporary, True) as out:
        for part in _annotated(source, ratios, state.settings.replicas, (total, error), record):
            out.write(part)
    record.uncertainties = {
        name: {
            "replicas": 0 if ratios is None or found.sampler is None else state.settings.replicas,
            "note": found.note if ratios is not None else "the points of the events are not known",
            "calibration": None if found.calibration is None else found.calibration.as_json(),
        }
        for name, found in uncertain.items()
    }
    return record


def _ratios(
    state: State, trained: list[Trained], uncertain: dict[str, Uncertainty], source: Path
) -> list[Array | None] | None:
    """For each event the ratios (replicas,) of its replica weights, None where its process has none."""
    if not any(found.sampler is not None for found in uncertain.values()):
        return None
    owner: dict[tuple[tuple[int, ...], tuple[int, ...]], str] = {}
    for process in trained:
        incoming = int(process.description["incoming"])
        for flavours in process.description["subprocesses"] or [process.description["flavours"]]:
            owner[tuple(sorted(flavours[:incoming])), tuple(sorted(flavours[incoming:]))] = process.name
    of_process: dict[str, Array] = {}
    for name, found in uncertain.items():
        if found.sampler is None:
            continue
        points = read_points(state.folder / "generation" / f"accepted.{name}.points", found.sampler.dim)
        density = bayesian_density(found.sampler, points.u, points.channel, state.settings.threads)
        of_process[name] = density.ratios
    taken = dict.fromkeys(of_process, 0)
    ratios: list[Array | None] = []
    for kind, lines in _events(source):
        if kind != "event":
            continue
        name = owner.get(_particles(lines), "")
        if name not in of_process:
            ratios.append(None)
            continue
        if _trials(lines) > 0.0 or not taken[name]:
            taken[name] += 1
        row = taken[name] - 1  # an event of no trial is the one before again: it exceeded the largest weight
        ratios.append(of_process[name][row] if row < len(of_process[name]) else None)
    if any(taken[name] != len(rows) for name, rows in of_process.items()):
        log.warning("the recorded points do not match the events: no replica weights are written")
        return None
    return ratios


def _annotated(
    source: Path,
    ratios: list[Array | None] | None,
    replicas: int,
    cross_section: tuple[float, float],
    record: EventRecord,
) -> Iterable[str]:
    number = 0
    for kind, lines in _events(source):
        if kind == "head":
            yield _head("".join(lines), replicas if ratios is not None else 0, cross_section, record)
            continue
        if kind == "tail" or ratios is None:
            yield "".join(lines)
            continue
        own = ratios[number]
        number += 1
        own = np.ones(replicas) if own is None else own
        weight = float(lines[1].split()[2])
        head = lines[0].rstrip()
        spread = float(np.std(own, ddof=1))
        yield f"{head[:-1]} {ATTRIBUTE}='{spread:.6g}'{head[-1]}\n"
        yield from lines[1:-1]
        ids = weight_group(replicas).ids
        yield "<rwgt>\n"
        yield "".join(f"<wgt id='{name}'> {weight * ratio:.6e} </wgt>\n" for name, ratio in zip(ids, own, strict=True))
        yield "</rwgt>\n</event>\n"


def _head(text: str, replicas: int, cross_section: tuple[float, float], record: EventRecord) -> str:
    """The header with the weight group and the figures, and the cross section in ``<init>`` (1 there before)."""
    value, error = cross_section
    text = _CARD.sub(lambda found: f"{found.group(1)}{escape(found.group(2))}{found.group(3)}", text)
    content = {
        "cross_section_pb": value,
        "cross_section_error_pb": error,
        "cross_section_of_the_events_pb": record.cross_section,
        "weights": "the cross section is the sum of XWGTUP over the sum of the attribute trials",
        "replicas": replicas,
    }
    block = f"<binnis>\n{escape(json.dumps(content, indent=1, sort_keys=True))}\n</binnis>\n"
    if replicas:
        group = weight_group(replicas)
        lines = [
            f"<weight id='{name}'>{text}</weight>" for name, text in zip(group.ids, group.descriptions, strict=True)
        ]
        opening = f"<weightgroup name='{group.name}' combine='{group.combine}'>"
        block += "\n".join(["<initrwgt>", opening, *lines, "</weightgroup>", "</initrwgt>", ""])
    if "</header>" in text:
        text = text.replace("</header>", f"{block}</header>", 1)
    else:
        text = text.replace("<init>", f"<header>\n{block}</header>\n<init>", 1)
    begin, end = text.index("<init>"), text.index("</init>")
    rows = text[begin:end].splitlines()
    if len(rows) == 3 and rows[2].split()[:2] == ["1", "1"]:  # Sherpa's placeholder for the one process
        rows[2] = f"  {value:.10e}  {error:.10e}  {record.weight:.10e}  1"
        text = text[:begin] + "\n".join(rows) + "\n" + text[end:]
    return text
