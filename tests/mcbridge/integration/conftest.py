"""Integrands whose integrals are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.integrands import Evaluation


class Toy:
    """An integrand of one channel: a function of u and its integral."""

    channels = 1
    periodic: tuple[int, ...] = ()

    def __init__(self, name, dim, function, exact, absolute=None, discrete=None):
        self.name, self.dim, self.function = name, dim, function
        self.exact, self.absolute = exact, exact if absolute is None else absolute
        self.discrete = discrete or {}

    def __call__(self, u, channel):
        return Evaluation(self.function(u))


class TwoChannels:
    """``f(x, y) = 3 x^2 + 4 (1-x)^3`` times ``2 y``; channel 0 maps x to x^2 density, channel 1 the other end.

    Each term integrates to 1. Prior weights are g_i / sum_j g_j of densities ``2x`` and ``2 (1-x)``.
    """

    name, dim, channels, periodic, exact, absolute = "two ends", 2, 2, (), 2.0, 2.0

    def __init__(self):
        self.discrete = {}

    def __call__(self, u, channel):
        x = np.sqrt(u[:, 0]) if channel == 0 else 1 - np.sqrt(u[:, 0])
        densities = np.stack([2 * x, 2 * (1 - x)], axis=1)
        f = (3 * x**2 + 4 * (1 - x) ** 3) * 2 * u[:, 1]
        own = np.maximum(densities[:, channel], 1e-300)
        return Evaluation(f / own, densities / densities.sum(axis=1, keepdims=True), x[:, None])


def step():
    return Toy("step", 2, lambda u: 7.0 * (u[:, 0] > 0.3) * (u[:, 1] < 0.77), 7.0 * 0.7 * 0.77)


def signed():
    # int (3x^2 - 1/2) = 1/2; zero at x0 = 1/sqrt(6): int |.| = 1/2 + 2 * (x0/2 - x0^3)
    zero = 1 / np.sqrt(6)
    return Toy(
        "signed", 2, lambda u: (3 * u[:, 0] ** 2 - 0.5) * 2 * u[:, 1], 0.5, absolute=0.5 + 2 * (zero / 2 - zero**3)
    )


def discrete():
    values = np.array([[1.0, 4.0], [0.0, 9.0], [2.0, 0.5]])
    first, second = (0.0, 0.2, 0.6, 1.0), (0.0, 0.5, 1.0)

    def function(u):
        i = np.searchsorted(first, u[:, 0], side="right") - 1
        j = np.searchsorted(second, u[:, 2], side="right") - 1
        return values[np.clip(i, 0, 2), np.clip(j, 0, 1)] * 3 * u[:, 1] ** 2

    exact = float(np.diff(first) @ values @ np.diff(second))
    return Toy("choices", 3, function, exact, discrete={0: first, 2: second})


def peak():
    from scipy.special import erf

    width = 0.02
    one = np.sqrt(np.pi / 2) * width * (erf(0.3 / np.sqrt(2) / width) + erf(0.7 / np.sqrt(2) / width))
    return Toy("peak", 3, lambda u: np.exp(-np.sum((u - 0.3) ** 2, axis=1) / (2 * width**2)), one**3)


MAKERS = {"step": step, "signed": signed, "two ends": TwoChannels, "choices": discrete, "peak": peak}


@pytest.fixture(params=MAKERS, ids=list(MAKERS))
def known(request):
    """Every integrand in turn."""
    return MAKERS[request.param]()


@pytest.fixture
def make():
    """Maker of a named integrand."""
    return lambda name: MAKERS[name]()
