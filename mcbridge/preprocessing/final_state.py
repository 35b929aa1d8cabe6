"""Final states by their flavours, and particles in a fixed order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from mcbridge.integrands.protocol import Array
from mcbridge.lhe.records import Kind, Records

__all__ = ["JET", "FinalState", "canonical"]

JET = 21
"""Flavour that stands for all light quarks and the gluon where they are merged."""

_NAMES = {
    1: "d", 2: "u", 3: "s", 4: "c", 5: "b", 6: "t", 11: "e-", 12: "ve", 13: "mu-", 14: "vm", 15: "ta-", 16: "vt",
    21: "g", 22: "gamma", 23: "Z", 24: "W+", 25: "H",
}  # fmt: skip
_ANTI = {-11: "e+", -13: "mu+", -15: "ta+", -24: "W-"}


def _name(flavour: int) -> str:
    known = _ANTI.get(flavour) or _NAMES.get(flavour)
    if known is None and flavour < 0:
        known = f"{_NAMES[-flavour]}~" if -flavour in _NAMES else None
    return known or str(flavour)


@dataclass(frozen=True)
class FinalState:
    """A group of events: those with the same particles in the final state.

    Attributes:
        flavours: PDG ids in increasing order; with ``jets``, light quarks and gluons are all ``JET``.
        jets: whether light quarks and gluons count as the same.
    """

    flavours: tuple[int, ...]
    jets: bool = False

    @staticmethod
    def of(kind: Kind, jets: bool = False) -> tuple[FinalState, tuple[int, ...]]:
        """The group of the events of a kind, and the places of its particles in the record, in the group's order."""
        flavours = [_flavour(kind.pdg_ids[place], jets) for place in kind.final]
        order = sorted(range(len(flavours)), key=lambda slot: flavours[slot])
        return (
            FinalState(tuple(flavours[slot] for slot in order), jets),
            tuple(kind.final[slot] for slot in order),
        )

    @property
    def name(self) -> str:
        """For tables: ``e+ e- j``."""
        names = [("j" if self.jets and flavour == JET else _name(flavour)) for flavour in self.flavours]
        return " ".join(f"{count} {name}" if count > 2 else " ".join([name] * count) for name, count in _runs(names))

    @property
    def identical(self) -> list[slice]:
        """Slots of particles with the same flavour, where there are several."""
        result, start = [], 0
        for _, count in _runs(list(self.flavours)):
            if count > 1:
                result.append(slice(start, start + count))
            start += count
        return result


def _flavour(pdg_id: int, jets: bool) -> int:
    return JET if jets and (abs(pdg_id) <= 5 or pdg_id == 21) else pdg_id


def _runs(values: list[Any]) -> list[tuple[Any, int]]:
    return [(value, len(list(members))) for value, members in groupby(values)]


def canonical(records: Records, state: FinalState, places: tuple[int, ...]) -> tuple[Array, Array]:
    """Momenta (n, slots, 4) [GeV] and masses (n, slots) of the final state, identical particles by falling pT.

    The order in which a generator writes identical particles has no meaning, so that the density of the ordered ones
    is that of the event, up to a factor that all events of the group share.
    """
    momenta, masses = records.momenta[:, places], records.masses[:, places]
    for run in state.identical:
        square = np.sum(momenta[:, run, 1:3] ** 2, axis=2)
        order = np.argsort(-square, axis=1, kind="stable")
        momenta[:, run] = np.take_along_axis(momenta[:, run], order[:, :, None], axis=1)
        masses[:, run] = np.take_along_axis(masses[:, run], order, axis=1)
    return momenta, masses
