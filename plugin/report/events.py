"""The distributions of an event file, with the uncertainty that its replica weights carry."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.integrands import Array
from mcbridge.lhe.declared import weights_of_event
from mcbridge.lhe.raw import RawFile
from mcbridge.lhe.records import Kind, parse_records
from mcbridge.preprocessing.final_state import FinalState, canonical
from plugin.report.document import Panel, Plot, Series

__all__ = ["EventSummary", "event_plots", "summarise_events"]

MOST_EVENTS = 10_000
"""Events that the distributions of a report are made of: the first ones."""

_MOST_BANDS = 3_000  # events whose replica weights are read
_MOST_PLOTS = 18
_BINS = 30
_REPLICA = b"binn_"


@dataclass
class EventSummary:
    """The first events of the most frequent final state of a file.

    Attributes:
        state: name of the final state.
        weight: (n,), XWGTUP.
        columns: observables (n,) by name.
        ratios: (k, replicas), replica weights over XWGTUP of the first k events; without columns where there are none.
        share: share of the events that have this final state.
    """

    state: str
    weight: Array
    columns: dict[str, Array]
    ratios: Array
    share: float


def summarise_events(path: Path, most: int = MOST_EVENTS) -> EventSummary | None:
    """Read the first ``most`` events of a file; None where it has none.

    Raises:
        UserError: the file cannot be read.
    """
    from plugin.validate.observables import independent, kinematics, particle_names

    kinds: dict[tuple[bytes, ...], Kind] = {}
    parts: dict[FinalState, list[tuple[Array, Array, Array, Array]]] = {}
    seen = banded = 0
    for block in RawFile(path, block=1000):
        for records in parse_records(block, kinds):
            state, places = FinalState.of(records.kind)
            beams = tuple(place for place, status in enumerate(records.kind.status) if status == -1)
            incoming = records.momenta[:, beams] if len(beams) == 2 else np.full((len(records), 2, 4), np.nan)
            rows = records.rows if banded < _MOST_BANDS else records.rows[:0]
            ratios = _ratios([block.events[row] for row in rows], records.weight)
            banded += len(ratios)
            part = (canonical(records, state, places)[0], incoming, records.weight, ratios)
            parts.setdefault(state, []).append(part)
        seen += len(block)
        if seen >= most:
            break
    if not parts:
        return None
    state, own = max(parts.items(), key=lambda pair: sum(len(part[2]) for part in pair[1]))
    momenta, incoming, weight = (np.concatenate([part[place] for part in own]) for place in range(3))
    tables = [part[3] for part in own if part[3].ndim == 2 and part[3].shape[1]]
    same = bool(tables) and len({table.shape[1] for table in tables}) == 1
    found = kinematics(momenta, particle_names(state), incoming if np.all(np.isfinite(incoming)) else None)
    columns = {name: found[name] for name in independent(found)}
    ratios = np.concatenate(tables) if same else np.zeros((0, 0))
    return EventSummary(state.name, weight, columns, ratios, len(weight) / seen)


def _ratios(events: list[bytes], weight: Array) -> Array:
    """(n, replicas), of events that all carry the same replica weights; no columns otherwise."""
    rows: list[list[float]] = []
    for event, own in zip(events, weight, strict=False):
        weights = weights_of_event(event)
        values = [float(text) for name, text in weights.items() if name.startswith(_REPLICA)]
        if not values or not own:
            return np.zeros((0, 0))
        rows.append([value / float(own) for value in values])
    return np.array(rows) if rows and len({len(row) for row in rows}) == 1 else np.zeros((0, 0))


def event_plots(found: EventSummary) -> list[Plot]:
    """One plot an observable; below, counting error and replica band in per cent.

    The band is that of the replicas as they are: their width was set by histograms; the calibration factor is one for
    single points.
    """
    names = sorted(found.columns, key=lambda name: ("(all)" not in name, "pT" not in name and "m(" not in name))
    return [_plot(name, found) for name in names[:_MOST_PLOTS]]


def _plot(name: str, found: EventSummary) -> Plot:
    values = found.columns[name]
    low, high = np.quantile(values, [0.002, 0.998])
    edges = np.linspace(low, high if high > low else low + 1.0, _BINS + 1)
    inside = (values >= edges[0]) & (values <= edges[-1])
    width, total = np.diff(edges), float(np.sum(found.weight))
    sums = np.histogram(values[inside], edges, weights=found.weight[inside])[0]
    errors = np.sqrt(np.histogram(values[inside], edges, weights=found.weight[inside] ** 2)[0])
    density = sums / (total * width)
    positive = density[density > 0.0]
    log = bool(len(positive) and positive.max() > 100.0 * positive.min())
    unit = name[name.rfind("[") + 1 : name.rfind("]")] if "[" in name else ""
    shown: list[Any] = [float(v) if v > 0.0 or not log else None for v in density]
    panels = [
        Panel(
            f"density [1/{unit}]" if unit else "density",
            [Series("steps", edges.tolist(), shown, (errors / (total * width)).tolist(), colour=1)],
            log=log,
        )
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        counting = np.nan_to_num(100.0 * errors / np.abs(sums))
    lower = [Series("steps", edges.tolist(), counting.tolist(), label="counting", colour=1)]
    band = _band(values, edges, found)
    if band is not None:
        lower.append(Series("steps", edges.tolist(), (100.0 * band).tolist(), label="learned density", colour=4))
    panels.append(Panel("error [%]", lower, height=0.55))
    return Plot(name, name, panels)


def _band(values: Array, edges: Array, found: EventSummary) -> Array | None:
    """(bins,), relative standard deviation of the replicas of a bin."""
    if not found.ratios.size:
        return None
    n = len(found.ratios)
    place = np.searchsorted(edges, values[:n], side="right") - 1
    kept = (place >= 0) & (place < len(edges) - 1)
    weight = found.weight[:n][kept]
    replicas = np.stack([np.bincount(place[kept], weight * r[kept], len(edges) - 1) for r in found.ratios.T])
    mean = np.mean(replicas, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.nan_to_num(np.std(replicas, axis=0, ddof=1) / np.abs(mean))
    return result
