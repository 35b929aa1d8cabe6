"""sigma_th: weights of other scales and PDF members, from the event record alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents
from mcbridge.integrands.protocol import Array, EventBatch
from mcbridge.lhe import WeightGroup
from mcbridge.pdfs import Pdf
from mcbridge.pdfs.grid import GridPdf

__all__ = ["PDF_GROUP", "SCALES", "SCALE_GROUP", "THEORY", "TheoryWeights", "pdf_uncertainty", "scale_uncertainty"]

SCALE_GROUP = "scales"
PDF_GROUP = "pdf_members"
THEORY = "sigma_th"
SCALES = ((1.0, 1.0), (2.0, 1.0), (0.5, 1.0), (1.0, 2.0), (1.0, 0.5), (2.0, 2.0), (0.5, 0.5))
"""Seven pairs (renormalisation, factorisation) of factors of the central scale, without (2, 1/2) and (1/2, 2)."""

_COMBINE = {"replicas": "replicas", "hessian": "hessian", "symmhessian": "symmhessian"}


def scale_uncertainty(ratios: Array) -> Array:
    """(n,), half the envelope of the ratios (n, 7) to the central scale."""
    result: Array = 0.5 * (np.max(ratios, axis=1) - np.min(ratios, axis=1))
    return result


def pdf_uncertainty(ratios: Array, kind: str) -> Array:
    """(n,), relative uncertainty of ratios (n, members) to member 0 by the prescription of the set.

    ``replicas``: standard deviation over members 1, 2, ...; ``hessian``: half the differences of pairs in quadrature;
    ``symmhessian``: deviations in quadrature (arXiv:1510.03865, eqs. 13, 20 and 21).

    Raises:
        UserError: the prescription is unknown, or Hessian members are not pairs.
    """
    members = ratios[:, 1:]
    if kind == "replicas":
        result: Array = np.std(members, axis=1, ddof=1)
        return result
    if kind == "symmhessian":
        result = np.sqrt(np.sum((members - ratios[:, :1]) ** 2, axis=1))
        return result
    if kind == "hessian":
        if members.shape[1] % 2:
            raise UserError(
                f"the Hessian PDF set has {members.shape[1]} members beside the central one; they must be pairs"
            )
        result = 0.5 * np.sqrt(np.sum((members[:, ::2] - members[:, 1::2]) ** 2, axis=1))
        return result
    raise UserError(f"the error type of the PDF set is '{kind}'; it must be one of {', '.join(_COMBINE)}")


@dataclass
class TheoryWeights:
    """Ratios of event weights at other scales and with other PDF members to the central ones.

    The ratio of an event is that of its own subprocess, ``f_a(x_1, mu') f_b(x_2, mu') / (f_a(x_1, mu) f_b(x_2, mu))``
    times ``(alpha_s(mu_R')/alpha_s(mu_R))^k``: at leading order nothing else depends on the scales, and events
    represent their subprocess in proportion to its cross section.

    Arguments:
        pdf: of both beams, the central member.
        energies: of the two beams [GeV].
        power: power k of alpha_s in the squared amplitude.
        members: members 0, 1, ... of the set; empty for none.
        kind: error type of the set, see :func:`pdf_uncertainty`.

    Attributes:
        sums: sums of all weights (scales and members side by side) and of the central ones, over the events so far.
    """

    pdf: Pdf
    energies: tuple[float, float]
    power: int = 0
    members: Sequence[Pdf] = ()
    kind: str = "replicas"
    sums: Array = field(init=False)
    central: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        if self.members and self.kind not in _COMBINE:
            raise UserError(f"the error type of the PDF set is '{self.kind}'; it must be one of {', '.join(_COMBINE)}")
        self.sums = np.zeros(len(SCALES) + len(self.members))

    @staticmethod
    def of_process(process: Any, members: bool = True) -> TheoryWeights | None:
        """The weights of a process that has PDFs and states its power of alpha_s; None for any other.

        Arguments:
            process: with the attributes ``pdf``, ``energies`` and ``alpha_s_power``.
            members: whether all members of its set are loaded, where it is an LHAPDF set with errors.
        """
        pdf, power = getattr(process, "pdf", None), getattr(process, "alpha_s_power", None)
        if pdf is None or power is None:
            return None
        kind, number = "", 1
        if members and isinstance(pdf, GridPdf):
            kind, number = str(pdf.info.get("ErrorType", "")).split("+")[0], int(pdf.info.get("NumMembers", 1))
        if kind not in _COMBINE or number < 3:
            return TheoryWeights(pdf, process.energies, power)
        size = int(pdf.info.get("ErrorSize", 0)) or number - 1
        loaded = [pdf, *(GridPdf(pdf.folder, member) for member in range(1, size + 1))]
        return TheoryWeights(pdf, process.energies, power, loaded, kind)

    @property
    def groups(self) -> tuple[WeightGroup, ...]:
        """The weight groups of the event file."""
        ids = tuple(f"mur_{r:g}_muf_{f:g}" for r, f in SCALES)
        texts = tuple(f"muR x {r:g}, muF x {f:g}" for r, f in SCALES)
        scales = WeightGroup(SCALE_GROUP, ids, texts, combine="envelope")
        if not self.members:
            return (scales,)
        numbers = tuple(f"pdf_{number:03d}" for number in range(len(self.members)))
        names = tuple(f"{pdf.name} member {number}" for number, pdf in enumerate(self.members))
        return (scales, WeightGroup(PDF_GROUP, numbers, names, combine=_COMBINE[self.kind]))

    def scale_ratios(self, batch: EventBatch) -> Array:
        """(n, 7), in the order of ``SCALES``."""
        central = self._luminosity(self.pdf, batch, 1.0)
        luminosities = {factor: self._luminosity(self.pdf, batch, factor) for factor in (0.5, 2.0)} | {1.0: central}
        couplings = {factor: self.pdf.alpha_s(factor * batch.scale) ** self.power for factor in (0.5, 1.0, 2.0)}
        return np.stack([_ratio(luminosities[f], central) * couplings[r] / couplings[1.0] for r, f in SCALES], axis=1)

    def member_ratios(self, batch: EventBatch) -> Array:
        """(n, members), to the central member."""
        central = self._luminosity(self.pdf, batch, 1.0)
        found = [_ratio(self._luminosity(member, batch, 1.0), central) for member in self.members]
        return np.stack(found, axis=1) if found else np.zeros((len(batch.scale), 0))

    def apply(self, chunks: Iterable[WeightedEvents]) -> Iterator[WeightedEvents]:
        """The same events with the weight groups and ``sigma_th`` (relative), scales and members in quadrature."""
        for chunk in chunks:
            scales, members = self.scale_ratios(chunk.batch), self.member_ratios(chunk.batch)
            sigma = scale_uncertainty(scales)
            ratios = {**chunk.ratios, SCALE_GROUP: scales}
            if self.members:
                sigma = np.hypot(sigma, pdf_uncertainty(members, self.kind))
                ratios[PDF_GROUP] = members
            self.sums += chunk.weight @ np.concatenate([scales, members], axis=1)
            self.central += float(np.sum(chunk.weight))
            yield WeightedEvents(chunk.batch, chunk.weight, {**chunk.attributes, THEORY: sigma}, ratios)

    def as_json(self) -> dict[str, Any]:
        """Uncertainties of the cross section, relative, from the events so far."""
        if not self.central:
            return {}
        ratios = (self.sums / self.central)[None]
        scales, members = ratios[:, : len(SCALES)], ratios[:, len(SCALES) :]
        result: dict[str, Any] = {
            "scale_up": float(scales.max() - 1.0),
            "scale_down": float(scales.min() - 1.0),
            "scale_envelope": float(scale_uncertainty(scales)[0]),
        }
        if self.members:
            result |= {"pdf": float(pdf_uncertainty(members, self.kind)[0]), "pdf_error_type": self.kind}
        return result

    def _luminosity(self, pdf: Pdf, batch: EventBatch, factor: float) -> Array:
        """(n,), product of the densities of the incoming partons."""
        incoming = np.flatnonzero(batch.status == -1)
        result = np.ones(len(batch.scale))
        for place, energy in zip(incoming, self.energies, strict=True):
            x = np.minimum(batch.momenta[:, place, 0] / energy, 1.0)
            for pid in np.unique(batch.pdg_ids[:, place]):
                own = batch.pdg_ids[:, place] == pid
                result[own] *= pdf.xfx(int(pid), x[own], factor * batch.scale[own])
        return result


def _ratio(value: Array, central: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Array = np.where(central != 0.0, value / central, 1.0)
    return result
