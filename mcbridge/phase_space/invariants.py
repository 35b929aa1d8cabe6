"""Maps of an invariant mass squared that flatten a propagator, in closed form."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import Array

__all__ = ["BreitWignerMap", "InvariantMap", "PowerMap"]


class InvariantMap(Protocol):
    """A map of u in [0, 1] to s in [s_min, s_max] [GeV^2]."""

    def forward(self, u: Array) -> tuple[Array, Array]:
        """s and ds/du of the points u, both (n,) [GeV^2]."""
        ...

    def inverse(self, s: Array) -> tuple[Array, Array]:
        """u of the points s and the density du/ds, both (n,)."""
        ...


def _check(s_min: float, s_max: float) -> None:
    if not (math.isfinite(s_max) and 0 < s_min < s_max):
        raise UserError(f"range of an invariant: {s_min} to {s_max} GeV^2 was given; 0 < minimum < maximum is needed.")


class PowerMap:
    """Density proportional to s^-power, for a massless propagator and falling parton luminosities.

    Arguments:
        s_min, s_max: range [GeV^2].
        power: exponent; 1 gives a map uniform in log s.
    """

    def __init__(self, s_min: float, s_max: float, power: float = 2.0) -> None:
        _check(s_min, s_max)
        self.s_min, self.s_max, self.power = s_min, s_max, power
        self._ratio = s_max / s_min
        self._log = abs(power - 1) < 1e-9
        self._end = math.log(self._ratio) if self._log else self._ratio ** (1 - power) - 1

    def forward(self, u: Array) -> tuple[Array, Array]:
        """s and ds/du of the points u, both (n,) [GeV^2]."""
        if self._log:
            s = self.s_min * np.exp(u * self._end)
            return s, s * self._end
        exponent = 1 - self.power
        base = 1 + u * self._end
        s = np.minimum(self.s_min * base ** (1 / exponent), self.s_max)
        return s, s * self._end / (exponent * base)

    def inverse(self, s: Array) -> tuple[Array, Array]:
        """u of the points s and the density du/ds, both (n,)."""
        if self._log:
            return np.log(s / self.s_min) / self._end, 1 / (s * self._end)
        exponent = 1 - self.power
        base = (s / self.s_min) ** exponent
        return (base - 1) / self._end, exponent * base / (s * self._end)


class BreitWignerMap:
    """Density proportional to 1/((s - m^2)^2 + m^2 Gamma^2).

    Arguments:
        s_min, s_max: range [GeV^2].
        mass, width: of the resonance [GeV]; it may lie outside the range.
    """

    def __init__(self, s_min: float, s_max: float, mass: float, width: float) -> None:
        _check(s_min, s_max)
        self.s_min, self.s_max, self.mass, self.width = s_min, s_max, mass, width
        self._scale = mass * width
        self._low = math.atan((s_min - mass**2) / self._scale)
        self._range = math.atan((s_max - mass**2) / self._scale) - self._low

    def forward(self, u: Array) -> tuple[Array, Array]:
        """s and ds/du of the points u, both (n,) [GeV^2]."""
        distance = self._scale * np.tan(self._low + u * self._range)
        s = np.clip(distance + self.mass**2, self.s_min, self.s_max)
        return s, (distance**2 + self._scale**2) / self._scale * self._range

    def inverse(self, s: Array) -> tuple[Array, Array]:
        """u of the points s and the density du/ds, both (n,)."""
        distance = s - self.mass**2
        u = (np.arctan(distance / self._scale) - self._low) / self._range
        return u, self._scale / ((distance**2 + self._scale**2) * self._range)
