"""The numbers of raw events, many at a time: events of one kind (particles, status, mothers) become one array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.lhe.raw import RawBlock

__all__ = ["Kind", "Records", "parse_records"]

_BODY = re.compile(rb"[^<#]*")
_HEAD, _LINE = 6, 13
_LARGEST_WEIGHT, _LARGEST_ENERGY = 1e100, 1e12  # [GeV]; squares must be numbers
_MOST = 10_000  # particles of an event


@dataclass(frozen=True)
class Kind:
    """What the events of one kind have in common.

    Attributes:
        pdg_ids, status: (particles,).
        mothers: (particles, 2), from 1; 0 for none.
    """

    pdg_ids: tuple[int, ...]
    status: tuple[int, ...]
    mothers: tuple[tuple[int, int], ...]

    @cached_property
    def final(self) -> tuple[int, ...]:
        """Places of the final-state particles."""
        return tuple(place for place, status in enumerate(self.status) if status == 1)


@dataclass(frozen=True)
class Records:
    """Events of one kind within a block.

    Attributes:
        kind: what they have in common.
        rows: (n,), their places in the block.
        weight: (n,), XWGTUP.
        momenta: (n, particles, 4) [GeV], (E, px, py, pz).
        masses: (n, particles) [GeV].
    """

    kind: Kind
    rows: IntArray
    weight: Array
    momenta: Array
    masses: Array

    def __len__(self) -> int:
        return len(self.rows)


def parse_records(block: RawBlock, kinds: dict[tuple[bytes, ...], Kind]) -> list[Records]:
    """The numbers of all events of a block.

    Arguments:
        block: raw events.
        kinds: kinds that were met before, by the text that names them; new ones are added.

    Raises:
        UserError: an event has numbers that make no sense, or too few of them; its number in the file is named.
    """
    found: dict[Kind, tuple[list[int], list[list[float]]]] = {}
    for row, event in enumerate(block.events):
        try:
            kind, numbers = _parse(event, kinds)
        except (ValueError, OverflowError) as error:
            raise UserError(f"event {block.first + row} of the file cannot be read: {error}") from None
        rows, table = found.setdefault(kind, ([], []))
        rows.append(row)
        table.append(numbers)
    return [_records(kind, rows, table, block.first) for kind, (rows, table) in found.items()]


def _parse(event: bytes, kinds: dict[tuple[bytes, ...], Kind]) -> tuple[Kind, list[float]]:
    body = _BODY.match(event, event.index(b">") + 1)
    tokens = body.group().split() if body is not None else []
    if not tokens:
        raise ValueError("it has no numbers")
    particles = int(tokens[0])
    if not 1 <= particles <= _MOST:
        raise ValueError(f"it says it has {particles} particles")
    length = _HEAD + _LINE * particles
    if len(tokens) < length:
        raise ValueError(f"{particles} particles need {length} numbers; it has {len(tokens)}")
    key = tuple(tokens[_HEAD + place : length : _LINE] for place in range(4))
    flat = tuple(token for column in key for token in column)
    kind = kinds.get(flat)
    if kind is None:
        ids, status, first, second = ([int(token) for token in column] for column in key)
        kind = kinds[flat] = Kind(tuple(ids), tuple(status), tuple(zip(first, second, strict=True)))
    return kind, _numbers(tokens[2:length])


def _numbers(tokens: Sequence[bytes]) -> list[float]:
    try:
        return list(map(float, tokens))
    except ValueError:  # Fortran writes double precision with the letter D
        return [float(token.replace(b"D", b"E").replace(b"d", b"e")) for token in tokens]


def _records(kind: Kind, rows: list[int], table: list[list[float]], first: int) -> Records:
    numbers = np.array(table)
    columns = numbers[:, _HEAD - 2 :].reshape(len(rows), -1, _LINE)
    energies = np.abs(columns[:, :, 6:11].reshape(len(rows), -1))
    # Written so that what is no number fails, too.
    bad = ~((np.abs(numbers[:, 0]) < _LARGEST_WEIGHT) & np.all(energies < _LARGEST_ENERGY, axis=1))
    if np.any(bad):
        raise UserError(
            f"event {first + rows[int(np.argmax(bad))]} of the file has a number that is not finite or absurd"
        )
    return Records(
        kind, np.array(rows, dtype=np.int64), numbers[:, 0], columns[:, :, [9, 6, 7, 8]].copy(), columns[:, :, 10]
    )
