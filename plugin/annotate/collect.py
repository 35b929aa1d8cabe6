"""First pass: the groups of a file, what is learned from each, and what must not happen in the second pass."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.lhe.declared import weights_of_event
from mcbridge.lhe.raw import RawFile
from mcbridge.lhe.splice import event_attributes
from mcbridge.preprocessing import FinalState, Resonances
from mcbridge.preprocessing.reader import Reader
from mcbridge.random import Streams
from mcbridge.uncertainties.generator_weights import GeneratorWeights
from mcbridge.uncertainties.record import ATTRIBUTE, GROUP
from mcbridge.uncertainties.signs import NEGATIVE_SHARE
from mcbridge.uncertainties.systematic import Variations

__all__ = ["Collected", "Group", "collect"]


@dataclass
class Group:
    """The events of one final state, and a sample of them.

    The sample is a reservoir (Vitter 1985): every event has the same chance to be in it, however many there are.

    Attributes:
        state: their particles.
        number: of the group, in the order in which groups appear in the file.
        events, negative, zero: number of all events, of those with negative and with zero weight.
        sum, absolute, squares: sums of weights, of their absolute values, and of their squares.
        resonances: what descends from what.
    """

    state: FinalState
    number: int
    most: int
    generator: np.random.Generator
    resonances: Resonances
    events: int = 0
    negative: int = 0
    zero: int = 0
    sum: float = 0.0
    absolute: float = 0.0
    absolute_negative: float = 0.0
    squares: float = 0.0
    _size: int = 0
    _momenta: Array = field(default_factory=lambda: np.zeros((0, 0, 4)))
    _masses: Array = field(default_factory=lambda: np.zeros((0, 0)))
    _weight: Array = field(default_factory=lambda: np.zeros(0))

    @property
    def effective(self) -> float:
        """``(sum |w|)^2 / sum w^2``."""
        return self.absolute**2 / self.squares if self.squares > 0.0 else 0.0

    @property
    def negative_share(self) -> float:
        """Share of negative weights in the sum of the absolute ones."""
        return self.absolute_negative / self.absolute if self.absolute > 0.0 else 0.0

    def add(self, momenta: Array, masses: Array, weight: Array) -> None:
        """Take in events: momenta (n, slots, 4), masses (n, slots), weights (n,)."""
        negative = weight < 0.0
        self.negative += int(np.sum(negative))
        self.zero += int(np.sum(weight == 0.0))
        self.sum += float(np.sum(weight))
        self.absolute += float(np.sum(np.abs(weight)))
        self.absolute_negative += float(np.sum(-weight[negative]))
        self.squares += float(np.sum(weight**2))
        places = self._places(len(weight))
        self.events += len(weight)
        rows = np.flatnonzero(places >= 0)
        if not len(rows):
            return
        self._grow(int(np.max(places)) + 1, momenta.shape[1])
        # Of several events for one place the last one stays, as if they had come one by one.
        own = places[rows]
        last = len(own) - 1 - np.unique(own[::-1], return_index=True)[1]
        rows, own = rows[last], own[last]
        self._momenta[own], self._masses[own], self._weight[own] = momenta[rows], masses[rows], weight[rows]

    def _places(self, n: int) -> IntArray:
        """Places in the sample for the next n events; -1 for none."""
        index = self.events + np.arange(n)
        drawn = np.floor(self.generator.random(n) * (index + 1)).astype(np.int64)
        places: IntArray = np.where(index < self.most, index, np.where(drawn < self.most, drawn, -1))
        return places

    def _grow(self, size: int, slots: int) -> None:
        self._size = max(self._size, size)
        if self._size <= len(self._weight):
            return
        room = min(self.most, max(2 * len(self._weight), self._size, 64))
        momenta, masses, weight = np.zeros((room, slots, 4)), np.zeros((room, slots)), np.zeros(room)
        before = len(self._weight)
        if before:
            momenta[:before], masses[:before], weight[:before] = self._momenta, self._masses, self._weight
        self._momenta, self._masses, self._weight = momenta, masses, weight

    def sample(self) -> tuple[Array, Array, Array]:
        """Momenta (n, slots, 4), masses (n, slots) and weights (n,) of the sample."""
        return self._momenta[: self._size], self._masses[: self._size], self._weight[: self._size]

    def forget(self) -> None:
        """Drop the sample."""
        self._size, self._momenta, self._masses, self._weight = 0, np.zeros((0, 0, 4)), np.zeros((0, 0)), np.zeros(0)


@dataclass
class Collected:
    """What the first pass found.

    Attributes:
        groups: by final state, in the order of the file.
        events: number of all events.
        theory: weights of the generator, with the sums over all events.
        attributes: attributes that the tags of events have.
    """

    groups: dict[FinalState, Group] = field(default_factory=dict)
    events: int = 0
    theory: GeneratorWeights = field(default_factory=GeneratorWeights)
    attributes: set[str] = field(default_factory=set)


def collect(
    file: RawFile,
    reader: Reader,
    theory: GeneratorWeights,
    most: int,
    streams: Streams,
    absolute: bool,
    variations: Variations | None = None,
) -> Collected:
    """Read all events once.

    Arguments:
        file: the events.
        reader: sorts them.
        theory: weights of the generator that are looked for.
        most: events of a group that are learned from.
        streams: random numbers.
        absolute: whether negative weights are allowed.
        variations: counts the factors of a nuisance parameter, or None.

    Raises:
        UserError: an event is broken, has uncertainties already, or weights are negative.
    """
    result = Collected(theory=theory)
    for block in file:
        weight = np.zeros(len(block))
        for state, resonances, records, momenta, masses in reader.parts(block):
            group = result.groups.get(state)
            if group is None:
                number = len(result.groups)
                generator = streams.generator("sample", channel=number)
                group = result.groups[state] = Group(state, number, most, generator, Resonances(state))
            group.resonances.add(resonances, len(records))
            group.add(momenta, masses, records.weight)
            weight[records.rows] = records.weight
            if variations is not None:
                variations.add(state, momenta, records.weight)
        for place, event in enumerate(block.events):
            _check_new(event, file, block.first + place, result)
        if theory:
            theory.add(theory.table(block.events), weight)
        result.events += len(block)
    if not absolute:
        _check_signs(result, file)
    return result


def _check_new(event: bytes, file: RawFile, number: int, result: Collected) -> None:
    names = event_attributes(event)
    if names is None:
        raise UserError(f"event {number} of {file.path} has a broken <event> tag")
    if ATTRIBUTE in names or (f"{GROUP}_001".encode() in event and f"{GROUP}_001".encode() in weights_of_event(event)):
        raise UserError(
            f"event {number} of {file.path} carries uncertainties already ({ATTRIBUTE}, {GROUP}_001, ...); annotate the"
            " file without them"
        )
    result.attributes |= names


def _check_signs(result: Collected, file: RawFile) -> None:
    negative = sum(group.negative for group in result.groups.values())
    total = sum(group.absolute for group in result.groups.values())
    share = sum(group.absolute_negative for group in result.groups.values()) / total if total > 0.0 else 0.0
    if share > NEGATIVE_SHARE:
        raise UserError(
            f"{negative} of {result.events} event weights of {file.path} are negative, {share:.2g} of the sum of the"
            f" absolute values; a Bayesian flow learns a probability density and leaves out at most {NEGATIVE_SHARE:g};"
            " with --absolute it learns the density of the absolute weights, which is not that of the cross section"
        )
