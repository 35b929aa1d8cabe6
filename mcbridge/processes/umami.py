"""2 -> n scattering with the amplitude of a UMAMI library."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.amplitudes.umami import UmamiAmplitude
from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.pdfs import Pdf, load_pdf
from mcbridge.processes.base import positive
from mcbridge.processes.custom import CustomProcess
from mcbridge.processes.cuts import Cuts

__all__ = ["UmamiProcess"]

_MASSLESS = 1e-6  # GeV; what a library calls massless


class UmamiProcess(CustomProcess):
    """Scattering of two massless particles with |M|^2 from a UMAMI shared library, at fixed energy or with PDFs.

    By convention the library averages over incoming spins and colours and divides by the symmetry factor of identical
    outgoing particles, so that none is applied here. The masses of the outgoing particles are those that the library
    tells.

    Arguments:
        library: path of the shared library.
        pdg_ids: PDG numbers of all particles in the order of the library, incoming first; with PDFs also several such
            lists that share |M|^2 and the outgoing particles.
        cms_energy: of the two beams together [GeV].
        card: parameter card (MadGraph) or artifact folder (pyamplicol) that the library is initialised with.
        flavour: index of the flavour combination, where the library has several.
        parameters: model parameters to be set in the library.
        pdf: name of a PDF set or an object with the interface of ``mcbridge.pdfs.Pdf``; None for fixed energy.
        alpha_s: strong coupling handed to the library: a number, ``"pdf"`` for the running coupling of the PDFs at the
            scale, ``"card"`` for the library's own. None: ``"pdf"`` where there are PDFs and the library takes it.
        masses: of the outgoing particles [GeV], for libraries that do not tell them.
        alpha_s_power: power of alpha_s in |M|^2 for weights at other scales; None: measured where there are PDFs and
            the library takes alpha_s, otherwise not known (see ``CustomProcess``).
        cuts, mapping, scale, colours, identical, alpha_qed, name: as for ``CustomProcess``.

    Raises:
        UserError: the library cannot be used, or an argument does not fit it.
    """

    def __init__(
        self,
        library: str | os.PathLike[str],
        pdg_ids: Sequence[int] | Sequence[Sequence[int]],
        cms_energy: float,
        card: str | os.PathLike[str] | None = None,
        flavour: int | None = None,
        parameters: Mapping[str, float] | None = None,
        pdf: str | Pdf | None = None,
        alpha_s: float | str | None = None,
        masses: Sequence[float] | None = None,
        cuts: Cuts | None = None,
        mapping: str = "rambo",
        scale: float | Callable[[Array], npt.ArrayLike] | None = None,
        colours: npt.ArrayLike | None = None,
        identical: float = 1.0,
        alpha_qed: float = 1 / 132.507,
        alpha_s_power: int | None = None,
        name: str = "umami",
    ) -> None:
        source = UmamiAmplitude(library, card, flavour, parameters)
        incoming, outgoing = _split(pdg_ids, source)
        set_ = load_pdf(pdf) if isinstance(pdf, str) else pdf
        coupling = _coupling(alpha_s, source, set_)
        super().__init__(
            _Coupled(source, coupling, set_ if coupling == "pdf" else None, scale),
            incoming,
            outgoing,
            cms_energy,
            pdf=set_,
            masses=_masses(masses, source),
            cuts=cuts,
            mapping=mapping,
            identical=identical,
            scale=scale,
            colours=colours,
            alpha_s=coupling if isinstance(coupling, float) else None,
            alpha_qed=alpha_qed,
            alpha_s_power=alpha_s_power,
            name=name,
        )
        self.source = source
        if alpha_s_power is None and set_ is not None and source.takes_alpha_s:
            self.alpha_s_power = self._measured_power()

    def _measured_power(self) -> int | None:
        """The power of alpha_s in |M|^2, from calls at three couplings; None where it is no pure power."""
        momenta, _, _, weight = self._point(np.random.default_rng(0).random((4096, self.dim)))
        found = momenta[(weight > 0.0) & self.cuts(momenta)][:16]
        if not len(found):
            return None
        low, central, high = (self.source(found, coupling) for coupling in (0.05, 0.1, 0.2))
        with np.errstate(divide="ignore", invalid="ignore"):
            powers = np.log2(np.concatenate([high / central, central / low]))
        power = int(np.rint(powers[0])) if np.isfinite(powers[0]) else -1
        return power if power >= 0 and np.all(np.abs(powers - power) < 1e-6) else None


class _Coupled:
    """The amplitude as a callable of momenta alone: the strong coupling of each point is supplied here."""

    def __init__(
        self,
        source: UmamiAmplitude,
        coupling: float | str | None,
        pdf: Pdf | None,
        scale: float | Callable[[Array], npt.ArrayLike] | None,
    ) -> None:
        self.source, self.coupling, self.pdf, self.scale = source, coupling, pdf, scale

    def __call__(self, momenta: Array) -> Array:
        if self.pdf is None:
            return self.source(momenta, self.coupling if isinstance(self.coupling, float) else None)
        return self.source(momenta, self.pdf.alpha_s(self._scales(momenta)))

    def _scales(self, momenta: Array) -> Array:
        """The scale of each point (n,) [GeV], as ``CustomProcess`` defines it."""
        if callable(self.scale):
            return np.asarray(self.scale(momenta), dtype=np.float64)
        if self.scale is not None:
            return np.full(len(momenta), float(self.scale))
        total = momenta[:, 0] + momenta[:, 1]
        squared: Array = total[:, 0] ** 2 - np.sum(total[:, 1:] ** 2, axis=1)
        return np.sqrt(squared)


def _split(pdg_ids: Any, source: UmamiAmplitude) -> tuple[list[tuple[int, int]], list[int]]:
    """The pairs of incoming particles and the outgoing ones."""
    try:
        lists = np.atleast_2d(np.asarray(pdg_ids, dtype=np.int64))
    except (TypeError, ValueError) as error:
        raise UserError(f"pdg_ids: {pdg_ids!r} was given; a list of PDG numbers is needed.") from error
    if lists.ndim != 2 or lists.shape[1] != source.particles:
        given = lists.shape[-1]
        raise UserError(f"pdg_ids: {given} particles were given; {source.path.name} has {source.particles}.")
    if np.any(lists[:, 2:] != lists[0, 2:]):
        raise UserError("pdg_ids: lists that share one library must have the same outgoing particles.")
    return [(int(a), int(b)) for a, b in lists[:, :2]], lists[0, 2:].tolist()


def _coupling(alpha_s: float | str | None, source: UmamiAmplitude, pdf: Pdf | None) -> float | str | None:
    """The strong coupling to be used: a number, "pdf", or None for that of the card."""
    if alpha_s is None:
        alpha_s = "pdf" if pdf is not None and source.takes_alpha_s else "card"
    if isinstance(alpha_s, str):
        if alpha_s not in ("pdf", "card"):
            raise UserError(f"alpha_s: '{alpha_s}' was given; allowed are a number, 'pdf' and 'card'.")
        if alpha_s == "pdf" and pdf is None:
            raise UserError("alpha_s: 'pdf' was given, but there are no PDFs; give a number or 'card'.")
    else:
        alpha_s = positive("alpha_s", alpha_s)
    if alpha_s != "card" and not source.takes_alpha_s:
        raise UserError(f"alpha_s: {alpha_s!r} was given, but {source.path.name} takes no strong coupling; use 'card'.")
    if alpha_s == "card" and source.needs_alpha_s:
        raise UserError(f"alpha_s: {source.path.name} needs a strong coupling; give a number, or 'pdf' with PDFs.")
    return None if alpha_s == "card" else alpha_s


def _masses(masses: Sequence[float] | None, source: UmamiAmplitude) -> Sequence[float] | None:
    """Masses of the outgoing particles [GeV], from the user or the library; None where neither tells them."""
    told = source.masses
    if told is None:
        return masses
    if np.any(np.abs(told[:2]) > _MASSLESS):
        raise UserError(f"{source.path.name} has incoming particles of {told[:2].tolist()} GeV; they must be massless.")
    if masses is not None and (len(masses) != len(told) - 2 or not np.allclose(masses, told[2:], atol=_MASSLESS)):
        raise UserError(f"masses: {list(masses)} was given, but {source.path.name} has {told[2:].tolist()}.")
    outgoing: list[float] = np.where(np.abs(told[2:]) > _MASSLESS, told[2:], 0.0).tolist()
    return outgoing
