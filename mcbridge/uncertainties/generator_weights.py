"""sigma_th of events that come with weights of other scales and PDF members from their generator."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcbridge.errors import UserError, nearest
from mcbridge.integrands.protocol import Array
from mcbridge.lhe.declared import DeclaredGroup, DeclaredWeight, weights_of_event
from mcbridge.pdfs import error_type_of
from mcbridge.uncertainties.theory import pdf_uncertainty, scale_uncertainty

__all__ = ["ERROR_TYPES", "GeneratorWeights"]

ERROR_TYPES = ("replicas", "hessian", "symmhessian")
"""Prescriptions for PDF members (arXiv:1510.03865, eqs. 13, 20 and 21)."""

_SYNONYMS = {
    "gaussian": "replicas",
    "montecarlo": "replicas",
    "replica": "replicas",
    "symmetric hessian": "symmhessian",
}
_NUMBER = r"\s*[=_]?\s*([0-9.]+(?:[eEdD][+-]?[0-9]+)?)"
_MUR = re.compile(r"(?i)(?<![a-z])(?:mu_?r|renscfact)" + _NUMBER)
_MUF = re.compile(r"(?i)(?<![a-z])(?:mu_?f|facscfact)" + _NUMBER)
_PDF = re.compile(r"(?i)(?<![a-z])(?:lhapdf|pdfset|pdf)\s*[=_]?\s*([0-9]{3,})")
_DYNAMIC = re.compile(r"(?i)(?<![a-z])dyn(?:_scale)?(?:_choice)?\s*=\s*([^\s]+)")
_OTHER = re.compile(r"(?i)alpsfact|me_only|qcut|merging")
_EXTREME = 3.9  # ratio of the two factors from which on the seven-point envelope leaves a pair out


@dataclass(frozen=True)
class _Meaning:
    """What a weight varies: factors of the two scales, and the LHAPDF id; None where nothing is said."""

    mur: float | None
    muf: float | None
    pdf: int | None

    @property
    def central_scales(self) -> bool:
        return self.mur in (None, 1.0) and self.muf in (None, 1.0)


def _meaning(weight: DeclaredWeight) -> _Meaning | None:
    """What a declared weight varies, in the naming of MadGraph, MC@NLO, POWHEG or Sherpa; None for anything else."""
    text = " ".join([*(f"{name}={value}" for name, value in weight.attributes.items() if name != "id"), weight.text])
    for source in (text, weight.id):
        dynamic = _DYNAMIC.search(source)
        if _OTHER.search(source) or (dynamic is not None and dynamic[1] not in ("-1", "-1.0")):
            return None
        mur, muf, pdf = _MUR.search(source), _MUF.search(source), _PDF.search(source)
        if mur or muf or pdf:
            return _Meaning(_float(mur), _float(muf), None if pdf is None else int(pdf[1]))
    return None


def _float(found: re.Match[str] | None) -> float | None:
    try:
        return None if found is None else float(found[1].lower().replace("d", "e"))
    except ValueError:
        return None


@dataclass
class GeneratorWeights:
    """Weights of a generator from which ``sigma_th`` follows: scales by their envelope, PDF members as their set asks.

    Attributes:
        scales: ids of the weights at other scales, without the two pairs that move the scales apart.
        members: ids of the members of one PDF set, the central one first.
        kind: error type of the set.
        central: whether the first of ``members`` is the central one; otherwise XWGTUP stands for it.
        pdf: LHAPDF id of the central member, if it is known.
        notes: what was found but not used, and why.
        sums: sums of all weights (scales and members side by side) over the events so far.
        total: sum of XWGTUP of the same events.
        events: their number.
    """

    scales: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    kind: str = ""
    central: bool = False
    pdf: int | None = None
    notes: list[str] = field(default_factory=list)
    sums: Array = field(init=False)
    total: float = field(init=False, default=0.0)
    events: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.sums = np.zeros(len(self.scales) + len(self.members))
        self._ids = [name.encode() for name in (*self.scales, *self.members)]

    def __bool__(self) -> bool:
        return bool(self._ids)

    @staticmethod
    def of_groups(groups: Sequence[DeclaredGroup], pdf: int | None = None, kind: str | None = None) -> GeneratorWeights:
        """What there is in declared weight groups; false where nothing is of use.

        Arguments:
            groups: :func:`mcbridge.lhe.declared.declared_groups`.
            pdf: LHAPDF id of the events' own set, from ``<init>``.
            kind: error type of the PDF set where the file does not name it.

        Raises:
            UserError: ``kind`` is none of ``ERROR_TYPES``.
        """
        if kind is not None and kind not in ERROR_TYPES:
            raise UserError(
                f"the error type of the PDF set is '{kind}'; it must be one of {', '.join(ERROR_TYPES)}"
                f"{nearest(kind, ERROR_TYPES)}"
            )
        found = [
            (weight, meaning, group)
            for group in groups
            for weight in group.weights
            if weight.id and (meaning := _meaning(weight)) is not None
        ]
        with_scales = [meaning for _, meaning, _ in found if not meaning.central_scales]
        named = Counter(meaning.pdf for meaning in with_scales if meaning.pdf)
        own = named.most_common(1)[0][0] if named else pdf or None
        scales: dict[tuple[float, float], str] = {}
        for weight, meaning, _ in found:
            pair = (meaning.mur or 1.0, meaning.muf or 1.0)
            apart = max(pair[0] / pair[1], pair[1] / pair[0]) if min(pair) > 0.0 else np.inf
            if not meaning.central_scales and meaning.pdf in (None, own) and apart < _EXTREME:
                scales.setdefault(pair, weight.id)
        notes: list[str] = []
        members = [
            (weight, meaning.pdf, group) for weight, meaning, group in found if meaning.central_scales and meaning.pdf
        ]
        ids, number, error_type = _choose_set([(w.id, int(p or 0), g) for w, p, g in members], own, kind, notes)
        return GeneratorWeights(
            tuple(scales.values()) if len(scales) > 1 else (),
            tuple(ids),
            error_type,
            bool(ids) and number[1],
            number[0],
            notes,
        )

    def table(self, events: Iterable[bytes]) -> Array:
        """The weights (n, scales + members) of raw events; NaN where an event has none or no number."""
        rows = []
        for event in events:
            found = weights_of_event(event)
            rows.append([_value(found.get(name)) for name in self._ids])
        return np.array(rows).reshape(-1, len(self._ids))

    def add(self, table: Array, weight: Array) -> None:
        """Count events for the uncertainties of the cross section; those without all weights are left out."""
        kept = np.all(np.isfinite(table), axis=1)
        self.sums += np.sum(table[kept], axis=0)
        self.total += float(np.sum(weight[kept]))
        self.events += int(np.sum(kept))

    def sigma(self, table: Array, weight: Array) -> Array:
        """(n,), relative: scales and PDF members in quadrature; NaN for events without these weights."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            scales, members = self._parts(table / weight[:, None])
            result: Array = np.hypot(scales, members)
        result[~np.isfinite(result)] = np.nan
        return result

    def _parts(self, ratios: Array) -> tuple[Array, Array]:
        one = np.ones((len(ratios), 1))
        scales = members = np.zeros(len(ratios))
        if self.scales:
            scales = scale_uncertainty(np.concatenate([one, ratios[:, : len(self.scales)]], axis=1))
        if self.members:
            own = ratios[:, len(self.scales) :]
            members = pdf_uncertainty(own if self.central else np.concatenate([one, own], axis=1), self.kind)
        return scales, members

    def as_json(self) -> dict[str, Any]:
        """What was used, and the relative uncertainties of the cross section from all events counted so far."""
        result: dict[str, Any] = {"scale_weights": list(self.scales), "pdf_weights": len(self.members)}
        if self.members:
            result |= {"pdf_error_type": self.kind, "pdf_set": self.pdf}
        if self.notes:
            result["notes"] = list(self.notes)
        if self.total and self:
            scales, members = self._parts((self.sums / self.total)[None])
            result |= {"scale_envelope": float(scales[0]), "pdf": float(members[0]), "events": self.events}
        return result


