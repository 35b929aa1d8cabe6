"""pp -> gamma/Z(/Z') -> l- l+ at leading order, all flavours and both beam orders summed at every point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mcbridge.amplitudes.electroweak import CHARGE, Boson, Couplings, angular_coefficients
from mcbridge.errors import UserError
from mcbridge.integrands import Array, Evaluation, EventBatch
from mcbridge.pdfs import Pdf, load_pdf
from mcbridge.phase_space import BreitWignerMap, InvariantMap, PowerMap, lepton_pair_momenta
from mcbridge.processes.base import GEV2_PB, finite, lepton_id, positive

__all__ = ["DrellYan", "ZPrime"]

_NAMES = {1: "d", 2: "u", 3: "s", 4: "c", 5: "b", 11: "e", 13: "mu", 15: "ta"}
_SMALLEST_MASS = 1.0  # GeV; below, neither the parton model nor the grids mean anything
_NARROW = 12.0  # a window within this many widths of m_Z needs no channel beside that of the Z


@dataclass(frozen=True)
class ZPrime(Boson):
    """A heavy copy of the Z with couplings scaled by ``coupling``.

    Arguments:
        mass, width: [GeV].
        coupling: couplings to all fermions in units of those of the Z.
    """

    mass: float = 400.0
    width: float = 0.5
    coupling: float = 1.0


@dataclass(frozen=True)
class _Point:
    """Variables of a batch: s, y, cos theta, phi and what belongs to them, each (n,)."""

    s: Array
    y: Array
    cos_theta: Array
    phi: Array
    jacobian: Array


class DrellYan:
    """Lepton pairs in proton-proton collisions, an event source with four random numbers.

    The random numbers give s-hat (per channel: falling as s^-2, or a Breit-Wigner of the Z or the Z'), the rapidity of
    the pair, cos theta of the negative lepton against beam 1 and its azimuth. At leading order every cut bounds one of
    these in closed form, so that all points lie inside the cuts. Renormalisation and factorisation scale: the mass of
    the pair, or a fixed ``scale``.

    Channels: with a Z' three (photon-like, Z, Z'); without, the photon-like one and that of the Z, of which only one is
    kept if the window lies around m_Z or does not hold it. The prior channel weights have the propagator form with the
    couplings averaged over flavours (docs/physics, section 1).

    Arguments:
        cms_energy: of the two beams together [GeV].
        pdf: name of the set, or an object with the interface of ``mcbridge.pdfs.Pdf``.
        lepton: ``"e"``, ``"mu"`` or ``"tau"``, without mass.
        flavours: PDG numbers of the quarks in the proton.
        mll: window of the pair's mass [GeV]; the upper end may exceed ``cms_energy``.
        pt_min: smallest transverse momentum of a lepton [GeV].
        eta_max: largest absolute pseudorapidity of a lepton; None for no limit.
        dr_min: smallest distance of the leptons in (eta, phi); they are back to back, so that it acts above pi only.
        zprime: adds a Z'.
        scale: fixed scale [GeV]; None for the mass of the pair.
        couplings: electroweak input.

    Raises:
        UserError: an argument is out of range, the cuts leave nothing, or the PDF set cannot be read.
    """

    dim = 4
    periodic: tuple[int, ...] = (3,)
    beams = (2212, 2212)
    alpha_s_power = 0  # of the strong coupling in the squared amplitude

    def __init__(
        self,
        cms_energy: float = 13000.0,
        pdf: str | Pdf = "builtin",
        lepton: str = "e",
        flavours: Sequence[int] = (1, 2, 3, 4),
        mll: tuple[float, float] = (66.0, 116.0),
        pt_min: float = 0.0,
        eta_max: float | None = None,
        dr_min: float = 0.0,
        zprime: Boson | None = None,
        scale: float | None = None,
        couplings: Couplings | None = None,
    ) -> None:
        self.name = "drell-yan"
        self.cms_energy = positive("cms_energy", cms_energy)
        self.lepton = lepton_id(lepton)
        self.flavours = _check_flavours(flavours)
        self.pt_min = finite("pt_min", pt_min)
        self.eta_max = None if eta_max is None else positive("eta_max", eta_max)
        self.dr_min = finite("dr_min", dr_min)
        self.zprime = zprime
        self.scale = None if scale is None else positive("scale", scale)
        self.couplings = couplings or Couplings()
        self.pdf = load_pdf(pdf) if isinstance(pdf, str) else pdf
        self.mll = tuple(float(end) for end in mll)
        self._set_range()
        self.bosons = [self.couplings.z] + ([zprime] if zprime is not None else [])
        self._partons = (*self.flavours, *(-pid for pid in self.flavours))
        self._maps, self._channel_bosons = self._choose_channels()
        self.channels = len(self._maps)
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.energies = (self.cms_energy / 2, self.cms_energy / 2)
        self.pdf_ids = (self.pdf.lhapdf_id, self.pdf.lhapdf_id)
        leptons = f"{_NAMES[self.lepton]}- {_NAMES[self.lepton]}+"
        names = [f"{_NAMES[pid]} {_NAMES[pid]}~" for pid in self.flavours]
        names += [f"{_NAMES[pid]}~ {_NAMES[pid]}" for pid in self.flavours]
        self.subprocesses = {index: f"{name} > {leptons}" for index, name in enumerate(names, start=1)}

    # ---------------------------------------------------------------- set-up

    def _set_range(self) -> None:
        """Bounds of the mass that follow from the window, the cuts and the beams."""
        if len(self.mll) != 2 or not 0 <= self.mll[0] < self.mll[1]:
            raise UserError(f"mll: {list(self.mll)} was given; two masses [GeV] in increasing order are needed.")
        # (eta_1 - eta_2)/2 of back-to-back leptons is atanh(cos theta*); dR > dr_min bounds it from below
        self._gap = math.sqrt(max(0.0, self.dr_min**2 - math.pi**2)) / 2
        if self.eta_max is not None and self._gap >= self.eta_max:
            raise UserError(
                f"dr_min: {self.dr_min:g} was given; leptons within |eta| < {self.eta_max:g} are never further apart "
                f"than {math.hypot(math.pi, 2 * self.eta_max):.4g}."
            )
        # pT = m/2 sin(theta*) = m / (2 cosh(gap))
        low = max(self.mll[0], 2 * self.pt_min * math.cosh(self._gap))
        high = min(self.mll[1], self.cms_energy * (1 - 1e-9))
        if low >= high:
            raise UserError(
                f"cuts: no lepton pair has a mass within {self.mll[0]:g} to {self.mll[1]:g} GeV, pT above "
                f"{self.pt_min:g} GeV and a distance above {self.dr_min:g} at {self.cms_energy:g} GeV; "
                "lower mll, pt_min or dr_min."
            )
        if low < _SMALLEST_MASS:
            raise UserError(
                f"mll: its lower end {self.mll[0]:g} GeV with pt_min {self.pt_min:g} GeV lets pairs of {low:g} GeV "
                f"through; raise one of them so that masses start at {_SMALLEST_MASS:g} GeV or above."
            )
        self.mass_range = (low, high)

    def _choose_channels(self) -> tuple[list[InvariantMap], list[Boson | None]]:
        z = self.couplings.z
        low, high = self.mass_range
        if self.zprime is not None:
            bosons: list[Boson | None] = [None, z, self.zprime]
        elif not low < z.mass < high:
            bosons = [None]
        elif low > z.mass - _NARROW * z.width and high < z.mass + _NARROW * z.width:
            bosons = [z]
        else:
            bosons = [None, z]
        ends = (low**2, high**2)
        maps: list[InvariantMap] = [
            PowerMap(*ends, power=2.0) if boson is None else BreitWignerMap(*ends, boson.mass, boson.width)
            for boson in bosons
        ]
        return maps, bosons

    def describe(self) -> str:
        """One line for the log."""
        extra = f", Z' of {self.zprime.mass:g} GeV" if self.zprime is not None else ""
        return (
            f"pp -> {self.subprocesses[1].split('> ')[1]} at {self.cms_energy:g} GeV, "
            f"{self.mass_range[0]:g} < m < {self.mass_range[1]:g} GeV{extra}, {len(self.flavours)} flavours, "
            f"{self.channels} channel(s), PDF set {self.pdf.name}"
        )

    # ---------------------------------------------------------------- phase space

    def _point(self, u: Array, channel: int) -> _Point:
        """Variables of the points u, (n, 4), and d(log s, y, cos theta, phi)/du."""
        s, derivative = self._maps[channel].forward(u[:, 0])
        y_max = 0.5 * np.log(self.cms_energy**2 / s)
        # both leptons inside |eta| < eta_max: |y| + atanh|cos theta| < eta_max
        transverse = np.sqrt(np.maximum(0.0, 1 - 4 * self.pt_min**2 / s)) if self.pt_min else np.ones_like(s)
        if self.eta_max is not None:
            y_max = np.minimum(y_max, self.eta_max - self._gap)
        y = (2 * u[:, 1] - 1) * y_max
        cos_max = transverse
        if self.eta_max is not None:
            cos_max = np.minimum(cos_max, np.tanh(self.eta_max - np.abs(y)))
        folded = 2 * u[:, 2] - 1
        if self._gap:
            cos_min = math.tanh(self._gap)
            width = np.maximum(0.0, cos_max - cos_min)
            cos_theta = np.where(folded < 0, -cos_min + folded * width, cos_min + folded * width)
        else:
            width = cos_max
            cos_theta = folded * width
        jacobian = derivative / s * (2 * y_max) * (2 * width) * (2 * math.pi)
        return _Point(s, y, cos_theta, 2 * math.pi * u[:, 3], jacobian)

    def _scales(self, s: Array) -> Array:
        return np.sqrt(s) if self.scale is None else np.full(len(s), self.scale)

    def _contributions(self, point: _Point) -> tuple[Array, Array]:
        """Luminosity x |M|^2 of quark along +z and along -z, each (n, flavours)."""
        n, flavours = len(point.s), len(self.flavours)
        root = np.sqrt(point.s) / self.cms_energy
        boost = np.exp(point.y)
        x = np.concatenate([root * boost, root / boost])
        scales = self._scales(point.s)
        densities = self.pdf.xfx(self._partons, x, np.concatenate([scales, scales]))
        first, second = densities[:n], densities[n:]
        even, odd = angular_coefficients(point.s, self.flavours, self.lepton, self.couplings, self.bosons)
        even *= (1 + point.cos_theta**2)[:, None]
        odd *= (2 * point.cos_theta)[:, None]
        forward = first[:, :flavours] * second[:, flavours:] * (even + odd)
        backward = first[:, flavours:] * second[:, :flavours] * (even - odd)
        return forward, backward

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Weights [pb] of the points u, (n, 4); with several channels also their prior weights and features."""
        point = self._point(u, channel)
        forward, backward = self._contributions(point)
        # d sigma = d log s dy f f |M|^2 d Omega / (64 pi^2 s)
        total = forward.sum(axis=1) + backward.sum(axis=1)
        weight = total * point.jacobian * (GEV2_PB / (64 * math.pi**2)) / point.s
        if self.channels == 1:
            return Evaluation(weight)
        return Evaluation(weight, self._prior(point.s), self._features(point))

    def inside(self, u: Array, channel: int) -> npt.NDArray[np.bool_]:
        """Whether points (n, 4) lie inside the cuts: all of them do, but those without an allowed angle."""
        return self._point(u, channel).jacobian > 0.0

    def _prior(self, s: Array) -> Array:
        """Prior channel weights, (n, channels): squared couplings, averaged over u and d, times squared propagators."""
        weak = 1 / (self.couplings.sin2_theta * (1 - self.couplings.sin2_theta))
        out = sum(g**2 for g in self.couplings.chiral(self.lepton))
        incoming = sum(g**2 for pid in (1, 2) for g in self.couplings.chiral(pid)) / 2
        strengths = np.empty((len(s), self.channels))
        for column, boson in enumerate(self._channel_bosons):
            if boson is None:
                strengths[:, column] = 4 * (CHARGE[1] ** 2 + CHARGE[2] ** 2) / 2 * CHARGE[self.lepton] ** 2
            else:
                propagator = s**2 / ((s - boson.mass**2) ** 2 + (boson.mass * boson.width) ** 2)
                strengths[:, column] = (weak * boson.coupling**2) ** 2 * incoming * out * propagator
        return np.asarray(strengths / strengths.sum(axis=1, keepdims=True))

    def _features(self, point: _Point) -> Array:
        """(n, 3 + bosons) numbers within -1 to 1: log s, y, cos theta, and an angle across each resonance."""
        low, high = (2 * math.log(end) for end in self.mass_range)
        columns = [
            2 * (np.log(point.s) - low) / (high - low) - 1,
            point.y / (0.5 * math.log(self.cms_energy**2 / self.mass_range[0] ** 2)),
            point.cos_theta,
        ]
        columns += [
            2 / math.pi * np.arctan((point.s - boson.mass**2) / (boson.mass * boson.width))
            for boson in self._channel_bosons
            if boson is not None
        ]
        return np.stack(columns, axis=1)

    # ---------------------------------------------------------------- events

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """Event records; ``choice[:, 0]`` picks flavour and beam order with the probabilities of the point."""
        point = self._point(u, channel)
        forward, backward = self._contributions(point)
        cumulative = np.cumsum(np.concatenate([forward, backward], axis=1), axis=1)
        chosen = (choice[:, :1] * cumulative[:, -1:] >= cumulative[:, :-1]).sum(axis=1)
        n, flavours = len(u), len(self.flavours)
        swapped = chosen >= flavours
        quark = np.asarray(self.flavours)[chosen % flavours]
        pdg_ids = np.empty((n, 4), dtype=np.int64)
        pdg_ids[:, 0] = np.where(swapped, -quark, quark)
        pdg_ids[:, 1] = -pdg_ids[:, 0]
        pdg_ids[:, 2], pdg_ids[:, 3] = self.lepton, -self.lepton
        colours = np.zeros((n, 4, 2), dtype=np.int64)
        colours[~swapped, 0, 0] = colours[~swapped, 1, 1] = 501
        colours[swapped, 0, 1] = colours[swapped, 1, 0] = 501
        scales = self._scales(point.s)
        return EventBatch(
            momenta=lepton_pair_momenta(point.s, point.y, point.cos_theta, point.phi),
            pdg_ids=pdg_ids,
            status=np.array([-1, -1, 1, 1]),
            mothers=np.array([[0, 0], [0, 0], [1, 2], [1, 2]]),
            colours=colours,
            masses=np.zeros((n, 4)),
            scale=scales,
            alpha_s=self.pdf.alpha_s(scales),
            alpha_qed=np.full(n, self.couplings.alpha),
            process_id=chosen.astype(np.int64) + 1,
        )


def _check_flavours(flavours: Sequence[int]) -> tuple[int, ...]:
    given = tuple(flavours)
    if not given or len(set(given)) != len(given) or any(pid not in (1, 2, 3, 4, 5) for pid in given):
        raise UserError(f"flavours: {list(given)} was given; different quarks from 1 (d) to 5 (b) are needed.")
    return tuple(int(pid) for pid in given)
