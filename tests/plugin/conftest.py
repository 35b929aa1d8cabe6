"""Integrands with known integrals, shared by the statistical tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np
import pytest

from mcbridge.integrands import Evaluation


@dataclass
class Known:
    """An integrand on the unit hypercube with one or several channels, and its exact integral."""

    name: str
    dim: int
    exact: float
    function: Callable[[np.ndarray], np.ndarray]
    channels: int = 1
    periodic: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.discrete: dict[int, tuple[float, ...]] = {}

    def __call__(self, u, channel):
        return Evaluation(self.function(u))


@dataclass
class Resonances:
    """A sum of Breit-Wigner peaks in the first coordinate times a slope in the others; one channel maps each peak.

    The prior channel weights are ``g_i / sum_j g_j``; the peaks' strengths differ from them, so that learning pays.
    """

    name: str
    dim: int
    peaks: tuple[tuple[float, float, float], ...]  # position, half width, strength

    def __post_init__(self) -> None:
        self.channels = len(self.peaks)
        self.periodic: tuple[int, ...] = ()
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.exact = sum(strength for _, _, strength in self.peaks)

    def density(self, x, index):
        position, width, _ = self.peaks[index]
        low, high = np.arctan((0 - position) / width), np.arctan((1 - position) / width)
        return width / ((x - position) ** 2 + width**2) / (high - low)

    def __call__(self, u, channel):
        position, width, _ = self.peaks[channel]
        low, high = np.arctan((0 - position) / width), np.arctan((1 - position) / width)
        x = position + width * np.tan(low + u[:, 0] * (high - low))
        densities = np.stack([self.density(x, i) for i in range(self.channels)], axis=1)
        shape = np.prod(0.5 + u[:, 1:], axis=1)
        value = shape * sum(peak[2] * densities[:, i] for i, peak in enumerate(self.peaks))
        features = np.concatenate([4 * x[:, None] - 2, 2 * u[:, 1:] - 1], axis=1)
        return Evaluation(value / densities[:, channel], densities / densities.sum(axis=1, keepdims=True), features)


def gauss(u, centre, width):
    return np.exp(-np.sum((u - centre) ** 2, axis=1) / (2 * width**2))


def gauss_integral(dim, centre, width):
    one = sqrt(pi / 2) * width * (erf((1 - centre) / (sqrt(2) * width)) + erf(centre / (sqrt(2) * width)))
    return one**dim


def known_integrands():
    two_peaks = Known(
        "two separated narrow peaks",
        3,
        gauss_integral(3, 0.25, 0.04) + gauss_integral(3, 0.75, 0.04),
        lambda u: gauss(u, 0.25, 0.04) + gauss(u, 0.75, 0.04),
    )
    # inside the simplex u_1 + u_2 + u_3 < 1: integral of exp(-s) s^2/2 over s from 0 to 1
    edge = Known("cut edge", 3, 1 - 2.5 * exp(-1), lambda u: np.where(u.sum(axis=1) < 1, np.exp(-u.sum(axis=1)), 0.0))
    signed = Known(
        "signed",
        2,
        gauss_integral(2, 0.4, 0.1) - 0.3 * gauss_integral(2, 0.6, 0.1),
        lambda u: gauss(u, 0.4, 0.1) - 0.3 * gauss(u, 0.6, 0.1),
    )
    two_channels = Resonances("two channels", 3, ((0.3, 0.01, 1.0), (0.7, 0.05, 0.5)))
    three_channels = Resonances("three channels", 2, ((0.2, 0.2, 1.0), (0.5, 0.02, 0.6), (0.8, 0.005, 0.2)))
    return {integrand.name: integrand for integrand in (two_peaks, edge, signed, two_channels, three_channels)}


KNOWN = known_integrands()


@pytest.fixture(params=sorted(KNOWN))
def known(request):
    return KNOWN[request.param]
