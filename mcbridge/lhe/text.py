"""The text of event records, many events in one pass."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents
from mcbridge.integrands.protocol import Array, EventBatch, IntArray
from mcbridge.lhe.info import RunInfo

__all__ = ["event_text"]

_NUMBER = "%+.10e"
_RATIO = "%.6e"
_ATTRIBUTE = "%.6g"


def event_text(events: WeightedEvents, normalisation: float, info: RunInfo) -> str:
    """The ``<event>`` blocks of n events (hep-ph/0609017, arXiv:1405.1067).

    Momenta have eleven digits; lifetimes are 0 and spins 9 (unknown).

    Arguments:
        events: the events, with the attributes and weight groups that ``info`` declares.
        normalisation: XWGTUP of an event of relative weight 1 [pb].
        info: attributes and weight groups, in the order in which they are written.

    Raises:
        UserError: where events and declarations do not fit together.
    """
    check_declared(events, info)
    batch = events.batch
    columns = _columns(events, normalisation, info)
    # Events that differ only in their numbers share a template; numbers that all events share become part of it.
    with np.errstate(invalid="ignore"):
        constant = np.all(columns == columns[0], axis=0)
    kinds, of_event = _kinds(batch)
    literals = [
        None if not fixed else value for fixed, value in zip(constant.tolist(), columns[0].tolist(), strict=True)
    ]
    templates = [_template(batch, int(first), literals, info) for first in kinds]
    rows = columns[:, ~constant].tolist()
    return "".join([templates[kind] % tuple(row) for kind, row in zip(of_event.tolist(), rows, strict=True)])


def check_declared(events: WeightedEvents, info: RunInfo) -> None:
    """UserError where the attributes or weight groups of events are not those that the run information declares."""
    if set(events.attributes) != set(info.attributes):
        raise UserError(
            f"events carry the attributes {sorted(events.attributes)}; declared are {sorted(info.attributes)}"
        )
    declared = {group.name: len(group.ids) for group in info.weight_groups}
    carried = {name: int(ratios.shape[1]) for name, ratios in events.ratios.items()}
    if declared != carried:
        raise UserError(f"events carry the weight groups {carried} (name: size); declared are {declared}")


def _columns(events: WeightedEvents, normalisation: float, info: RunInfo) -> Array:
    """All floating-point numbers of each event (n, numbers), in the order of the template."""
    batch = events.batch
    n, particles = batch.pdg_ids.shape
    weight = events.weight * normalisation
    parts = [events.attributes[name][:, None] for name in info.attributes]
    parts += [column[:, None] for column in (weight, batch.scale, batch.alpha_qed, batch.alpha_s)]
    numbers = np.concatenate([batch.momenta[:, :, [1, 2, 3, 0]], batch.masses[:, :, None]], axis=2)
    parts.append(numbers.reshape(n, 5 * particles))
    parts += [weight[:, None] * events.ratios[group.name] for group in info.weight_groups]
    columns: Array = np.concatenate(parts, axis=1) + 0.0  # which turns -0 into 0
    return columns


def _kinds(batch: EventBatch) -> tuple[IntArray, IntArray]:
    """First event of every combination of process, particles and colours, and the combination of every event."""
    n = len(batch.pdg_ids)
    key = np.concatenate([batch.process_id[:, None], batch.pdg_ids, batch.colours.reshape(n, -1)], axis=1)
    if np.all(key == key[0]):
        return np.zeros(1, dtype=np.int64), np.zeros(n, dtype=np.int64)
    # Columns that do not vary need no sorting; the others become one integer each where they fit.
    varying = key[:, np.any(key != key[0], axis=0)]
    code = np.zeros(n, dtype=np.int64)
    for column in varying.T:
        values, index = np.unique(column, return_inverse=True)
        code = code * len(values) + index
        code = np.unique(code, return_inverse=True)[1]
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return first.astype(np.int64), inverse.astype(np.int64)


def _template(batch: EventBatch, event: int, literals: list[float | None], info: RunInfo) -> str:
    """Format string of the events that share process, particles and colours with ``event``."""
    position = 0

    def number(style: str) -> str:
        nonlocal position
        literal = literals[position]
        position += 1
        return style if literal is None else style % literal

    attributes = "".join(f' {name}="{number(_ATTRIBUTE)}"' for name in info.attributes)
    particles = batch.pdg_ids.shape[1]
    head = " ".join(number(_NUMBER) for _ in range(4))
    lines = [f"<event{attributes}>", f"{particles:2d} {batch.process_id[event]:6d} {head}"]
    for index in range(particles):
        first, second = batch.mothers[index]
        colour, anticolour = batch.colours[event, index]
        numbers = " ".join(number(_NUMBER) for _ in range(5))
        lines.append(
            f"{batch.pdg_ids[event, index]:9d} {batch.status[index]:2d} {first:3d} {second:3d} {colour:4d}"
            f" {anticolour:4d} {numbers} 0.0000e+00 9.0000e+00"
        )
    if info.weight_groups:
        lines.append("<rwgt>")
        lines += [f"<wgt id='{name}'> {number(_RATIO)} </wgt>" for group in info.weight_groups for name in group.ids]
        lines.append("</rwgt>")
    lines.append("</event>\n")
    return "\n".join(lines)
