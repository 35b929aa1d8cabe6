"""The events of blocks of a file, sorted by final state."""

from __future__ import annotations

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.lhe.raw import RawBlock
from mcbridge.lhe.records import Kind, Records, parse_records
from mcbridge.preprocessing.final_state import FinalState, canonical
from mcbridge.preprocessing.resonances import resonances_of

__all__ = ["Reader"]


class Reader:
    """The events of blocks by final state.

    Arguments:
        jets: whether light quarks and gluons count as the same.
    """

    def __init__(self, jets: bool) -> None:
        self.jets = jets
        self._kinds: dict[tuple[bytes, ...], Kind] = {}
        self._states: dict[Kind, tuple[FinalState, tuple[int, ...], list[frozenset[int]]]] = {}

    def parts(self, block: RawBlock) -> list[tuple[FinalState, list[frozenset[int]], Records, Array, Array]]:
        """For each kind of event its group, its resonances, the records, and canonical momenta and masses."""
        result = []
        for records in parse_records(block, self._kinds):
            found = self._states.get(records.kind)
            if found is None:
                if not records.kind.final:
                    number = block.first + int(records.rows[0])
                    raise UserError(f"event {number} of the file has no particle in the final state (status 1)")
                state, places = FinalState.of(records.kind, self.jets)
                found = self._states[records.kind] = (state, places, resonances_of(records.kind, state, places))
            state, places, resonances = found
            result.append((state, resonances, records, *canonical(records, state, places)))
        return result
