"""Cuts on outgoing particles by PDG number: transverse momentum, pseudorapidity, pair mass, pair distance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import madspace
import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError, nearest
from mcbridge.integrands import Array

__all__ = ["BoundCuts", "Cuts"]

Single = float | Mapping[int, float]
Pair = float | Mapping[tuple[int, int], float]


@dataclass(frozen=True)
class Cuts:
    """Limits by particle; a number holds for all outgoing particles or pairs, a mapping for those it names.

    Arguments:
        pt_min: smallest transverse momenta [GeV], by PDG number.
        eta_max: largest absolute pseudorapidities, by PDG number.
        mass_min, mass_max: limits of pair masses [GeV], by pairs of PDG numbers in either order.
        dr_min: smallest distances in (eta, phi), by pairs of PDG numbers in either order.
    """

    pt_min: Single = 0.0
    eta_max: Single = math.inf
    mass_min: Pair = 0.0
    mass_max: Pair = math.inf
    dr_min: Pair = 0.0

    def bind(self, outgoing: Sequence[int], masses: Sequence[float], cms_energy: float) -> BoundCuts:
        """The limits for one final state.

        Arguments:
            outgoing: PDG numbers of the outgoing particles.
            masses: of the outgoing particles [GeV].
            cms_energy: largest energy of the collision [GeV].

        Raises:
            UserError: a limit names a particle that is not there, has no sense, or leaves nothing at this energy.
        """
        ids = [int(pid) for pid in outgoing]
        pairs = list(combinations(range(len(ids)), 2))
        bound = BoundCuts(
            outgoing=tuple(ids),
            masses=tuple(float(mass) for mass in masses),
            pairs=tuple(pairs),
            pt_min=_by_particle("pt_min", self.pt_min, ids, 0.0),
            eta_max=_by_particle("eta_max", self.eta_max, ids, math.inf),
            mass_min=_by_pair("mass_min", self.mass_min, ids, pairs, 0.0),
            mass_max=_by_pair("mass_max", self.mass_max, ids, pairs, math.inf),
            dr_min=_by_pair("dr_min", self.dr_min, ids, pairs, 0.0),
        )
        bound.check(cms_energy)
        return bound


@dataclass(frozen=True)
class BoundCuts:
    """Cuts of one final state; a call gives the mask of the points inside.

    Arguments:
        outgoing: PDG numbers.
        masses: of the outgoing particles [GeV].
        pairs: positions of the pairs among the outgoing particles.
        pt_min, eta_max: one entry per outgoing particle.
        mass_min, mass_max, dr_min: one entry per pair.
    """

    outgoing: tuple[int, ...]
    masses: tuple[float, ...]
    pairs: tuple[tuple[int, int], ...]
    pt_min: tuple[float, ...]
    eta_max: tuple[float, ...]
    mass_min: tuple[float, ...]
    mass_max: tuple[float, ...]
    dr_min: tuple[float, ...]

    def __call__(self, momenta: Array) -> npt.NDArray[np.bool_]:
        """Which of the points pass: (n,) from momenta (n, 2 + outgoing, 4) [GeV], the two incoming first."""
        p = momenta[:, 2:]
        inside = np.ones(len(p), dtype=bool)
        transverse = np.hypot(p[..., 1], p[..., 2])
        if any(self.pt_min):
            inside &= (transverse >= np.array(self.pt_min)).all(axis=1)
        needs_eta = any(math.isfinite(limit) for limit in self.eta_max) or any(self.dr_min)
        eta = np.arcsinh(p[..., 3] / np.maximum(transverse, 1e-300)) if needs_eta else None
        if eta is not None:
            inside &= (np.abs(eta) <= np.array(self.eta_max)).all(axis=1)
        for index, (i, j) in enumerate(self.pairs):
            low, high, distance = self.mass_min[index], self.mass_max[index], self.dr_min[index]
            if low > 0 or math.isfinite(high):
                total = p[:, i] + p[:, j]
                squared = total[:, 0] ** 2 - (total[:, 1:] ** 2).sum(axis=1)
                inside &= (squared >= low**2) & (squared <= high**2)
            if distance > 0 and eta is not None:
                cross = p[:, i, 1] * p[:, j, 2] - p[:, i, 2] * p[:, j, 1]
                dot = p[:, i, 1] * p[:, j, 1] + p[:, i, 2] * p[:, j, 2]
                inside &= np.hypot(eta[:, i] - eta[:, j], np.arctan2(cross, dot)) >= distance
        return inside

    @property
    def smallest_energy(self) -> float:
        """A lower bound of the energy in the centre-of-mass frame [GeV] that masses and cuts imply."""
        transverse = sum(math.hypot(mass, pt) for mass, pt in zip(self.masses, self.pt_min, strict=True))
        rest = [sum(self.masses) - self.masses[i] - self.masses[j] for i, j in self.pairs]
        return max([transverse, *(low + mass for low, mass in zip(self.mass_min, rest, strict=True))])

    def check(self, cms_energy: float) -> None:
        """Raise a UserError where the cuts leave nothing at this energy [GeV]."""
        for index, (i, j) in enumerate(self.pairs):
            names = f"({self.outgoing[i]}, {self.outgoing[j]})"
            low, high = self.mass_min[index], self.mass_max[index]
            if low >= high:
                raise UserError(f"cuts: mass_min {low:g} GeV of {names} is not below mass_max {high:g} GeV.")
            if high <= self.masses[i] + self.masses[j]:
                raise UserError(f"cuts: mass_max {high:g} GeV of {names} is below the masses of the two particles.")
            widest = math.hypot(math.pi, self.eta_max[i] + self.eta_max[j])
            if self.dr_min[index] >= widest:
                raise UserError(
                    f"cuts: dr_min {self.dr_min[index]:g} of {names} was given; with eta_max their distance never "
                    f"exceeds {widest:.4g}."
                )
        if self.smallest_energy >= cms_energy:
            raise UserError(
                f"cuts: masses and cuts ask for at least {self.smallest_energy:g} GeV in the final state; "
                f"the collision has {cms_energy:g} GeV."
            )

    def for_map(self) -> madspace.Cuts:
        """The same limits in the form that the maps of madspace fold into their sampling."""
        kinds = madspace.Observable
        items = []
        external = [0, 0, *self.outgoing]  # the incoming particles are never selected
        for pid in dict.fromkeys(self.outgoing):
            index = self.outgoing.index(pid)
            single = ((kinds.obs_pt, self.pt_min[index], math.inf), (kinds.obs_eta_abs, 0.0, self.eta_max[index]))
            for kind, low, high in single:
                if low > 0 or math.isfinite(high):
                    items.append(madspace.CutItem(kinds(external, kind, [[pid]]), min=low, max=high))
        everything = kinds(external, kinds.obs_sqrt_s, [])
        items.append(madspace.CutItem(everything, min=self.smallest_energy))
        return madspace.Cuts(items)


def _limit(name: str, value: float) -> float:
    number = float(value)
    if math.isnan(number) or number < 0 or (name == "eta_max" and number == 0):
        raise UserError(f"cuts: {name} {value} was given; it must be a positive number.")
    return number


def _by_particle(name: str, given: Single, ids: list[int], default: float) -> tuple[float, ...]:
    if not isinstance(given, Mapping):
        return (_limit(name, given),) * len(ids)
    for key in given:
        if key not in ids:
            hint = nearest(str(key), map(str, ids)) or "."
            raise UserError(f"cuts: {name} names particle {key}; the final state has {', '.join(map(str, ids))}{hint}")
    return tuple(_limit(name, given.get(pid, default)) for pid in ids)


def _by_pair(name: str, given: Pair, ids: list[int], pairs: list[tuple[int, int]], default: float) -> tuple[float, ...]:
    if not isinstance(given, Mapping):
        return (_limit(name, given),) * len(pairs)
    limits = {tuple(sorted(key)): _limit(name, value) for key, value in given.items()}
    present = [tuple(sorted((ids[i], ids[j]))) for i, j in pairs]
    for key in limits:
        if key not in present:
            known = ", ".join(str(pair) for pair in dict.fromkeys(present))
            raise UserError(f"cuts: {name} names the pair {key}; the final state has {known}.")
    return tuple(limits.get(pair, default) for pair in present)
