"""e+ e- -> gamma/Z -> mu+ mu- at leading order and fixed energy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mcbridge.amplitudes.electroweak import Couplings, angular_coefficients
from mcbridge.errors import UserError
from mcbridge.integrands import Array, Evaluation, EventBatch
from mcbridge.phase_space import lepton_pair_momenta
from mcbridge.processes.base import GEV2_PB, finite, positive

__all__ = ["EeToMuMu"]


class EeToMuMu:
    """Muon pairs in electron-positron annihilation, an event source with two random numbers (cos theta and azimuth).

    The electron comes along +z; theta is the angle of the mu- to it. The cuts bound cos theta in closed form.

    Arguments:
        cms_energy: of the two beams together [GeV].
        pt_min: smallest transverse momentum of a muon [GeV].
        eta_max: largest absolute pseudorapidity of a muon; None for no limit.
        couplings: electroweak input.

    Raises:
        UserError: an argument is out of range, or the cuts leave nothing.
    """

    dim = 2
    channels = 1
    periodic: tuple[int, ...] = (1,)
    beams = (11, -11)
    pdf_ids = (0, 0)

    def __init__(
        self,
        cms_energy: float = 91.188,
        pt_min: float = 0.0,
        eta_max: float | None = None,
        couplings: Couplings | None = None,
    ) -> None:
        self.name = "ee-to-mumu"
        self.cms_energy = positive("cms_energy", cms_energy)
        self.pt_min = finite("pt_min", pt_min)
        self.eta_max = None if eta_max is None else positive("eta_max", eta_max)
        self.couplings = couplings or Couplings()
        if 2 * self.pt_min >= self.cms_energy:
            raise UserError(
                f"pt_min: {self.pt_min:g} was given; muons of {self.cms_energy / 2:g} GeV never have that much."
            )
        self.cos_max = math.sqrt(1 - (2 * self.pt_min / self.cms_energy) ** 2)
        if self.eta_max is not None:
            self.cos_max = min(self.cos_max, math.tanh(self.eta_max))
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.energies = (self.cms_energy / 2, self.cms_energy / 2)
        self.subprocesses = {1: "e- e+ > mu- mu+"}
        energy = np.array([self.cms_energy**2])
        even, odd = angular_coefficients(energy, [11], 13, self.couplings, [self.couplings.z])
        # flux 1/(2 s), two-body phase space d Omega/(32 pi^2)
        factor = GEV2_PB / (64 * math.pi**2 * self.cms_energy**2)
        self._even, self._odd = factor * float(even[0, 0]), factor * float(odd[0, 0])

    def describe(self) -> str:
        """One line for the log."""
        return f"e- e+ -> mu- mu+ at {self.cms_energy:g} GeV, |cos theta| < {self.cos_max:.6g}"

    def _angles(self, u: Array) -> tuple[Array, Array]:
        return (2 * u[:, 0] - 1) * self.cos_max, 2 * math.pi * u[:, 1]

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Weights [pb] of the points u, (n, 2)."""
        cos_theta, _ = self._angles(u)
        weight = self._even * (1 + cos_theta**2) + self._odd * 2 * cos_theta
        return Evaluation(weight * (2 * self.cos_max * 2 * math.pi))

    def inside(self, u: Array, channel: int) -> npt.NDArray[np.bool_]:
        """Whether points (n, 2) lie inside the cuts: all of them do."""
        return np.ones(len(u), dtype=bool)

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """Event records; there is one subprocess and no colour, so that ``choice`` decides nothing."""
        cos_theta, phi = self._angles(u)
        n = len(u)
        ones = np.ones(n)
        return EventBatch(
            momenta=lepton_pair_momenta(self.cms_energy**2 * ones, 0 * ones, cos_theta, phi),
            pdg_ids=np.tile(np.array([11, -11, 13, -13]), (n, 1)),
            status=np.array([-1, -1, 1, 1]),
            mothers=np.array([[0, 0], [0, 0], [1, 2], [1, 2]]),
            colours=np.zeros((n, 4, 2), dtype=np.int64),
            masses=np.zeros((n, 4)),
            scale=self.cms_energy * ones,
            alpha_s=0 * ones,
            alpha_qed=self.couplings.alpha * ones,
            process_id=np.ones(n, dtype=np.int64),
        )
