"""Closed-form electroweak amplitudes against helicity sums and known limits."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mcbridge.amplitudes.electroweak import Boson, Couplings, angular_coefficients, cross_section
from mcbridge.errors import UserError

COUPLINGS = Couplings()


def helicity_sum(s: float, cos_theta: float, charge: float, isospin: float, colours: int, z2: Boson | None) -> float:
    """|M|^2 from 4 u^2 |P|^2 for equal and 4 t^2 |P|^2 for opposite helicities, in momenta."""
    sw2, e2 = COUPLINGS.sin2_theta, COUPLINGS.e2
    t, u = -s * (1 - cos_theta) / 2, -s * (1 + cos_theta) / 2
    total = 0.0
    for left in (True, False):
        for left_out in (True, False):
            g = (isospin if left else 0.0) - charge * sw2
            h = (-0.5 if left_out else 0.0) + sw2
            amplitude = complex(-charge / s)
            bosons = [COUPLINGS.z] + ([z2] if z2 else [])
            for boson in bosons:
                amplitude += (
                    boson.coupling**2 * g * h / (sw2 * (1 - sw2)) / complex(s - boson.mass**2, boson.mass * boson.width)
                )
            total += 4 * (u if left == left_out else t) ** 2 * abs(e2 * amplitude) ** 2
    return total / (4 * colours)


@pytest.mark.parametrize(
    ("pid", "charge", "isospin", "colours"),
    [(2, 2 / 3, 0.5, 3), (1, -1 / 3, -0.5, 3), (5, -1 / 3, -0.5, 3), (11, -1, -0.5, 1)],
)
@pytest.mark.parametrize("energy", [20.0, 85.0, 91.188, 150.0, 399.8, 1000.0])
@pytest.mark.parametrize("with_second", [False, True])
def test_helicity_sum(pid: int, charge: float, isospin: float, colours: int, energy: float, with_second: bool) -> None:
    second = Boson(400.0, 0.5, 0.7) if with_second else None
    bosons = [COUPLINGS.z] + ([second] if second else [])
    s = energy**2
    even, odd = angular_coefficients(np.array([s]), [pid], 13, COUPLINGS, bosons)
    for cos_theta in (-0.9, -0.2, 0.0, 0.6):
        value = float(even[0, 0]) * (1 + cos_theta**2) + float(odd[0, 0]) * 2 * cos_theta
        assert value == pytest.approx(helicity_sum(s, cos_theta, charge, isospin, colours, second), rel=1e-12)


def test_photon_alone() -> None:
    """4 pi alpha^2 / (3 s) for e+ e- -> mu+ mu-, Q^2/3 of it for a quark."""
    s = 30.0**2
    expected = 4 * math.pi * COUPLINGS.alpha**2 / (3 * s)
    assert cross_section(s, 11, 13, COUPLINGS, []) == pytest.approx(expected, rel=1e-12)
    assert cross_section(s, 2, 13, COUPLINGS, []) == pytest.approx(expected * 4 / 27, rel=1e-12)


def test_columns_follow_the_flavours() -> None:
    s = np.array([50.0**2, 91.188**2])
    even, odd = angular_coefficients(s, [1, 2, 3, 4], 11, COUPLINGS, [COUPLINGS.z])
    assert even.shape == odd.shape == (2, 4)
    np.testing.assert_array_equal(even[:, 0], even[:, 2])
    np.testing.assert_array_equal(odd[:, 1], odd[:, 3])
    assert (even > np.abs(odd)).all()


@pytest.mark.parametrize(("settings", "words"), [({"e2": 0.0}, "e2"), ({"sin2_theta": 1.0}, "sin2_theta")])
def test_mistakes(settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        Couplings(**settings)  # type: ignore[arg-type]


def test_wrong_boson() -> None:
    with pytest.raises(UserError, match="mass"):
        Boson(-1.0, 1.0)
