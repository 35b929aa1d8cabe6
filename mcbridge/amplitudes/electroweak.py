"""f fbar -> gamma/Z(/Z') -> l- l+ of massless fermions at tree level, in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import Array

__all__ = ["CHARGE", "ISOSPIN", "Boson", "Couplings", "angular_coefficients", "cross_section"]

CHARGE = {1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3, 11: -1.0, 13: -1.0, 15: -1.0}
ISOSPIN = {1: -0.5, 2: 0.5, 3: -0.5, 4: 0.5, 5: -0.5, 11: -0.5, 13: -0.5, 15: -0.5}
_COLOURS = {pid: 3 if pid < 10 else 1 for pid in CHARGE}


@dataclass(frozen=True)
class Boson:
    """A heavy neutral boson with the couplings of the Z times ``coupling``, and a fixed width.

    Arguments:
        mass, width: [GeV].
        coupling: couplings to all fermions in units of those of the Z.
    """

    mass: float
    width: float
    coupling: float = 1.0

    def __post_init__(self) -> None:
        for name in ("mass", "width", "coupling"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise UserError(f"{name} of a boson: {value} was given; it must be a positive number.")


@dataclass(frozen=True)
class Couplings:
    """Electroweak input; the defaults are MadGraph5_aMC@NLO's (m_Z, alpha(m_Z) and G_F scheme of its ``sm`` model).

    Arguments:
        e2: square of the electromagnetic coupling.
        sin2_theta: sine squared of the weak mixing angle.
        z: the Z boson.
    """

    e2: float = 0.094835522759998875
    sin2_theta: float = 0.22224648578577766
    z: Boson = field(default_factory=lambda: Boson(91.188, 2.441404))

    def __post_init__(self) -> None:
        if not self.e2 > 0:
            raise UserError(f"e2: {self.e2} was given; it must be positive.")
        if not 0 < self.sin2_theta < 1:
            raise UserError(f"sin2_theta: {self.sin2_theta} was given; it must lie between 0 and 1.")

    @property
    def alpha(self) -> float:
        """The fine-structure constant."""
        return self.e2 / (4 * math.pi)

    def chiral(self, pdg_id: int) -> tuple[float, float]:
        """(g_L, g_R) = (T_3 - Q s_W^2, - Q s_W^2) of a fermion to the Z, in units of e/(s_W c_W)."""
        right = -CHARGE[pdg_id] * self.sin2_theta
        return ISOSPIN[pdg_id] + right, right


def angular_coefficients(
    s: Array, incoming: Sequence[int], outgoing: int, couplings: Couplings, bosons: Sequence[Boson]
) -> tuple[Array, Array]:
    """Coefficients of the squared amplitude, sum over colours and spins averaged over those of the initial state.

    With theta the angle of the outgoing fermion to the incoming fermion in the centre-of-mass frame,
    |M|^2 = symmetric (1 + cos^2 theta) + antisymmetric 2 cos theta, from the helicity amplitudes
    |M(LL)|^2 = 4 u^2 |P_LL|^2 and so on, with
    P_ab = e^2 (Q_f Q_l/s + sum_V g_a g_b kappa_V^2/(s_W^2 c_W^2 (s - m_V^2 + i m_V Gamma_V))).
    Fixed widths, as in MadGraph5_aMC@NLO.

    Arguments:
        s: (n,) squared mass of the pair [GeV^2].
        incoming: PDG numbers of the incoming fermions (positive).
        outgoing: PDG number of the outgoing lepton.
        couplings: electroweak input.
        bosons: heavy bosons that are exchanged beside the photon.

    Returns:
        symmetric, antisymmetric: each (n, len(incoming)), without unit.
    """
    weak = 1 / (couplings.sin2_theta * (1 - couplings.sin2_theta))
    # s times the sum of the propagators, so that everything below is without unit
    heavy = np.zeros(len(s), dtype=np.complex128)
    for boson in bosons:
        heavy += boson.coupling**2 * s / (s - boson.mass**2 + 1j * boson.mass * boson.width)
    heavy *= weak
    squared = heavy.real**2 + heavy.imag**2
    out = couplings.chiral(outgoing)
    symmetric = np.empty((len(s), len(incoming)))
    antisymmetric = np.empty_like(symmetric)
    kinds: dict[tuple[float, float, int], tuple[Array, Array]] = {}
    for column, pid in enumerate(incoming):
        kind = (CHARGE[pid], ISOSPIN[pid], _COLOURS[pid])
        if kind not in kinds:
            photon = CHARGE[pid] * CHARGE[outgoing]
            in_left, in_right = couplings.chiral(pid)

            def strength(product: float, photon: float = photon) -> Array:
                return np.asarray(photon**2 + 2 * photon * product * heavy.real + product**2 * squared)

            equal = strength(in_left * out[0]) + strength(in_right * out[1])
            opposite = strength(in_left * out[1]) + strength(in_right * out[0])
            # 4 u^2/s^2 = (1 + cos)^2 for equal helicities, 4 t^2/s^2 = (1 - cos)^2 for opposite; spins averaged by 4
            factor = couplings.e2**2 / (4 * _COLOURS[pid])
            kinds[kind] = (factor * (equal + opposite), factor * (equal - opposite))
        symmetric[:, column], antisymmetric[:, column] = kinds[kind]
    return symmetric, antisymmetric


def cross_section(s: float, incoming: int, outgoing: int, couplings: Couplings, bosons: Sequence[Boson]) -> float:
    """Total cross section of f fbar -> l- l+ [GeV^-2]: symmetric x (8/3) x 2 pi / (64 pi^2 s)."""
    symmetric, _ = angular_coefficients(np.array([float(s)]), [incoming], outgoing, couplings, bosons)
    return float(symmetric[0, 0]) * (8 / 3) * 2 * math.pi / (64 * math.pi**2 * s)
