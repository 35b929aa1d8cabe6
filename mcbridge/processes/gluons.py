"""gg -> 2, 3 or 4 gluons at tree level and fixed energy of the two gluons."""

from __future__ import annotations

from typing import Any

import numpy as np

from mcbridge.amplitudes.gluons import GluonAmplitude
from mcbridge.errors import UserError
from mcbridge.integrands import Array, Evaluation, EventBatch
from mcbridge.processes.base import GEV2_PB, positive
from mcbridge.processes.gluon_phase_space import GluonPhaseSpace

__all__ = ["Gluons"]

GLUON = 21
_ALPHA_QED = 1.0 / 132.507
_TRIALS = 100_000


class Gluons:
    """gg -> n gluons, an event source with 3 n - 4 random numbers and one channel.

    Both beams are gluons of fixed energy. Exact tree level, all colours and helicities; cuts on every outgoing gluon
    and every pair. Outgoing gluons of an event are ordered by falling transverse momentum; its colour flow is drawn
    with the leading-colour shares of |M|^2, its scale is half the sum of the transverse momenta.

    Arguments:
        n_final: number of outgoing gluons, 2, 3 or 4.
        cms_energy: of the two gluons together [GeV].
        pt_min: smallest transverse momentum of an outgoing gluon [GeV].
        dr_min: smallest distance of two outgoing gluons in (eta, phi).
        eta_max: largest absolute pseudorapidity of an outgoing gluon; None for no limit.
        alpha_s: strong coupling, fixed.
        mapping: name of the phase-space map (``mcbridge.processes.gluon_phase_space.MAPPINGS``).

    Raises:
        UserError: an argument is out of range, or the cuts leave nothing.
    """

    channels = 1
    beams = (GLUON, GLUON)
    pdf_ids = (0, 0)

    def __init__(
        self,
        n_final: int = 3,
        cms_energy: float = 1000.0,
        pt_min: float = 30.0,
        dr_min: float = 0.4,
        eta_max: float | None = None,
        alpha_s: float = 0.118,
        mapping: str = "colour-ordered",
    ) -> None:
        self.amplitude = GluonAmplitude(n_final)
        self.n_final = n_final
        self.cms_energy = positive("cms_energy", cms_energy)
        self.pt_min = positive("pt_min", pt_min)
        self.dr_min = positive("dr_min", dr_min)
        self.eta_max = None if eta_max is None else positive("eta_max", eta_max)
        self.alpha_s = positive("alpha_s", alpha_s)
        self.mapping = mapping
        if n_final * self.pt_min >= self.cms_energy:
            raise UserError(
                f"pt_min: {self.pt_min:g} was given; {n_final} gluons of {self.cms_energy:g} GeV together cannot all"
                " have that much transverse momentum."
            )
        self.phase_space = GluonPhaseSpace(n_final, self.cms_energy, self.pt_min, self.dr_min, mapping)
        self.name = f"gluons-{n_final}"
        self.dim = self.phase_space.dim
        self.periodic = self.phase_space.periodic
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.energies = (self.cms_energy / 2, self.cms_energy / 2)
        self.subprocesses = {1: "g g > " + " ".join(n_final * "g")}
        # flux 1/(2 s); madspace's maps contain the factors 2 pi of phase space
        self._factor = GEV2_PB / (2.0 * self.cms_energy**2)
        self._check_cuts()

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = (self.n_final, self.cms_energy, self.pt_min, self.dr_min, self.eta_max, self.alpha_s, self.mapping)
        return type(self), arguments

    def describe(self) -> str:
        """One line for the log."""
        eta = "" if self.eta_max is None else f", |eta| < {self.eta_max:g}"
        return (
            f"{self.subprocesses[1]} at {self.cms_energy:g} GeV, pT > {self.pt_min:g} GeV, dR > {self.dr_min:g}{eta},"
            f" alpha_s = {self.alpha_s:g}"
        )

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Weights [pb] of the points u, (n, 3 n_final - 4)."""
        momenta, accepted = self._accepted(u)
        weight = np.zeros(len(u))
        if len(momenta):
            jacobian = self.phase_space.jacobian(momenta, u[accepted])
            weight[accepted] = self._factor * jacobian * self.amplitude(momenta, self.alpha_s)
        return Evaluation(weight)

    def inside(self, u: Array, channel: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether points (n, 3 n_final - 4) pass the cuts."""
        return self._accepted(u)[1]

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """Event records; the second number of ``choice`` draws the colour flow."""
        momenta = self.phase_space.momenta(u)[0]
        n = len(u)
        pt = np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2])
        order = np.argsort(-pt, axis=1, kind="stable")
        momenta[:, 2:] = np.take_along_axis(momenta[:, 2:], order[:, :, None], axis=1)
        legs = self.n_final + 2
        outgoing = np.arange(legs) >= 2
        return EventBatch(
            momenta=momenta,
            pdg_ids=np.full((n, legs), GLUON, dtype=np.int64),
            status=np.where(outgoing, 1, -1),
            mothers=np.where(outgoing[:, None], np.array([1, 2]), 0),
            colours=self.amplitude.colour_flow(momenta, choice[:, 1]),
            masses=np.zeros((n, legs)),
            scale=0.5 * pt.sum(axis=1),
            alpha_s=np.full(n, self.alpha_s),
            alpha_qed=np.full(n, _ALPHA_QED),
            process_id=np.ones(n, dtype=np.int64),
        )

    def _accepted(self, u: Array) -> tuple[Array, np.ndarray[Any, np.dtype[np.bool_]]]:
        momenta, accepted = self.phase_space.momenta(u)
        if self.eta_max is not None:
            # |eta| < eta_max in the form |pz| < pT sinh(eta_max)
            pt = np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2])
            accepted &= np.all(np.abs(momenta[:, 2:, 3]) < pt * np.sinh(self.eta_max), axis=1)
        return momenta[accepted], accepted

    def _check_cuts(self) -> None:
        generator = np.random.Generator(np.random.Philox(0))
        for _ in range(10):
            if self._accepted(generator.random((_TRIALS // 10, self.dim)))[1].any():
                return
        raise UserError(f"the cuts leave nothing: none of {_TRIALS} trial points of {self.describe()} passes them.")
