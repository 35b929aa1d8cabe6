"""Which particles of a final state come from one resonance: their invariant mass then is a coordinate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mcbridge.lhe.records import Kind
from mcbridge.preprocessing.final_state import FinalState

__all__ = ["Resonances", "resonances_of"]

_MAJORITY = 0.5


def resonances_of(kind: Kind, state: FinalState, places: tuple[int, ...]) -> list[frozenset[int]]:
    """Sets of slots that descend from one intermediate particle of the record.

    Particles that have twins in the final state are left out: which of them came from the resonance is unknown once
    they are ordered.
    """
    parents = [first - 1 if first > 0 and second in (0, first) else None for first, second in kind.mothers]
    slots = {place: slot for slot, place in enumerate(places)}
    members: dict[int, set[int]] = {}
    for place, slot in slots.items():
        parent, steps = parents[place], 0
        while parent is not None and 0 <= parent < len(parents) and steps < len(parents):
            if abs(kind.status[parent]) == 2:
                members.setdefault(parent, set()).add(slot)
            parent, steps = parents[parent], steps + 1
    unique = Counter(state.flavours)
    return [
        frozenset(found)
        for found in members.values()
        if len(found) > 1 and all(unique[state.flavours[slot]] == 1 for slot in found)
    ]


@dataclass
class Resonances:
    """Counts how often sets of particles of a final state come from one resonance.

    Generators write an intermediate particle only where it is near its mass shell; what most events have is taken for
    all of them.
    """

    state: FinalState
    events: int = 0
    votes: Counter[frozenset[int]] = field(default_factory=Counter)

    def add(self, found: Iterable[frozenset[int]], events: int) -> None:
        """Count ``events`` events in which the sets ``found`` come from resonances."""
        self.events += events
        for slots in set(found):
            self.votes[slots] += events

    def chosen(self) -> list[frozenset[int]]:
        """Sets that are nested or disjoint: those of most events, then lepton pairs of one generation."""
        wanted = [s for s, votes in self.votes.most_common() if votes >= _MAJORITY * self.events]
        wanted = sorted(wanted, key=lambda slots: (-self.votes[slots], len(slots), sorted(slots)))
        result: list[frozenset[int]] = []
        for slots in [*wanted, *self._lepton_pairs()]:
            if slots not in result and all(_compatible(slots, other) for other in result):
                result.append(slots)
        return result

    def _lepton_pairs(self) -> list[frozenset[int]]:
        """A lepton and an antilepton of one generation, where there is one pair only."""
        pairs = []
        for charged in (11, 13, 15):
            own = [s for s, flavour in enumerate(self.state.flavours) if abs(flavour) in (charged, charged + 1)]
            if len(own) == 2 and self.state.flavours[own[0]] * self.state.flavours[own[1]] < 0:
                pairs.append(frozenset(own))
        return pairs


def _compatible(one: frozenset[int], other: frozenset[int]) -> bool:
    return one <= other or other <= one or not one & other
