"""The region of integration: everything ``vegas.Integrator`` accepts as its first argument, checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gvar
import numpy as np
import vegas

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array

__all__ = ["Domain"]

# An irrational fraction per coordinate: a point inside the region that is no symmetry point of anything.
_GOLDEN = 0.6180339887498949


class Domain:
    """A box in x space and the form in which its points reach the integrand.

    Arguments:
        region: an array of limits ``[..., 2]``, a dictionary of such arrays (the integrand then receives a
            dictionary), a list of grids (the nodes of every coordinate, of different numbers), a
            ``vegas.AdaptiveMap`` or a ``vegas.Integrator`` (whose adapted grid is kept).

    Attributes:
        limits: (dim, 2), lower and upper limit of every coordinate, in the order of the flattened region.
        template: a point of the region in the form of the user's argument (array or ``gvar.BufferDict``).
        source: the adapted map or integrator that the region came from, or None.
        volume: product of the lengths of all intervals.

    Raises:
        UserError: where the region is no list of intervals, or an interval is empty, reversed or not finite.
    """

    def __init__(self, region: Any) -> None:
        self.source: vegas.AdaptiveMap | vegas.Integrator | None = None
        self.limits: Array
        self.template: Any
        if isinstance(region, Domain):
            self.limits, self.template, self.source = region.limits, region.template, region.source
        elif isinstance(region, vegas.Integrator):
            self.limits = np.asarray(region.map.region(), dtype=np.float64)
            self.source = region
            self.template = self._like(region.xsample)
        elif isinstance(region, vegas.AdaptiveMap):
            self._take(region)
        elif _is_grid(region):
            self._take(vegas.AdaptiveMap([[float(node) for node in nodes] for nodes in region]))
        elif isinstance(region, Mapping):
            if not region:
                raise UserError("the integration region is an empty dictionary; it needs at least one interval")
            arrays = {key: _intervals(value, f"region[{key!r}]") for key, value in region.items()}
            self.limits = np.concatenate([array.reshape(-1, 2) for array in arrays.values()])
            self.template = gvar.BufferDict({key: self._inside(array) for key, array in arrays.items()})
        else:
            array = _intervals(region, "region")
            if array.ndim == 1:
                raise UserError(
                    f"the integration region is {region!r}; it is a list of intervals, one [lower, upper] a coordinate,"
                    f" so a one-dimensional integral has the region [{list(region)!r}]"
                )
            self.limits = np.ascontiguousarray(array.reshape(-1, 2))
            self.template = self._inside(array)
        self.volume = float(np.prod(self.limits[:, 1] - self.limits[:, 0]))
        if not 0.0 < self.volume < np.inf:
            raise UserError(f"the integration region has the volume {self.volume}; it must be positive and finite")

    def _take(self, source: vegas.AdaptiveMap) -> None:
        self.limits = np.asarray(source.region(), dtype=np.float64)
        self.source = source
        self.template = self._inside(self.limits)

    @staticmethod
    def _inside(limits: Array) -> Array:
        flat = limits.reshape(-1, 2)
        fraction = ((np.arange(len(flat)) + 1.0) * _GOLDEN) % 1.0
        point: Array = (flat[:, 0] + fraction * (flat[:, 1] - flat[:, 0])).reshape(limits.shape[:-1])
        return point

    def _like(self, sample: Any) -> Any:
        point = self._inside(self.limits)
        if sample.shape is None:
            return gvar.BufferDict(sample, buf=point)
        return point.reshape(sample.shape)

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.limits)

    @property
    def is_dictionary(self) -> bool:
        """Whether points reach the integrand as dictionaries."""
        return self.template.shape is None

    def from_unit(self, u: Array) -> Array:
        """Points x (n, dim) of the region for points ``u`` (n, dim) of the unit hypercube."""
        x: Array = self.limits[:, 0] + u * (self.limits[:, 1] - self.limits[:, 0])
        return x

    def to_unit(self, x: Array) -> Array:
        """Points u (n, dim) of the unit hypercube for points ``x`` (n, dim) of the region."""
        u: Array = (x - self.limits[:, 0]) / (self.limits[:, 1] - self.limits[:, 0])
        return u

    def vegas_region(self) -> Any:
        """A first argument for ``vegas.Integrator`` with the same points in the same form, and the same grid."""
        return self._limits_like_template() if self.source is None else self.source

    def _limits_like_template(self) -> Any:
        if not self.is_dictionary:
            return self.limits.reshape((*np.shape(self.template), 2))
        region: dict[Any, Array] = {}
        for key in self.template:
            part, shape = self.template.slice_shape(key)
            rows = self.limits[part] if isinstance(part, slice) else self.limits[part : part + 1]
            region[key] = rows.reshape((*shape, 2))
        return region

    def format(self, x: Array, mode: str = "rbatch") -> Any:
        """Points in the form a batch integrand receives them.

        Arguments:
            x: (n, dim) points.
            mode: ``"rbatch"`` (the index of the point is the last) or ``"lbatch"`` (it is the first).
        """
        if mode not in ("rbatch", "lbatch"):
            raise UserError(f"mode is {mode!r}; it must be 'rbatch' or 'lbatch'")
        if self.is_dictionary:
            return gvar.BufferDict(self.template, **({"rbatch_buf": x.T} if mode == "rbatch" else {"lbatch_buf": x}))
        shape = np.shape(self.template)
        return x.T.reshape((*shape, -1)) if mode == "rbatch" else x.reshape((-1, *shape))


def _is_grid(region: Any) -> bool:
    """Whether a region consists of the nodes of every coordinate, not equally many of all, as vegas tells them."""
    try:
        nodes = [np.asarray(axis, dtype=np.float64) for axis in region]
    except (TypeError, ValueError):
        return False
    return (
        bool(nodes)
        and all(axis.ndim == 1 and len(axis) >= 2 for axis in nodes)
        and len({len(axis) for axis in nodes}) > 1
        and all(bool(np.all(np.isfinite(axis))) and bool(np.all(np.diff(axis) > 0.0)) for axis in nodes)
    )


def _intervals(value: Any, name: str) -> Array:
    """The array of intervals (..., 2) in ``value``; UserError with ``name`` where it is none."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{name} is {_short(value)}; it must consist of pairs [lower, upper] of numbers") from None
    if array.ndim < 1 or array.shape[-1] != 2 or array.size == 0:
        raise UserError(f"{name} is {_short(value)}; it must consist of pairs [lower, upper] of numbers")
    pairs = array.reshape(-1, 2)
    for index, (lower, upper) in enumerate(pairs):
        where = name if len(pairs) == 1 and array.ndim == 1 else f"interval {index} of {name}"
        if not (np.isfinite(lower) and np.isfinite(upper)):
            raise UserError(f"{where} is [{lower:g}, {upper:g}]; both limits must be finite: map the variable first")
        if lower >= upper:
            raise UserError(f"{where} is [{lower:g}, {upper:g}]; the lower limit must be below the upper one")
    return array


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
