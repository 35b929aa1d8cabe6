"""Phase space of n identical massless particles at fixed energy, through the maps of madspace."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import Any

import madspace
import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError, nearest
from mcbridge.integrands import Array

__all__ = ["MAPPINGS", "GluonPhaseSpace", "Mapping"]

_BLOCK = 4096


@dataclass(frozen=True)
class Mapping:
    """A phase-space map of madspace and how it is used.

    Arguments:
        mode: strategy of ``madspace.PhaseSpaceMapping``.
        power: exponent of the 1/|t|^power sampling of momentum transfers.
        symmetric: whether the density is averaged over the permutations of the outgoing particles.
        order: colour order that the map follows, or None.
        azimuth: index of the random number that is the first azimuth.
        others: the other azimuths, each with the sign with which it turns when the whole event is turned.
    """

    mode: str
    power: float
    symmetric: bool
    order: tuple[int, ...] | None
    azimuth: int
    others: tuple[tuple[int, float], ...]


def _mapping(mode: str, n: int, power: float, symmetric: bool = True) -> Mapping:
    """The entry of the table for one strategy of madspace; azimuths as found by turning whole events."""
    if n == 2:
        return Mapping(mode, power, symmetric and mode != "rambo", None, 0, ())
    if mode == "color_ordered" and n == 3:
        return Mapping(mode, power, symmetric, (0, 2, 1, 3, 4), 0, ((3, -1.0),))
    if mode == "color_ordered":
        return Mapping(mode, power, symmetric, (0, 2, 3, 1, 4, 5), 2, ((4, 1.0), (6, -1.0)))
    if mode == "rambo":
        azimuths = (1, 4) if n == 3 else (1, 4, 7)
        return Mapping(mode, power, False, None, azimuths[0], tuple((k, 1.0) for k in azimuths[1:]))
    azimuths = (1, 3) if n == 3 else (2, 4, 6)
    return Mapping(mode, power, symmetric, None, azimuths[0], tuple((k, 1.0) for k in azimuths[1:]))


MAPPINGS: dict[str, dict[int, Mapping]] = {
    # Smallest relative standard deviation of plain VEGAS at 1 TeV, pT > 30 GeV, dR > 0.4: 0.91 for three gluons
    # (t-channel 1.3, in one order 1.9, flat 2.8) and 2.3 for four (2.4, 3.4, 6.4).
    "colour-ordered": {n: _mapping("color_ordered" if n > 2 else "propagator", n, 1.6) for n in (2, 3, 4)},
    "t-channel": {n: _mapping("propagator", n, 1.0) for n in (2, 3, 4)},
    "t-channel-one-order": {n: _mapping("propagator", n, 1.0, symmetric=False) for n in (2, 3, 4)},
    "rambo": {n: _mapping("rambo", n, 0.8) for n in (2, 3, 4)},
}
"""Phase-space maps by name and number of outgoing particles."""


class GluonPhaseSpace:
    """Random numbers to momenta of g g -> n g inside the cuts, and the jacobian.

    The map of one order of the outgoing particles has density g(x). All n! orders are channels of one multi-channel
    integral; since the integrand does not see the order, they are equal, and one stands for all:
    integral = <f / ((1/n!) sum over orders of g(x ordered so))>. This flattens what one order alone samples badly.
    Azimuths are measured against the first one, so that the integrand does not depend on the latter.

    Arguments:
        n_final: number of outgoing particles.
        cms_energy: [GeV].
        pt_min: smallest transverse momentum [GeV].
        dr_min: smallest distance of a pair in (eta, phi).
        mapping: name of the map.

    Raises:
        UserError: there is no map of this name.
    """

    def __init__(
        self, n_final: int, cms_energy: float, pt_min: float, dr_min: float, mapping: str = "colour-ordered"
    ) -> None:
        if mapping not in MAPPINGS:
            raise UserError(
                f"mapping: '{mapping}' was given; allowed are {', '.join(MAPPINGS)}{nearest(mapping, MAPPINGS) or '.'}"
            )
        self.mapping = MAPPINGS[mapping][n_final]
        self.n_final = n_final
        self.periodic = (self.mapping.azimuth, *(index for index, _ in self.mapping.others))
        map_ = _build(self.mapping, n_final, cms_energy, pt_min, dr_min)
        self.dim: int = map_.random_dim()
        # A context of its own: madspace's are not meant to be shared by threads.
        context = madspace.Context(thread_count=1)
        self._forward = madspace.FunctionRuntime(map_.forward_function(), context)
        self._density = madspace.FunctionRuntime(_mean_density(map_, n_final), context)

    def momenta(self, u: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
        """Momenta of points and which of them pass the cuts.

        Arguments:
            u: (n, dim) in [0, 1].

        Returns:
            (n, n_final + 2, 4) [GeV], incoming first, and a mask (n,).
        """
        momenta, weight = self._map(u)
        return momenta, weight > 0.0

    def jacobian(self, momenta: Array, u: Array) -> Array:
        """dPhi/du of accepted points (n,), with the factors (2 pi)^(4 - 3 n) [GeV^(2 n_final - 4)].

        Arguments:
            momenta: (n, n_final + 2, 4) [GeV], those of ``u``.
            u: (n, dim).
        """
        if not self.mapping.symmetric:
            return self._map(u)[1]
        density = np.empty(len(momenta))
        for start in range(0, len(momenta), _BLOCK):
            block = momenta[start : start + _BLOCK]
            density[start : start + _BLOCK] = self._density.call([block])[0].numpy()
        return 1.0 / density

    def _map(self, u: Array) -> tuple[Array, Array]:
        random = np.array(u, dtype=np.float64)
        for index, sign in self.mapping.others:
            random[:, index] = (random[:, index] + sign * random[:, self.mapping.azimuth]) % 1.0
        if len(random) == 0:
            return np.empty((0, self.n_final + 2, 4)), np.empty(0)
        momenta, _, _, weight = self._forward.call([random])
        # Points on the very edge of the map come back as NaN; like all unphysical ones they have no weight.
        jacobian = np.nan_to_num(weight.numpy(), nan=0.0, posinf=0.0, neginf=0.0)
        return np.array(momenta.numpy(), order="C"), jacobian


def _build(mapping: Mapping, n: int, energy: float, pt_min: float, dr_min: float) -> Any:
    """The madspace map of an entry of the table, with the cuts inside."""
    kinds = madspace.Observable.ObservableOption
    gluons = [21] * (n + 2)
    cuts = madspace.Cuts(
        [
            madspace.CutItem(madspace.Observable(gluons, kinds.obs_pt, [[21]]), min=pt_min),
            madspace.CutItem(madspace.Observable(gluons, kinds.obs_delta_r, [[21], [21]]), min=dr_min),
        ]
    )
    return madspace.PhaseSpaceMapping(
        [0.0] * (n + 2),
        energy,
        leptonic=True,
        invariant_power=mapping.power,
        mode=getattr(madspace.PhaseSpaceMapping.TChannelMode, mapping.mode),
        cuts=cuts,
        color_order=None if mapping.order is None else list(mapping.order),
    )


def _mean_density(map_: Any, n: int) -> Any:
    """Compute graph of the density (1/jacobian) of a map, averaged over the permutations of the outgoing particles."""
    builder = madspace.FunctionBuilder(
        madspace.NamedTypes(["momenta"], [madspace.batch_four_vec_array(n + 2)]),
        madspace.NamedTypes(["density"], [madspace.batch_float]),
    )
    legs = builder.unstack(builder.input(0))
    one = madspace.Value(1.0)
    densities = []
    for order in permutations(legs[2:]):
        momenta = builder.stack([*legs[:2], *order])
        densities.append(map_.build_inverse(builder, [momenta, one, one], [])["det"])
    total = builder.reduce_sum(builder.stack(densities))
    builder.output(0, builder.mul(total, madspace.Value(1.0 / factorial(n))))
    return builder.function()
