"""Event files as weighted samples with observables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.lhe import EventFile
from mcbridge.lhe.raw import RawFile
from mcbridge.lhe.records import Kind, Records, parse_records
from mcbridge.preprocessing.final_state import FinalState, canonical
from plugin.validate.observables import independent, kinematics, particle_names
from plugin.validate.sample import Column, WeightedSample

__all__ = ["EventSample", "common_samples", "read_events"]

_MOST_STATES = 4  # final states with observables of their own
_LEAST_SHARE = 0.02  # of the events
_MOST_CLASSES = 40


@dataclass
class EventSample:
    """The events of a file.

    Attributes:
        path: the file.
        cross_section, error: of ``<init>`` [pb].
        parts: events of one final state: momenta (n, particles, 4) and incoming momenta (n, 2, 4) [GeV], weights (n,),
            and the flavours of the incoming particles by their number in ``initial``.
        initial: pairs of incoming PDG numbers.
    """

    path: Path
    cross_section: float
    error: float
    parts: dict[FinalState, list[tuple[Array, Array, Array, int]]] = field(default_factory=dict)
    initial: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def events(self) -> int:
        """Number of events."""
        return sum(len(weight) for part in self.parts.values() for _, _, weight, _ in part)

    @property
    def mean_weight(self) -> tuple[float, float]:
        """Mean of XWGTUP and its standard error."""
        weight = np.concatenate([w for part in self.parts.values() for _, _, w, _ in part])
        return float(np.mean(weight)), float(np.std(weight) / np.sqrt(len(weight)))

    def shares(self) -> dict[FinalState, float]:
        """Share of the events of each final state."""
        total = max(self.events, 1)
        return {state: sum(len(w) for _, _, w, _ in part) / total for state, part in self.parts.items()}


def read_events(
    path: str | Path, jets: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> EventSample:
    """Read an event file, plain or gzip, of any generator.

    Arguments:
        path: the file.
        jets: whether light quarks and gluons of the final state count as one kind of particle.
        on_progress: called with bytes read and those of the file.

    Raises:
        UserError: it cannot be read, is no event file, or has an event that makes no sense.
    """
    head = EventFile(path)
    sample = EventSample(Path(path), head.cross_section, head.error)
    kinds: dict[tuple[bytes, ...], Kind] = {}
    numbers: dict[tuple[int, ...], int] = {}
    for block in RawFile(path, on_progress=on_progress):
        for records in parse_records(block, kinds):
            state, places = FinalState.of(records.kind, jets)
            beams = tuple(place for place, status in enumerate(records.kind.status) if status == -1)
            flavours = tuple(records.kind.pdg_ids[place] for place in beams)
            number = numbers.setdefault(flavours, len(numbers))
            part = (canonical(records, state, places)[0], _incoming(records, beams), records.weight, number)
            sample.parts.setdefault(state, []).append(part)
    sample.initial = list(numbers)
    return sample


def _incoming(records: Records, beams: tuple[int, ...]) -> Array:
    if len(beams) == 2:
        return records.momenta[:, beams]
    return np.full((len(records), 2, 4), np.nan)


def common_samples(
    reference: EventSample, candidate: EventSample, labels: tuple[str, str], names: list[str] | None = None
) -> tuple[WeightedSample, WeightedSample]:
    """Both files as weighted samples with the same columns.

    Classes of final and initial states are compared as such; observables of each of the most frequent final states.

    Raises:
        UserError: the files have no final state in common.
    """
    shares = [reference.shares(), candidate.shares()]
    states = sorted(
        (state for state in shares[0] if state in shares[1]), key=lambda state: -shares[0][state] - shares[1][state]
    )
    if not states:
        one, other = (next(iter(share)).name if share else "no events" for share in shares)
        raise UserError(
            f"{reference.path} and {candidate.path} have no final state in common: {one} in the one, {other} in the"
            " other"
        )
    chosen = [
        state for state in states[:_MOST_STATES] if max(share[state] for share in shares) >= _LEAST_SHARE
    ] or states[:1]
    all_states = [state.name for state in {**shares[0], **shares[1]}]
    pairs = _classes(reference, candidate)
    wanted = {state: names if names is not None and len(chosen) == 1 else _names(reference, state) for state in chosen}
    several = len({**shares[0], **shares[1]}) > 1
    found = [
        _sample(sample, label, chosen, wanted, several, all_states, pairs)
        for sample, label in zip((reference, candidate), labels, strict=True)
    ]
    return found[0], found[1]


def _classes(reference: EventSample, candidate: EventSample) -> list[tuple[int, ...]]:
    count: Counter[tuple[int, ...]] = Counter()
    for sample in (reference, candidate):
        for part in sample.parts.values():
            for _, _, weight, number in part:
                count[sample.initial[number]] += len(weight)
    return [flavours for flavours, _ in count.most_common(_MOST_CLASSES)]


def _names(sample: EventSample, state: FinalState) -> list[str]:
    momenta, incoming, _, _ = sample.parts[state][0]
    beams = incoming if np.all(np.isfinite(incoming)) else None
    return independent(kinematics(momenta, particle_names(state), beams))


def _sample(
    sample: EventSample,
    label: str,
    chosen: list[FinalState],
    wanted: dict[FinalState, list[str]],
    several: bool,
    all_states: list[str],
    pairs: list[tuple[int, ...]],
) -> WeightedSample:
    n = sample.events
    columns: dict[str, Column] = {}
    weight, states, initial = np.empty(n), np.empty(n), np.empty(n)
    position = 0
    place_of = {flavours: place for place, flavours in enumerate(pairs)}
    for state, parts in sample.parts.items():
        for momenta, incoming, own, number in parts:
            rows = slice(position, position + len(own))
            position += len(own)
            weight[rows] = own
            states[rows] = all_states.index(state.name)
            initial[rows] = place_of.get(sample.initial[number], len(pairs))
            if state not in chosen:
                continue
            beams = incoming if np.all(np.isfinite(incoming)) else None
            found = kinematics(momenta, particle_names(state), beams)
            for name in wanted[state]:
                if name in found:
                    title = f"{name} in {state.name}" if several else name
                    column = columns.setdefault(title, Column(np.full(n, np.nan)))
                    column.values[rows] = found[name]
    if len(all_states) > 1:
        columns["final state"] = Column(states, tuple(all_states))
    if len(pairs) > 1:
        texts = tuple(" ".join(FinalState((f,)).name for f in flavours) for flavours in pairs)
        columns["initial state"] = Column(initial, (*texts, "others"))
    return WeightedSample(label, weight / n, np.zeros(n, dtype=np.int64), np.array([n]), columns)
