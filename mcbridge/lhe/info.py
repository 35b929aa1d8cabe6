"""What an event file says about the run that made it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcbridge.errors import UserError

__all__ = ["RunInfo", "WeightGroup"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_RESERVED = ("card", "binnis", "initrwgt", "header", "init")


@dataclass(frozen=True)
class WeightGroup:
    """A group of alternative event weights, declared in ``<initrwgt>``.

    Arguments:
        name: of the group, for instance ``binn``.
        ids: the ids of its weights, for instance ``binn_001``.
        descriptions: a text for each weight; the id if empty.
        combine: how tools should combine them, for instance ``envelope``, ``hessian``, ``replicas``; left out if None.
    """

    name: str
    ids: tuple[str, ...]
    descriptions: tuple[str, ...] = ()
    combine: str | None = None

    def __post_init__(self) -> None:
        if not self.ids:
            raise UserError(f"the weight group {self.name} has no weights")
        for text in (self.name, *self.ids):
            if not re.fullmatch(r"[A-Za-z0-9_.:=+-]+", text):
                raise UserError(f"'{text}' cannot name a weight; letters, digits and _ . : = + - are allowed")
        if self.descriptions and len(self.descriptions) != len(self.ids):
            raise UserError(
                f"the weight group {self.name} has {len(self.ids)} ids and {len(self.descriptions)} descriptions"
            )


@dataclass(frozen=True)
class RunInfo:
    """Header and ``<init>`` of an event file.

    Arguments:
        cross_section: of the whole sample [pb], from the integration.
        error: its standard error [pb].
        beams: PDG ids of the two beams.
        energies: of the two beams [GeV].
        pdf_ids: LHAPDF ids of the two beams; 0 for a beam without PDFs.
        absolute: integral of the absolute value [pb]. With it, every event of relative weight r gets ``XWGTUP = r
            absolute / <|r|>``, so that the mean of XWGTUP is the cross section within its statistical error; without it
            (None), ``XWGTUP = r cross_section / <r>``, and the mean is the cross section exactly. Both are the same
            where no weight is negative; with many negative weights the first keeps the fluctuation of ``<r>`` out of
            every single weight.
        processes: a name for each process id (LPRUP). Ids that no event has get a line with cross section 0.
        card: text of the run card.
        figures: what else the header should say, as JSON. No timings: the same run must give the same bytes.
        versions: version of each package involved.
        seed: of the run.
        generator: name and version in ``<generator>``.
        blocks: further header blocks, text by element name.
        weight_groups: groups of alternative weights that the events carry.
        attributes: names of the event attributes that the events carry.
    """

    cross_section: float
    error: float
    beams: tuple[int, int]
    energies: tuple[float, float]
    pdf_ids: tuple[int, int] = (0, 0)
    absolute: float | None = None
    processes: Mapping[int, str] = field(default_factory=dict)
    card: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    generator: tuple[str, str] = ("binnis", "")
    blocks: Mapping[str, str] = field(default_factory=dict)
    weight_groups: tuple[WeightGroup, ...] = ()
    attributes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("cross_section", "error"):
            if not np.isfinite(getattr(self, name)):
                raise UserError(f"{name} is {getattr(self, name)}; it must be a finite number in pb")
        if self.error < 0.0:
            raise UserError(f"error is {self.error}; it must not be negative")
        if self.absolute is not None and not (np.isfinite(self.absolute) and self.absolute > 0.0):
            raise UserError(f"absolute is {self.absolute}; it must be a positive number in pb")
        for name in (*self.attributes, *self.blocks):
            if not _NAME.fullmatch(name):
                raise UserError(f"'{name}' cannot name an event attribute or a header block; it is no XML name")
        for name in self.blocks:
            if name in _RESERVED:
                raise UserError(f"the header block '{name}' is written anyway; choose another name")
        ids = [weight for group in self.weight_groups for weight in group.ids]
        names = [group.name for group in self.weight_groups]
        for kind, entries in (("weight id", ids), ("weight group", names), ("event attribute", list(self.attributes))):
            doubled = sorted({entry for entry in entries if entries.count(entry) > 1})
            if doubled:
                raise UserError(f"the {kind} '{doubled[0]}' is given twice")
