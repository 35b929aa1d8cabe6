"""Kinematic observables of events: what two samples are compared in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from mcbridge.integrands import Array
from mcbridge.preprocessing.final_state import FinalState
from mcbridge.preprocessing.kinematics import azimuth, decay_angles, difference, mass, pseudorapidity, transverse
from mcbridge.preprocessing.kinematics import rapidity as rapidity_of

__all__ = ["MOST_PARTICLES", "independent", "kinematics", "particle_names"]

MOST_PARTICLES = 6
"""Particles of a final state that get observables of their own and of their pairs; the first ones."""

_ROUNDING = 1e-9


def particle_names(state: FinalState) -> list[str]:
    """A name for every slot of a final state: ``e-``, or ``g1``, ``g2`` for identical particles by falling pT."""
    single = [FinalState((flavour,), state.jets).name for flavour in state.flavours]
    names, seen = [], dict[str, int]()
    for name in single:
        seen[name] = seen.get(name, 0) + 1
        names.append(f"{name}{seen[name]}" if single.count(name) > 1 else name)
    return names


def kinematics(momenta: Array, names: Sequence[str], incoming: Array | None = None) -> dict[str, Array]:
    """Observables of n events.

    Arguments:
        momenta: (n, particles, 4) of the final state [GeV], (E, px, py, pz).
        names: (particles,), of the particles.
        incoming: (n, 2, 4) of the incoming partons [GeV], or None.

    Returns:
        values (n,) by name: for each particle transverse momentum, pseudorapidity, azimuth, energy and longitudinal
        momentum; for each pair mass, transverse momentum, rapidity and the distances in rapidity, azimuth and both; for
        the whole final state mass, rapidity, momenta, sum and extremes of the transverse momenta, the angles of the
        first particle in its rest frame; energies of the partons. Some repeat each other (:func:`independent`).
    """
    count = min(momenta.shape[1], MOST_PARTICLES)
    found: dict[str, Array] = {}
    for place in range(count):
        own, name = momenta[:, place], names[place]
        found[f"pT({name}) [GeV]"] = transverse(own)
        found[f"eta({name})"] = pseudorapidity(own)
        found[f"phi({name})"] = azimuth(own)
        found[f"E({name}) [GeV]"] = own[:, 0]
        found[f"pz({name}) [GeV]"] = own[:, 3]
        found[f"m({name}) [GeV]"] = _on_shell(_off_zero(mass(own), own[:, 0]), own[:, 0])
    for one, other in combinations(range(count), 2):
        first, second = momenta[:, one], momenta[:, other]
        pair, names_of = first + second, f"{names[one]} {names[other]}"
        found[f"m({names_of}) [GeV]"] = mass(pair)
        found[f"pT({names_of}) [GeV]"] = _off_zero(transverse(pair), pair[:, 0])
        found[f"y({names_of})"] = rapidity_of(pair)
        apart = np.abs(pseudorapidity(first) - pseudorapidity(second))
        turned = np.abs(difference(azimuth(first), azimuth(second)))
        found[f"|Delta eta|({names_of})"] = apart
        found[f"|Delta phi|({names_of})"] = turned
        found[f"Delta R({names_of})"] = np.hypot(apart, turned)
    found.update(_of_event(momenta, names[0]))
    if incoming is not None:
        found["E(parton 1) [GeV]"] = incoming[:, 0, 0]
        found["E(parton 2) [GeV]"] = incoming[:, 1, 0]
    return found


def _of_event(momenta: Array, first: str) -> dict[str, Array]:
    """Observables of the whole final state."""
    whole = np.sum(momenta, axis=1)
    sizes = transverse(momenta)
    etas = pseudorapidity(momenta)
    cosine, angle = decay_angles(whole, momenta[:, 0], along_beam=True)
    return {
        "m(all) [GeV]": mass(whole),
        "y(all)": rapidity_of(whole),
        "E(all) [GeV]": whole[:, 0],
        "pz(all) [GeV]": whole[:, 3],
        "HT [GeV]": np.sum(sizes, axis=1),
        "largest pT [GeV]": np.max(sizes, axis=1),
        "smallest pT [GeV]": np.min(sizes, axis=1),
        "largest eta": np.max(etas, axis=1),
        "smallest eta": np.min(etas, axis=1),
        "largest |eta|": np.max(np.abs(etas), axis=1),
        "largest E [GeV]": np.max(momenta[:, :, 0], axis=1),
        "smallest E [GeV]": np.min(momenta[:, :, 0], axis=1),
        f"cos theta*({first})": cosine,
        f"phi*({first})": angle,
    }


def _off_zero(values: Array, scale: Array) -> Array:
    """Without the rounding of what is zero exactly: event files have ten digits, a massless particle then 1e-5 E."""
    result: Array = np.where(values < 1e-4 * np.abs(scale), 0.0, values)
    return result


def _on_shell(masses: Array, energy: Array) -> Array:
    """The common mass, where all masses agree with it within the rounding of momenta with ten digits."""
    common = np.median(masses) if len(masses) else 0.0
    rounding = _ROUNDING * energy**2 / max(common, 1e-300)
    result: Array = np.full_like(masses, common) if np.all(np.abs(masses - common) <= rounding) else masses
    return result


def independent(found: Mapping[str, Array]) -> list[str]:
    """Names of the observables that vary and are not monotonic in an earlier one, event by event.

    The two transverse momenta of a pair that balance are one observable.
    """
    kept: list[str] = []
    looks: list[Array] = []
    for name, values in found.items():
        if not len(values) or np.ptp(values) <= _ROUNDING * max(float(np.max(np.abs(values))), 1.0):
            continue
        look = values[:500]
        order = np.argsort(look, kind="stable")
        if not any(_monotonic(other[order]) for other in looks):
            kept.append(name)
            looks.append(look)
    return kept


def _monotonic(ordered: Array) -> bool:
    """Whether values, sorted by another observable, rise or fall throughout (but for rounding)."""
    if len(ordered) < 20:
        return False
    steps = np.diff(ordered)
    slack = 1e-7 * max(float(np.max(np.abs(ordered))), 1e-300)
    return bool(np.all(steps >= -slack) or np.all(steps <= slack))
