"""Event files as weighted samples with observables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.lhe.raw import RawFile
from mcbridge.lhe.records import Kind, Records, parse_records
from mcbridge.preprocessing.final_state import FinalState, canonical
from plugin.validate.observables import independent, kinematics, particle_names
from plugin.validate.sample import Column, WeightedSample

__all__ = ["EventSample", "common_samples", "read_events"]

_MOST_STATES = 4  # final states with observables of their own
_LEAST_SHARE = 0.02  # of the events
_MOST_CLASSES = 40
_INIT = re.compile(rb"<init\b[^>]*>(.*?)</init\s*>", re.DOTALL)
_TRIALS = re.compile(rb"""<event\b[^>]*?\btrials\s*=\s*['"]([0-9.eE+]+)""")
_MARKUP = re.compile(rb"<!--.*?-->|<([a-z]+)\b.*?</\1\s*>|<[^>]*>|#[^\n]*", re.DOTALL)


@dataclass
class EventSample:
    """The events of a file.

    Attributes:
        path: the file.
        cross_section, error: of ``<init>`` [pb]; NaN where that holds a placeholder.
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
    raw = RawFile(path, on_progress=on_progress)
    sample = EventSample(Path(path), *_cross_section(raw))
    kinds: dict[tuple[bytes, ...], Kind] = {}
    numbers: dict[tuple[int, ...], int] = {}
    # Sherpa writes 1 +- 1 and leaves it to the reader: sum of the weights over the sum of the trials.
    placeholder = sample.cross_section == sample.error == 1.0
    trials = 0.0
    for block in raw:
        if placeholder:
            trials += sum(_trials(event) for event in block.events)
        for records in parse_records(block, kinds):
            state, places = FinalState.of(records.kind, jets)
            beams = tuple(place for place, status in enumerate(records.kind.status) if status == -1)
            flavours = tuple(records.kind.pdg_ids[place] for place in beams)
            number = numbers.setdefault(flavours, len(numbers))
            part = (canonical(records, state, places)[0], _incoming(records, beams), records.weight, number)
            sample.parts.setdefault(state, []).append(part)
    sample.initial = list(numbers)
    if placeholder:
        sample.cross_section, sample.error = _of_trials(sample, trials)
    return sample


def _trials(event: bytes) -> float:
    """The attribute ``trials`` of an event; NaN without."""
    found = _TRIALS.match(event)
    return float(found.group(1)) if found is not None else float("nan")


def _of_trials(sample: EventSample, trials: float) -> tuple[float, float]:
    """Cross section and error [pb] of events that took a number of trials; (NaN, NaN) where that is not known."""
    if not trials > 0.0:
        return float("nan"), float("nan")
    weight = np.concatenate([w for part in sample.parts.values() for _, _, w, _ in part])
    total = float(np.sum(weight))
    return total / trials, float(np.sqrt(max(np.sum(weight**2) - total**2 / trials, 0.0))) / trials


def _cross_section(raw: RawFile) -> tuple[float, float]:
    """Sum of the subprocesses' cross sections in ``<init>`` and their errors in quadrature [pb].

    Headers are not always XML, whatever the standard says; nothing but ``<init>`` is looked at.
    """
    found = _INIT.search(raw.preamble)
    text = _MARKUP.sub(b" ", found.group(1)) if found is not None else b""
    rows = [line.split() for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    try:
        count = int(rows[0][9])
        numbers = [
            [float(entry.replace("D", "E").replace("d", "e")) for entry in row[:2]] for row in rows[1 : 1 + count]
        ]
        if len(numbers) != count or any(len(row) != 2 for row in numbers):
            raise ValueError("a subprocess is missing")
    except (IndexError, ValueError) as error:
        raise UserError(f"{raw.path}: its <init> block cannot be read: {error}") from None
    return sum(row[0] for row in numbers), sum(row[1] ** 2 for row in numbers) ** 0.5


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
