"""One channel of a sampler, and the sampler file: Python's view of the C++ classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.core import _core
from mcbridge.core.spec import FlowSpec
from mcbridge.errors import UserError
from mcbridge.files import atomic

__all__ = ["Cells", "ChannelSampler", "read_sampler_file", "write_sampler_file"]

Array = npt.NDArray[np.float64]


class Cells:
    """Discrete coordinates of a channel: boxes that partition the unit cube of these coordinates.

    Arguments:
        dims: the discrete coordinates.
        boxes: (cells, len(dims), 2), lower and upper edges.
        p_vegas, p_flow: (cells,), probability of each cell in the two parts of the mixture.
        context: (cells, columns), what the flow is conditioned on in each cell.

    Raises:
        UserError: shapes do not fit.
    """

    def __init__(
        self,
        dims: Sequence[int],
        boxes: npt.ArrayLike,
        p_vegas: npt.ArrayLike,
        p_flow: npt.ArrayLike,
        context: npt.ArrayLike,
    ) -> None:
        self.dims = tuple(int(d) for d in dims)
        self.boxes = np.array(boxes, dtype=np.float64)
        self.p_vegas = np.array(p_vegas, dtype=np.float64)
        self.p_flow = np.array(p_flow, dtype=np.float64)
        self.context = np.array(context, dtype=np.float32)
        try:
            self.native = _core.Cells(list(self.dims), self.boxes, self.p_vegas, self.p_flow, self.context)
        except ValueError as error:
            raise UserError(f"cells: {error}") from None

    @property
    def volumes(self) -> npt.NDArray[np.float64]:
        """(cells,), volume of each box."""
        found: npt.NDArray[np.float64] = np.prod(np.diff(self.boxes, axis=2)[:, :, 0], axis=1)
        return found

    def __reduce__(self) -> tuple[Any, ...]:
        return Cells, (self.dims, self.boxes, self.p_vegas, self.p_flow, self.context)


class ChannelSampler:
    """Defensive mixture of a VEGAS grid and a flow on top of it, for one channel.

    The density of a point u is ``(1 - eps) p_flow(cell)/vol(cell) q(y|cell) v(u) + eps p_vegas(cell)/vol(cell) v(u)``,
    where y is the point in the coordinates of the grid and v the density of the grid. Without a flow eps is 1.

    Arguments:
        dim: number of coordinates of a point.
        grid: for each continuous coordinate the knots of its VEGAS grid, increasing from 0 to 1; None: identity.
        cells: the discrete coordinates, if any.
        spec, params: architecture and parameters (P,) of the flow over the continuous coordinates; None: no flow.
        eps: share of the VEGAS density, above 0.

    Raises:
        UserError: parts do not fit together, or a number is out of range.
    """

    def __init__(
        self,
        dim: int,
        grid: Sequence[npt.ArrayLike] | None = None,
        cells: Cells | None = None,
        spec: FlowSpec | None = None,
        params: npt.ArrayLike | None = None,
        eps: float = 1.0,
    ) -> None:
        knots = None if grid is None else [np.array(axis, dtype=np.float64) for axis in grid]
        numbers = None if spec is None else np.array(params, dtype=np.float32)
        try:
            native = _core.ChannelSampler(
                int(dim), knots or [], None if cells is None else cells.native, spec, numbers, float(eps)
            )
        except (TypeError, ValueError) as error:
            raise UserError(f"channel sampler: {error}") from None
        self._adopt(native, knots, cells, spec)

    def _adopt(
        self, native: _core.ChannelSampler, grid: list[Array] | None, cells: Cells | None, spec: FlowSpec | None
    ) -> None:
        self.native = native
        self.grid = grid
        self.cells = cells
        self.spec = spec
        self.dim: int = native.dim
        self.uniforms: int = native.uniforms
        self.eps: float = native.eps
        self.continuous: tuple[int, ...] = native.continuous

    @classmethod
    def from_native(cls, native: _core.ChannelSampler) -> ChannelSampler:
        """Wrap a C++ object, as the sampler file gives it."""
        made = cls.__new__(cls)
        found = native.cells
        cells = None
        if found is not None:
            cells = Cells(found.dims, found.boxes, found.p_vegas, found.p_flow, found.context)
        grid = list(native.grid) or None
        made._adopt(native, grid, cells, None if native.flow is None else FlowSpec(**native.flow))
        return made

    @property
    def params(self) -> npt.NDArray[np.float32] | None:
        """(P,), a copy of the parameters of the flow; None without one."""
        found: npt.NDArray[np.float32] | None = self.native.params
        return found

    def sample(self, r: Array, threads: int = 1) -> tuple[Array, Array]:
        """Points u (n, dim) and their density g (n,) from uniforms r (n, dim + 2).

        The first dim numbers are the latent coordinates, the next chooses the part of the mixture (below eps: VEGAS),
        the last the cell.

        Raises:
            ValueError: wrong shape, or a number outside [0, 1].
        """
        u, density = self.native.sample(r, threads)
        return u, density

    def density(self, u: Array, threads: int = 1) -> Array:
        """Density g (n,) of the mixture at points u (n, dim); 0 outside the unit cube and for nan."""
        density: Array = self.native.density(u, threads)
        return density

    def densities(self, u: Array, threads: int = 1) -> tuple[Array, Array]:
        """Densities (n,) of the VEGAS part and of the flow part at points u (n, dim)."""
        vegas, flow = self.native.densities(u, threads)
        return vegas, flow

    def inverse_grid(self, u: Array) -> tuple[Array, Array]:
        """Points u (n, dim) in the coordinates of the grid y (n, continuous), and the grid's density v (n,)."""
        y, v = self.native.inverse_grid(u)
        return y, v

    def forward_grid(self, y: Array) -> tuple[Array, Array]:
        """Continuous coordinates u (n, continuous) of points y of the grid, and the grid's density v (n,)."""
        u, v = self.native.forward_grid(y)
        return u, v

    def cell(self, u: Array) -> npt.NDArray[np.int64]:
        """Index (n,) of the cell of each point; 0 without cells, -1 outside the unit cube."""
        index: npt.NDArray[np.int64] = self.native.cell(u)
        return index

    def with_eps(self, eps: float) -> ChannelSampler:
        """The same channel with another share of the VEGAS density."""
        return ChannelSampler(self.dim, self.grid, self.cells, self.spec, self.params, eps)

    def __reduce__(self) -> tuple[Any, ...]:
        return ChannelSampler, (self.dim, self.grid, self.cells, self.spec, self.params, self.eps)


def write_sampler_file(
    path: str | Path, channels: Sequence[ChannelSampler], metadata: str, arrays: Mapping[str, npt.NDArray[Any]]
) -> None:
    """Write channels, a metadata text and named float arrays whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    with atomic(path) as temporary:
        try:
            _core.write_sampler_file(str(temporary), [channel.native for channel in channels], metadata, dict(arrays))
        except _core.FileError as error:
            raise UserError(str(error).replace(str(temporary), str(path))) from None


def read_sampler_file(path: str | Path) -> tuple[list[ChannelSampler], str, dict[str, npt.NDArray[Any]]]:
    """Channels, metadata and arrays of a sampler file; the parameters stay in the mapped file.

    Raises:
        UserError: the file is missing, truncated, damaged, or of another version.
    """
    try:
        channels, metadata, arrays = _core.read_sampler_file(str(path))
        return [ChannelSampler.from_native(channel) for channel in channels], metadata.decode("utf-8"), dict(arrays)
    except _core.FileError as error:
        raise UserError(str(error)) from None
    except (UnicodeDecodeError, UserError) as error:
        raise UserError(f"the sampler file {path} is inconsistent: {error}") from None
