"""Interpolation of LHAPDF6 grids, in batches, through madspace."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import madspace
import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.integrands import Array
from mcbridge.pdfs.files import check_grid, read_info

__all__ = ["GridPdf"]

_LOG = logging.getLogger(__name__)


class GridPdf:
    """One member of an LHAPDF6 set, read from its files (log-bicubic interpolation, arXiv:1412.7420, section 3).

    Outside the grid the value at the nearest knot is taken; above x = 1 the densities vanish.

    Arguments:
        folder: folder ``<Set>`` that holds ``<Set>.info`` and ``<Set>_0000.dat``.
        member: number of the member.

    Raises:
        UserError: a file is missing, cut short or of another format.
    """

    def __init__(self, folder: Path | str, member: int = 0) -> None:
        self.folder = Path(folder)
        self.member = member
        self.name = self.folder.name
        info_path = self.folder / f"{self.name}.info"
        grid_path = self.folder / f"{self.name}_{member:04d}.dat"
        self.info = read_info(info_path)
        check_grid(grid_path)
        index = self.info.get("SetIndex", 0)
        if not isinstance(index, int):
            raise UserError(f"pdf: SetIndex in {info_path} is {index!r}; it must be an integer.")
        self.lhapdf_id = index + member
        self._context = madspace.Context(1)
        try:
            self._grid = madspace.PdfGrid(str(grid_path))
        except (RuntimeError, ValueError, IndexError) as error:
            raise UserError(f"pdf: the grid {grid_path} cannot be read ({error}).") from error
        self._grid.initialize_globals(self._context, "pdf")
        self.flavours: tuple[int, ...] = tuple(21 if pid == 0 else int(pid) for pid in self._grid.pids)
        self._stored = dict(zip(self.flavours, (int(pid) for pid in self._grid.pids), strict=True))
        logx, q = np.asarray(self._grid.logx), np.asarray(self._grid.q)
        self.x_range = (math.exp(float(logx.min())), min(1.0, math.exp(float(logx.max()))))
        self.q_range = (float(q.min()), float(q.max()))
        self._densities: dict[tuple[int, ...], Any] = {}
        self._coupling = self._load_coupling(info_path)

    def __reduce__(self) -> tuple[Any, ...]:
        """Interpolators stay in their process; a copy elsewhere reads the files again."""
        return (GridPdf, (self.folder, self.member))

    def _load_coupling(self, info_path: Path) -> Any:
        if "AlphaS_Qs" not in self.info or "AlphaS_Vals" not in self.info:
            _LOG.warning("PDF set %s has no table of alpha_s; one-loop running from the Z mass is used", self.name)
            return None
        try:
            scales, values = ([float(entry) for entry in self.info[key]] for key in ("AlphaS_Qs", "AlphaS_Vals"))
        except (TypeError, ValueError) as error:
            raise UserError(f"pdf: AlphaS_Qs and AlphaS_Vals in {info_path} must be lists of numbers.") from error
        if len(scales) < 2 or len(scales) != len(values):
            raise UserError(f"pdf: AlphaS_Qs and AlphaS_Vals in {info_path} do not have the same length.")
        self._alpha_range = (min(scales), max(scales))
        try:
            table = madspace.AlphaSGrid(str(info_path))
        except (RuntimeError, ValueError, IndexError) as error:
            raise UserError(f"pdf: alpha_s in {info_path} cannot be read ({error}).") from error
        table.initialize_globals(self._context, "alpha")
        return madspace.FunctionRuntime(madspace.RunningCoupling(table, "alpha").function(), self._context)

    def xfx(self, pdg_id: int | Sequence[int], x: npt.ArrayLike, q: npt.ArrayLike) -> Array:
        """x f(x, q): shape (n,) for one flavour, (n, k) for a sequence of k flavours; q in GeV."""
        single = isinstance(pdg_id, (int, np.integer))
        wanted = (int(pdg_id),) if isinstance(pdg_id, (int, np.integer)) else tuple(int(pid) for pid in pdg_id)
        points, scales = np.broadcast_arrays(
            np.atleast_1d(np.asarray(x, dtype=np.float64)), np.atleast_1d(np.asarray(q, dtype=np.float64))
        )
        inside = np.clip(points, self.x_range[0] * (1 + 1e-12), self.x_range[1])
        frozen = np.clip(scales, self.q_range[0] * (1 + 1e-12), self.q_range[1] * (1 - 1e-12))
        held = tuple(pid for pid in wanted if pid in self._stored)
        values = np.zeros((len(points), len(held)))
        if held and len(points):
            values = np.asarray(self._density(held)(inside, frozen))
        if held != wanted:
            values = np.stack([values[:, held.index(p)] if p in held else np.zeros(len(points)) for p in wanted], 1)
        if points.size and float(points.max()) >= 1.0:
            values = np.where((points < 1.0)[:, None], values, 0.0)
        return values[:, 0] if single else values

    def _density(self, pids: tuple[int, ...]) -> Any:
        if pids not in self._densities:
            function = madspace.PartonDensity(self._grid, [self._stored[pid] for pid in pids], False, "pdf").function()
            self._densities[pids] = madspace.FunctionRuntime(function, self._context)
        return self._densities[pids]

    def alpha_s(self, q: npt.ArrayLike) -> Array:
        """The strong coupling at the scales q [GeV], shape (n,); frozen outside the table."""
        scales = np.atleast_1d(np.asarray(q, dtype=np.float64))
        if self._coupling is None:
            reference = float(self.info.get("AlphaS_MZ", 0.118))
            mass = float(self.info.get("MZ", 91.1876))
            beta = (33 - 2 * 5) / (12 * math.pi)
            bounded = np.maximum(scales, self.q_range[0])
            return np.asarray(reference / (1 + reference * beta * np.log(bounded**2 / mass**2)))
        low, high = self._alpha_range
        return np.asarray(self._coupling(np.clip(scales, low * (1 + 1e-12), high * (1 - 1e-12))), dtype=np.float64)

    def describe(self) -> str:
        """One line for the log."""
        return (
            f"PDF set {self.name} (LHAPDF id {self.lhapdf_id}), x from {self.x_range[0]:.3g}, "
            f"Q from {self.q_range[0]:.4g} to {self.q_range[1]:.4g} GeV"
        )
