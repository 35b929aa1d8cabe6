"""A user's own amplitude: |M|^2 as a Python callable of momenta, with phase space of madspace, cuts and PDFs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import madspace
import numpy as np
import numpy.typing as npt

from mcbridge.errors import AmplitudeError, UserError, nearest
from mcbridge.integrands import Array, Evaluation, EventBatch, IntArray
from mcbridge.pdfs import Pdf, load_pdf
from mcbridge.processes.base import GEV2_PB, positive
from mcbridge.processes.cuts import Cuts

__all__ = ["CustomProcess"]

Scale = float | Callable[[Array], npt.ArrayLike] | None
_MAPS = ("rambo", "chili")
_COLOUR = {21: "octet"} | dict.fromkeys(range(1, 7), "triplet") | {-k: "antitriplet" for k in range(1, 7)}


class CustomProcess:
    """2 -> n scattering with an amplitude of the user, at fixed energy or in proton-proton collisions.

    The amplitude is called with the momenta of the points inside the cuts, shape (n, particles, 4), (E, px, py, pz) in
    GeV in the laboratory, the two incoming particles first (in the order of ``incoming``), all energies positive; it
    returns |M|^2, shape (n,), averaged over the spins and colours of the incoming and summed over those of the outgoing
    particles. The cross section is |M|^2/(2 s) integrated over the n-body phase space, divided by ``identical``.

    Arguments:
        amplitude: the callable.
        incoming: PDG numbers of the two incoming particles; with PDFs a sequence of such pairs that share one |M|^2.
            A pair of different partons is taken in both beam orders, the amplitude seeing its own order every time.
        outgoing: PDG numbers of the two or more outgoing particles.
        cms_energy: of the two beams together [GeV].
        pdf: name of a set or an object with the interface of ``mcbridge.pdfs.Pdf``; None for fixed energy.
        masses: of the outgoing particles [GeV]; None for massless ones. Incoming particles are massless.
        cuts: limits by particle.
        mapping: ``"rambo"`` (flat in phase space from three outgoing particles on) or ``"chili"`` (transverse momenta
            and rapidities; needs PDFs).
        identical: symmetry factor of identical outgoing particles; None to count them by PDG number.
        scale: fixed scale [GeV], a callable of the momenta that returns one per point, or None for the partonic energy.
        convert: applied to the array of momenta before the call, for instance ``torch.from_numpy``.
        colours: (particles, 2) colour lines of an event in the order of ``incoming``, starting at 501; None where they
            follow from the particles (one coloured pair, incoming or outgoing), or where no events are wanted.
        alpha_s, alpha_qed: couplings for the event record; alpha_s None takes that of the PDFs (0 without PDFs).
        alpha_s_power: power of alpha_s in |M|^2, from which weights at other renormalisation scales follow; None: not
            known, and events carry no weights of scales and PDF members.
        name: for logs.

    Raises:
        UserError: an argument is out of range, or the cuts leave nothing at this energy.
    """

    channels = 1
    periodic: tuple[int, ...] = ()

    def __init__(
        self,
        amplitude: Callable[[Any], Any],
        incoming: tuple[int, int] | Sequence[tuple[int, int]],
        outgoing: Sequence[int],
        cms_energy: float,
        pdf: str | Pdf | None = None,
        masses: Sequence[float] | None = None,
        cuts: Cuts | None = None,
        mapping: str = "rambo",
        identical: float | None = None,
        scale: Scale = None,
        convert: Callable[[Array], Any] | None = None,
        colours: npt.ArrayLike | None = None,
        alpha_s: float | None = None,
        alpha_qed: float = 1 / 132.507,
        alpha_s_power: int | None = None,
        name: str = "custom",
    ) -> None:
        if not callable(amplitude):
            raise UserError(f"amplitude: {amplitude!r} was given; a callable of momenta is needed.")
        self.amplitude, self.convert, self.name = amplitude, convert, name
        self.cms_energy = positive("cms_energy", cms_energy)
        self.outgoing = tuple(int(pid) for pid in outgoing)
        if len(self.outgoing) < 2:
            raise UserError(f"outgoing: {len(self.outgoing)} particle(s) were given; two or more are needed.")
        self.masses = (0.0,) * len(self.outgoing) if masses is None else tuple(float(mass) for mass in masses)
        if len(self.masses) != len(self.outgoing) or not all(m >= 0 and math.isfinite(m) for m in self.masses):
            raise UserError(f"masses: {list(self.masses)} was given; {len(self.outgoing)} numbers >= 0 are needed.")
        self.pdf = load_pdf(pdf) if isinstance(pdf, str) else pdf
        self._pairs = self._read_incoming(incoming)
        if mapping not in _MAPS or (mapping == "chili" and self.pdf is None):
            allowed = "rambo and, with PDFs, chili"
            raise UserError(f"mapping: '{mapping}' was given; allowed are {allowed}{nearest(mapping, _MAPS) or '.'}")
        self.cuts = (cuts or Cuts()).bind(self.outgoing, self.masses, self.cms_energy)
        counted = math.prod(math.factorial(k) for k in Counter(self.outgoing).values())
        self.identical = float(counted) if identical is None else positive("identical", identical)
        if scale is not None and not callable(scale):
            scale = positive("scale", scale)
        self.scale = scale
        self.alpha_s, self.alpha_qed = alpha_s, alpha_qed
        if alpha_s_power is not None and (
            isinstance(alpha_s_power, bool) or int(alpha_s_power) != alpha_s_power or alpha_s_power < 0
        ):
            raise UserError(f"alpha_s_power: {alpha_s_power!r} was given; a whole number of at least 0 is needed.")
        self.alpha_s_power = alpha_s_power
        self.colours = self._read_colours(colours)
        self.mapping = mapping
        self._map, self.dim = self._build_map()
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.beams = (2212, 2212) if self.pdf is not None else self._pairs[0][0]
        self.energies = (self.cms_energy / 2, self.cms_energy / 2)
        self.pdf_ids = (0, 0) if self.pdf is None else (self.pdf.lhapdf_id,) * 2
        final = " ".join(str(pid) for pid in self.outgoing)
        self.subprocesses = {k: f"{a} {b} > {final}" for k, ((a, b), _) in enumerate(self._pairs, start=1)}

    # ---------------------------------------------------------------- set-up

    def _read_incoming(self, incoming: Any) -> list[tuple[tuple[int, int], bool]]:
        """Every (parton along +z, parton along -z) with whether the amplitude sees them the other way round."""
        try:
            pairs = [tuple(int(p) for p in pair) for pair in np.atleast_2d(np.asarray(incoming)).tolist()]
        except (TypeError, ValueError) as error:
            raise UserError(f"incoming: {incoming!r} was given; a pair of PDG numbers is needed.") from error
        if any(len(pair) != 2 for pair in pairs) or not pairs:
            raise UserError(f"incoming: {incoming!r} was given; a pair of PDG numbers is needed.")
        typed = [(pair[0], pair[1]) for pair in pairs]
        if self.pdf is None:
            if len(typed) != 1:
                raise UserError(f"incoming: {len(typed)} pairs were given; without PDFs there is one pair.")
            return [(typed[0], False)]
        unknown = sorted({pid for pair in typed for pid in pair} - set(self.pdf.flavours))
        if unknown:
            raise UserError(f"incoming: parton {unknown[0]} is not in the PDF set {self.pdf.name}.")
        found = [(pair, False) for pair in typed]
        found += [((b, a), True) for a, b in typed if a != b and (b, a) not in typed]
        return found

    def _read_colours(self, colours: npt.ArrayLike | None) -> IntArray | None:
        """Colour lines of every pair of partons, (pairs, particles, 2); None if they are not known."""
        shape = (2 + len(self.outgoing), 2)
        if colours is not None:
            given = np.asarray(colours, dtype=np.int64)
            if given.shape != shape:
                raise UserError(f"colours: an array of shape {given.shape} was given; {shape} is needed.")
            mirrored = given[[1, 0, *range(2, len(given))]]
            return np.stack([mirrored if turned else given for _, turned in self._pairs])
        lines = np.zeros((len(self._pairs), *shape), dtype=np.int64)
        for index, (pair, _) in enumerate(self._pairs):
            kinds = [_COLOUR.get(pid) for pid in (*pair, *self.outgoing)]
            coloured = [position for position, kind in enumerate(kinds) if kind]
            ends = sorted(str(kinds[position]) for position in coloured)
            together = coloured in ([0, 1], [p for p in coloured if p > 1])  # both incoming or both outgoing
            if ends == ["antitriplet", "triplet"] and together:
                for position in coloured:
                    lines[index, position] = [501, 0] if kinds[position] == "triplet" else [0, 501]
            elif ends == ["octet", "octet"] and together:
                lines[index, coloured] = [[501, 502], [502, 501]]
            elif coloured:
                return None
        return lines

    def _build_map(self) -> tuple[Any, int]:
        """The compiled map of madspace and its number of random numbers."""
        modes = madspace.PhaseSpaceMapping.TChannelMode
        mapping = madspace.PhaseSpaceMapping(
            [0.0, 0.0, *self.masses],
            self.cms_energy,
            self.pdf is None,
            0.8,
            modes.chili if self.mapping == "chili" else modes.rambo,
            self.cuts.for_map(),
        )
        runtime = madspace.FunctionRuntime(mapping.forward_function(), madspace.Context(1))
        return runtime, int(mapping.random_dim())

    def __getstate__(self) -> dict[str, Any]:
        """The compiled map stays in its process; a copy builds its own."""
        return {key: value for key, value in self.__dict__.items() if key != "_map"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map, self.dim = self._build_map()

    def describe(self) -> str:
        """One line for the log."""
        source = f"PDF set {self.pdf.name}" if self.pdf is not None else "fixed energy"
        return (
            f"{self.name}: {self.subprocesses[1]} at {self.cms_energy:g} GeV, {source}, {self.mapping} phase space, "
            f"{self.dim} random numbers"
        )

    # ---------------------------------------------------------------- evaluation

    def _point(self, u: Array) -> tuple[Array, Array, Array, Array]:
        """Momenta (n, particles, 4), x of the two partons (n, 2), s-hat (n,) and the weight of phase space (n,)."""
        momenta, x1, x2, weight = (np.asarray(part) for part in self._map(np.ascontiguousarray(u, dtype=np.float64)))
        x = np.ones((len(u), 2)) if self.pdf is None else np.stack([x1, x2], axis=1)
        s = self.cms_energy**2 * x[:, 0] * x[:, 1]
        # points that a map marks as unphysical come with weight zero
        weight = np.where(np.isfinite(weight), weight, 0.0)
        return momenta, x, s, weight

    def _amplitude(self, momenta: Array) -> Array:
        """|M|^2 of the user, (n,), checked for its shape."""
        value = self.amplitude(momenta if self.convert is None else self.convert(momenta))
        for method in ("detach", "cpu", "numpy"):  # a torch tensor, without importing torch
            if not isinstance(value, np.ndarray) and hasattr(value, method):
                value = getattr(value, method)()
        squared = np.asarray(value, dtype=np.float64)
        if squared.shape != (len(momenta),):
            raise AmplitudeError(
                f"amplitude: an array of shape {squared.shape} was returned for momenta of shape {momenta.shape}; "
                f"({len(momenta)},) is needed."
            )
        return squared

    def _scales(self, momenta: Array, s: Array) -> Array:
        if self.scale is None:
            return np.sqrt(s)
        if not callable(self.scale):
            return np.full(len(s), float(self.scale))
        scales = np.asarray(self.scale(momenta), dtype=np.float64)
        if scales.shape != s.shape or not (np.isfinite(scales) & (scales > 0)).all():
            raise UserError("scale: the callable must return one positive number [GeV] per point.")
        return scales

    def _contributions(self, momenta: Array, x: Array, s: Array) -> Array:
        """Luminosity x |M|^2 by pair of partons, (n, pairs)."""
        straight = self._amplitude(momenta)
        if self.pdf is None:
            return straight[:, None]
        crossed = straight
        if any(turned for _, turned in self._pairs):
            crossed = self._amplitude(momenta[:, [1, 0, *range(2, momenta.shape[1])]])
        scales = self._scales(momenta, s)
        partons = list(dict.fromkeys(pid for pair, _ in self._pairs for pid in pair))
        # x f(x) over x: the map integrates over x1 and x2 themselves
        first = self.pdf.xfx(partons, x[:, 0], scales) / x[:, :1]
        second = self.pdf.xfx(partons, x[:, 1], scales) / x[:, 1:]
        columns = []
        for (a, b), turned in self._pairs:
            squared = crossed if turned else straight
            columns.append(first[:, partons.index(a)] * second[:, partons.index(b)] * squared)
        return np.stack(columns, axis=1)

    def __call__(self, u: Array, channel: int) -> Evaluation:
        """Weights [pb] of the points u, (n, dim); the amplitude is called for those inside the cuts."""
        momenta, x, s, phase_space = self._point(u)
        inside = (phase_space > 0) & self.cuts(momenta)
        weight = np.zeros(len(u))
        if inside.any():
            total = self._contributions(momenta[inside], x[inside], s[inside]).sum(axis=1)
            weight[inside] = total * phase_space[inside] * (GEV2_PB / (2 * self.identical)) / s[inside]
        return Evaluation(weight)

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """Event records; ``choice[:, 0]`` picks the pair of partons with the probabilities of the point."""
        if self.colours is None:
            raise UserError("colours: none were given; events with these coloured particles need their colour lines.")
        momenta, x, s, _ = self._point(u)
        n, particles = momenta.shape[:2]
        cumulative = np.cumsum(np.abs(self._contributions(momenta, x, s)), axis=1)
        chosen = (choice[:, :1] * cumulative[:, -1:] >= cumulative[:, :-1]).sum(axis=1)
        pdg_ids = np.empty((n, particles), dtype=np.int64)
        pdg_ids[:, :2] = np.array([pair for pair, _ in self._pairs])[chosen]
        pdg_ids[:, 2:] = self.outgoing
        scales = self._scales(momenta, s)
        if self.alpha_s is not None:
            alpha_s = np.full(n, float(self.alpha_s))
        else:
            alpha_s = np.zeros(n) if self.pdf is None else self.pdf.alpha_s(scales)
        mothers = np.array([[0, 0], [0, 0], *([[1, 2]] * len(self.outgoing))])
        return EventBatch(
            momenta=momenta,
            pdg_ids=pdg_ids,
            status=np.array([-1, -1, *([1] * len(self.outgoing))]),
            mothers=mothers,
            colours=self.colours[chosen],
            masses=np.tile(np.array([0.0, 0.0, *self.masses]), (n, 1)),
            scale=scales,
            alpha_s=alpha_s,
            alpha_qed=np.full(n, self.alpha_qed),
            process_id=chosen.astype(np.int64) + 1,
        )
