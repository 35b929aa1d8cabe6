"""Independent coordinates of the phase space of a final state (physics.md, section 6).

Particles, and pairs that come from a resonance as one object, are described by ``(pT, eta, dphi, m)`` relative to the
azimuth of a leading one, decays by two angles. What momentum conservation fixes is left out, so that a density in these
coordinates is a density in phase space: the factor between the two depends on the event only, not on the flow, and
drops out of ratios ``p(x|theta_m)/p(x)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing.kinematics import (
    azimuth,
    decay_angles,
    difference,
    mass,
    pseudorapidity,
    rapidity,
    transverse,
)

__all__ = ["ANGLE", "COSINE", "KINDS", "LENGTH", "RAPIDITY", "Coordinates"]

KINDS = LENGTH, RAPIDITY, COSINE, ANGLE = "length", "rapidity", "cosine", "angle"
"""Kinds of coordinates: positive [GeV], on the real line, in [-1, 1], on the circle of [-pi, pi]."""

_BLOCK = 16_384  # events whose coordinates are found at once
_SHARE = 1e-3  # of events that may break a rule before the rule is given up
_UNIFORM = 5.0  # standard errors within which the azimuth of the whole event counts as uniform


@dataclass(frozen=True)
class _Node:
    """A particle (one slot), or an object that decays into two."""

    slots: tuple[int, ...]
    children: tuple[_Node, _Node] | None = None

    def momentum(self, momenta: Array) -> Array:
        return momenta[:, self.slots[0]] if len(self.slots) == 1 else np.sum(momenta[:, self.slots], axis=1)


def _tree(slots: Sequence[int], resonances: Sequence[frozenset[int]]) -> _Node:
    """A binary tree in which every resonance inside ``slots`` is a node."""
    nodes = _objects(slots, resonances)
    node = nodes[-1]
    for other in reversed(nodes[:-1]):
        node = _Node(tuple(sorted(other.slots + node.slots)), (other, node))
    return node


def _objects(slots: Sequence[int], resonances: Sequence[frozenset[int]]) -> list[_Node]:
    inner = [found for found in resonances if found < set(slots)]
    largest = [found for found in inner if not any(found < other for other in inner)]
    nodes = [_tree(sorted(found), [r for r in inner if r < found]) for found in largest]
    taken = {slot for found in largest for slot in found}
    nodes += [_Node((slot,)) for slot in slots if slot not in taken]
    return sorted(nodes, key=lambda node: node.slots)


class Coordinates:
    """The coordinates of the events of one final state.

    What is constant in the events or fixed by conservation is found in the events themselves: masses, the energy of
    the collision, the balance of transverse momentum. The azimuth of the whole event is left out where it is uniform.

    Arguments:
        momenta: (n, slots, 4) [GeV] of a sample of events, in canonical order.
        masses: (n, slots) [GeV], as the record states them.
        resonances: sets of slots that come from one resonance.

    Attributes:
        names: of the coordinates.
        kinds: for each coordinate ``LENGTH``, ``RAPIDITY``, ``COSINE`` or ``ANGLE``.
    """

    def __init__(self, momenta: Array, masses: Array, resonances: Sequence[frozenset[int]] = ()) -> None:
        slots = range(momenta.shape[1])
        whole = [found for found in resonances if len(found) == len(slots)]
        self._roots = [_tree(slots, resonances)] if whole or len(slots) == 1 else _objects(slots, resonances)
        total = np.sum(momenta, axis=1)
        energy = np.maximum(total[:, 0], 1e-300)
        self._closed = _rarely(transverse(total) > 1e-4 * energy)
        plus, minus = total[:, 0] + total[:, 3], total[:, 0] - total[:, 3]
        fixed = [_constant(values, 1e-6 * np.max(energy)) for values in (plus, minus)]
        self._fixed = self._closed and all(fixed)
        self._one_beam_fixed = self._closed and any(fixed) and not all(fixed)
        self._varying = [
            not _constant(masses[:, slot], 1e-3 + 1e-4 * float(np.mean(masses[:, slot]))) for slot in slots
        ]
        # The transverse momentum of the last object follows from that of the others; cuts act on particles, so that a
        # resonance is last, or the hardest particle.
        if len(self._roots) > 1:
            hardness = [
                (len(root.slots) > 1, float(np.mean(transverse(root.momentum(momenta))))) for root in self._roots
            ]
            last = self._roots.pop(max(range(len(hardness)), key=hardness.__getitem__))
            self._roots.append(last)
        self._kept: list[int] | None = None
        columns = self._all(momenta, masses)
        spread = [float(np.ptp(values)) if len(values) else 0.0 for _, _, values in columns]
        uniform = _is_uniform(columns[0][2])
        self.uniform_azimuth = uniform
        self._kept = [
            index
            for index, (_, kind, values) in enumerate(columns)
            if spread[index] > 1e-6 * (1.0 + float(np.max(np.abs(values)))) and not (index == 0 and uniform)
        ]
        self.names = tuple(columns[index][0] for index in self._kept)
        self.kinds = tuple(columns[index][1] for index in self._kept)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.names)

    @property
    def periodic(self) -> tuple[int, ...]:
        """Coordinates that are angles on a circle."""
        return tuple(index for index, kind in enumerate(self.kinds) if kind == ANGLE)

    def __call__(self, momenta: Array, masses: Array) -> Array:
        """Coordinates (n, dim) of events: momenta (n, slots, 4) [GeV] and masses (n, slots) [GeV]."""
        assert self._kept is not None  # chosen at construction
        result = np.zeros((len(momenta), len(self._kept)))
        for start in range(0, len(momenta), _BLOCK):  # all columns of all events would be many times their size
            part = slice(start, start + _BLOCK)
            columns = self._all(momenta[part], masses[part])
            for place, index in enumerate(self._kept):
                result[part, place] = columns[index][2]
        return result

    def _all(self, momenta: Array, masses: Array) -> list[tuple[str, str, Array]]:
        """Name, kind and values of all coordinates, the azimuth of the whole event first."""
        if len(self._roots) == 1:
            return self._single(momenta, masses)
        result: list[tuple[str, str, Array]] = []
        first = self._roots[0]
        reference = azimuth(first.momentum(momenta))
        result.append((f"phi {_label(first)}", ANGLE, reference))
        number = len(self._roots)
        for place, root in enumerate(self._roots):
            momentum, label = root.momentum(momenta), _label(root)
            last = place == number - 1
            polar = pseudorapidity(momentum) if root.children is None else rapidity(momentum)
            if self._fixed and number == 2:
                if not last:
                    size = np.maximum(np.linalg.norm(momentum[:, 1:], axis=1), 1e-300)
                    result.append((f"cos theta {label}", COSINE, momentum[:, 3] / size))
            elif self._fixed and place == number - 2:
                rest = momentum + self._roots[-1].momentum(momenta)
                result += _angles(f"{label} in {label},{_label(self._roots[-1])}", rest, momentum, False)
            elif not (self._fixed and last):
                if not (self._closed and last):
                    result.append((f"pT {label}", LENGTH, transverse(momentum)))
                if not (self._one_beam_fixed and last):
                    result.append((f"{'eta' if root.children is None else 'y'} {label}", RAPIDITY, polar))
                if place and not (self._closed and last):
                    turn = difference(azimuth(momentum), reference)
                    result.append((f"dphi {label}", ANGLE, turn))
            result += self._inner(root, momenta, masses)
        return result

    def _single(self, momenta: Array, masses: Array) -> list[tuple[str, str, Array]]:
        """One object that carries all momentum: its mass and rapidity, and its decay in the axes of the beam."""
        root = self._roots[0]
        momentum, label = root.momentum(momenta), _label(root)
        result: list[tuple[str, str, Array]] = []
        if root.children is None:
            result.append((f"phi {label}", ANGLE, azimuth(momentum)))
        else:
            cosine, phi = decay_angles(momentum, root.children[0].momentum(momenta), self._closed)
            child = _label(root.children[0])
            result.append((f"phi {child}", ANGLE, azimuth(momentum) if not self._closed else phi))
            result.append((f"cos theta {child} in {label}", COSINE, cosine))
            if not self._closed:
                result.append((f"phi {child} in {label}", ANGLE, phi))
        if not self._closed:
            result.append((f"pT {label}", LENGTH, transverse(momentum)))
        if not (self._fixed or self._one_beam_fixed):
            result.append((f"y {label}", RAPIDITY, rapidity(momentum)))
        return result + self._inner(root, momenta, masses, decay=False, outermost=self._fixed)

    def _inner(
        self, node: _Node, momenta: Array, masses: Array, decay: bool = True, outermost: bool = False
    ) -> list[tuple[str, str, Array]]:
        """Masses and decay angles of an object and of all inside it."""
        if node.children is None:
            slot = node.slots[0]
            return [(f"m {slot + 1}", LENGTH, masses[:, slot])] if self._varying[slot] else []
        parent, result = node.momentum(momenta), list[tuple[str, str, Array]]()
        if not outermost:
            result.append((f"m {_label(node)}", LENGTH, mass(parent)))
        if decay:
            result += _angles(
                f"{_label(node.children[0])} in {_label(node)}", parent, node.children[0].momentum(momenta), False
            )
        for child in node.children:
            result += self._inner(child, momenta, masses)
        return result


def _angles(label: str, parent: Array, child: Array, along_beam: bool) -> list[tuple[str, str, Array]]:
    cosine, phi = decay_angles(parent, child, along_beam)
    return [(f"cos theta {label}", COSINE, cosine), (f"phi {label}", ANGLE, phi)]


def _label(node: _Node) -> str:
    return "(" + "".join(str(slot + 1) for slot in node.slots) + ")" if len(node.slots) > 1 else str(node.slots[0] + 1)


def _rarely(broken: npt.NDArray[np.bool_]) -> bool:
    return float(np.mean(broken)) <= _SHARE


def _constant(values: Array, tolerance: float) -> bool:
    return _rarely(np.abs(values - np.median(values)) > tolerance)


def _is_uniform(angle: Array) -> bool:
    """Whether the first two harmonics of an angle vanish within errors (Rayleigh test)."""
    for order in (1, 2):
        size = abs(np.mean(np.exp(1j * order * angle)))
        if size > _UNIFORM / np.sqrt(2.0 * len(angle)):
            return False
    return True