def _value(text: bytes | None) -> float:
    try:
        return float("nan") if text is None else float(text.replace(b"D", b"E"))
    except ValueError:
        return float("nan")


def _choose_set(
    members: Sequence[tuple[str, int, DeclaredGroup]], own: int | None, kind: str | None, notes: list[str]
) -> tuple[list[str], tuple[int | None, bool], str]:
    """Ids of the members of one set, its LHAPDF id with whether the first is the central member, and its error type.

    A set is a run of consecutive LHAPDF ids within one group; the events' own set is preferred.
    """
    runs: list[list[tuple[str, int, DeclaredGroup]]] = []
    for entry in members:
        if runs and entry[1] == runs[-1][-1][1] + 1 and entry[2] is runs[-1][-1][2]:
            runs[-1].append(entry)
        else:
            runs.append([entry])
    runs = [run for run in runs if len(run) > 2]
    if not runs:
        return [], (None, False), ""
    runs.sort(key=lambda run: own is None or not run[0][1] - 1 <= own <= run[-1][1])
    run = runs[0]
    first = run[0][1]
    # Generators that leave the central member out begin with member 1.
    central = own == first or (own != first - 1 and first % 10 == 0)
    number = first if central else first - 1
    stated, extra = _error_type(run[0][2].combine)
    if kind is None and not stated:
        stated, extra = _error_type(error_type_of(number) or "")
    chosen = kind or stated
    if len(runs) > 1:
        notes.append(f"the PDF set {number} was used, {len(runs) - 1} more set(s) were not")
    if not chosen:
        notes.append(
            f"the members of the PDF set {number} are not in sigma_th: neither the file nor an installed set says"
            " whether they are replicas or Hessian; name it with --pdf-errors"
        )
        return [], (None, False), ""
    ids = [name for name, _, _ in run]
    if extra and len(ids) > 4:
        ids = ids[:-2]
        notes.append(f"the last two members of the PDF set {number} vary alpha_s and are not in sigma_th")
    if chosen == "hessian" and (len(ids) - central) % 2:
        notes.append(f"the {len(ids) - central} Hessian members of the PDF set {number} are no pairs; not in sigma_th")
        return [], (None, False), ""
    return ids, (number, central), chosen


def _error_type(text: str) -> tuple[str, bool]:
    """The prescription that LHAPDF's ErrorType or a group's ``combine`` names, and whether members vary alpha_s."""
    name, _, rest = text.strip().lower().partition("+")
    name = _SYNONYMS.get(name, name)
    return (name if name in ERROR_TYPES else ""), rest.startswith("as")
