"""Two-dimensional densities whose uncertainty has a known shape (arXiv:2104.04543, section 3.1 and appendix C.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from mcbridge.integrands import Array

__all__ = ["TOYS", "Kicker", "Ring", "Toy", "Wedge"]


class Toy(ABC):
    """A density of one physical and one trivial direction.

    Attributes:
        name: for tables.
        axis: values of the physical coordinate at which the uncertainty is read.
        judged: range of the physical coordinate without its boundaries.
        peak: where the uncertainty is largest before its minimum is looked for.
        until: up to where the minimum is looked for.
        window: where the minimum must be.
        label: of the physical coordinate.
        blocks: affine coupling blocks that the density needs.
    """

    name: str
    axis: Array
    judged: tuple[float, float]
    peak: tuple[float, float]
    until: float
    window: tuple[float, float]
    label: str
    blocks: int = 4

    @abstractmethod
    def sample(self, n: int, generator: np.random.Generator) -> Array:
        """Points (n, 2)."""

    @abstractmethod
    def density(self, axis: Array) -> Array:
        """Density at values of the physical coordinate."""

    @abstractmethod
    def to_flow(self, points: Array) -> tuple[Array, Array]:
        """Points (..., 2) in the unit square of the flow, and the jacobian (...)."""

    @abstractmethod
    def lines(self, axis: Array, number: int) -> Array:
        """Points (len(axis), number, 2) on lines of constant trivial coordinate."""

    @abstractmethod
    def terms(self, axis: Array) -> dict[str, Array]:
        """Terms of the fit to sigma, to be added in quadrature, for errors of 1 in the parameters (physics.md, 5)."""

    def minimum(self, sigma: Array) -> float:
        """Where the uncertainty has its lowest local minimum between ``peak`` and ``until``.

        Where it has none there, the place of its least value.
        """
        start = np.flatnonzero((self.axis >= self.peak[0]) & (self.axis <= self.peak[1]))
        first = start[np.argmax(sigma[start])]
        rest = np.flatnonzero((np.arange(len(self.axis)) >= first) & (self.axis <= self.until))
        inner = rest[1:-1]
        local = inner[(sigma[inner] <= sigma[inner - 1]) & (sigma[inner] <= sigma[inner + 1])]
        if not len(local):
            return float(self.axis[rest[np.argmin(sigma[rest])]])
        place = int(local[np.argmin(sigma[local])])
        # the vertex of a parabola through the lowest point and its neighbours
        low, middle, high = sigma[place - 1 : place + 2]
        bend = low - 2.0 * middle + high
        shift = 0.5 * (low - high) / bend if bend > 0.0 else 0.0
        return float(self.axis[place] + shift * (self.axis[1] - self.axis[0]))


class Ramp(Toy):
    """A density of x on the unit square, flat in y."""

    axis = np.linspace(0.02, 0.98, 97)
    until = 0.9
    label = "x"

    def to_flow(self, points: Array) -> tuple[Array, Array]:
        return points, np.ones(points.shape[:-1])

    def lines(self, axis: Array, number: int) -> Array:
        y = 0.1 + 0.8 * (np.arange(number) + 0.5) / number
        return np.stack(np.broadcast_arrays(axis[:, None], y), axis=-1)


class Wedge(Ramp):
    """``p = 2 x``."""

    name, judged, peak, window = "wedge", (0.1, 0.9), (0.15, 0.35), (0.35, 0.55)

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        return np.stack([np.sqrt(generator.random(n)), generator.random(n)], axis=1)

    def density(self, axis: Array) -> Array:
        return 2.0 * axis

    def terms(self, axis: Array) -> dict[str, Array]:
        return {"slope": np.abs(axis - 0.5), "upper end": np.full(len(axis), 2.0)}


class Kicker(Ramp):
    """``p = 3 x^2``."""

    name, judged, peak, window = "kicker", (0.2, 0.9), (0.25, 0.5), (0.58, 0.75)

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        return np.stack([np.cbrt(generator.random(n)), generator.random(n)], axis=1)

    def density(self, axis: Array) -> Array:
        return 3.0 * axis**2

    def terms(self, axis: Array) -> dict[str, Array]:
        return {"lower end": 9.0 * np.abs(axis * (axis - 2.0 / 3.0)), "upper end": 9.0 * axis**2}


class Ring(Toy):
    """``N(r; 4, 1)/(pi r)`` for y > 0; the flow lives on the plane, in logistic coordinates of unit width."""

    name, judged, peak, window = "ring", (1.5, 6.0), (2.0, 3.4), (3.8, 4.2)
    axis = np.linspace(1.5, 6.5, 101)
    until = 4.9
    label = "r"
    blocks = 8
    centre, width = np.array([0.0, 2.55]), np.array([2.92, 1.44]) / 1.814

    def sample(self, n: int, generator: np.random.Generator) -> Array:
        r = np.zeros(0)
        while len(r) < n:
            trial = generator.normal(4.0, 1.0, n)
            r = np.concatenate([r, trial[trial > 0.0]])
        phi = np.pi * generator.random(n)
        return np.stack([r[:n] * np.cos(phi), r[:n] * np.sin(phi)], axis=1)

    def density(self, axis: Array) -> Array:
        result: Array = np.exp(-0.5 * (axis - 4.0) ** 2) / np.sqrt(2.0 * np.pi) / (np.pi * axis)
        return result

    def to_flow(self, points: Array) -> tuple[Array, Array]:
        u = 1.0 / (1.0 + np.exp(-(points - self.centre) / self.width))
        return u, np.prod(u * (1.0 - u) / self.width, axis=-1)

    def lines(self, axis: Array, number: int) -> Array:
        phi = np.pi * (0.1 + 0.8 * (np.arange(number) + 0.5) / number)
        r = axis[:, None]
        return np.stack([r * np.cos(phi), r * np.sin(phi)], axis=-1)

    def terms(self, axis: Array) -> dict[str, Array]:
        p = self.density(axis)
        return {"mean": p * np.abs(axis - 4.0), "width": p * np.abs((axis - 4.0) ** 2 - 1.0)}


TOYS: dict[str, Toy] = {toy.name: toy for toy in (Wedge(), Kicker(), Ring())}
