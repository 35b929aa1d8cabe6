"""What the rest of the project asks of a set of parton densities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy.typing as npt

from mcbridge.integrands import Array

__all__ = ["Pdf"]


@runtime_checkable
class Pdf(Protocol):
    """Parton densities of the proton and the strong coupling that belongs to them.

    Attributes:
        name: name of the set.
        lhapdf_id: number of the set in LHAPDF's index, as it stands in ``<init>`` of an event file; 0 if it has none.
        flavours: PDG numbers that the set holds, 21 for the gluon.
        x_range: smallest and largest x of the grid.
        q_range: smallest and largest scale of the grid [GeV].
    """

    name: str
    lhapdf_id: int
    flavours: tuple[int, ...]
    x_range: tuple[float, float]
    q_range: tuple[float, float]

    def xfx(self, pdg_id: int | Sequence[int], x: npt.ArrayLike, q: npt.ArrayLike) -> Array:
        """x f(x, q): shape (n,) for one flavour, (n, k) for a sequence of k flavours; q in GeV."""
        ...

    def alpha_s(self, q: npt.ArrayLike) -> Array:
        """The strong coupling at the scales q [GeV], shape (n,)."""
        ...

    def describe(self) -> str:
        """One line for the log."""
        ...
