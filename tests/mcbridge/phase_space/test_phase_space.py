"""Maps of invariants and momenta of a pair."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.phase_space import BreitWignerMap, InvariantMap, PowerMap, lepton_pair_momenta
from mcbridge.random import Streams

STREAMS = Streams(20260714)
MAPS: list[InvariantMap] = [
    PowerMap(400.0, 1.69e8),
    PowerMap(400.0, 1.69e8, power=1.0),
    PowerMap(400.0, 1.69e8, power=0.5),
    BreitWignerMap(66.0**2, 116.0**2, 91.188, 2.4414),
    BreitWignerMap(50.0**2, 800.0**2, 400.0, 0.5),
    BreitWignerMap(66.0**2, 116.0**2, 400.0, 0.5),
]


@pytest.mark.parametrize("index", range(len(MAPS)))
def test_inverse_and_jacobian(index: int) -> None:
    mapping = MAPS[index]
    u = STREAMS.generator("inverse", index).random(2000) * 0.998 + 0.001
    s, derivative = mapping.forward(u)
    back, density = mapping.inverse(s)
    np.testing.assert_allclose(back, u, atol=1e-7)
    np.testing.assert_allclose(derivative * density, 1.0, rtol=1e-6)
    step = 1e-6
    numeric = (mapping.forward(u + step)[0] - mapping.forward(u - step)[0]) / (2 * step)
    np.testing.assert_allclose(derivative, numeric, rtol=1e-3, atol=1e-4 * float(np.median(derivative)))


@pytest.mark.parametrize("index", range(len(MAPS)))
def test_ends(index: int) -> None:
    s, derivative = MAPS[index].forward(np.array([0.0, 1.0]))
    low, high = MAPS[index].s_min, MAPS[index].s_max  # type: ignore[attr-defined]
    np.testing.assert_allclose(s, [low, high], rtol=1e-9)
    assert np.isfinite(derivative).all()
    assert (derivative > 0).all()


def test_integral_of_a_breit_wigner_has_no_variance() -> None:
    mapping = BreitWignerMap(66.0**2, 116.0**2, 91.188, 2.4414)
    s, derivative = mapping.forward(STREAMS.generator("flat").random(1000))
    values = derivative / ((s - 91.188**2) ** 2 + (91.188 * 2.4414) ** 2)
    assert np.ptp(values) < 1e-9 * values.mean()


@pytest.mark.parametrize("ends", [(0.0, 1.0), (2.0, 1.0), (1.0, math.inf)])
def test_wrong_range(ends: tuple[float, float]) -> None:
    with pytest.raises(UserError, match="invariant"):
        PowerMap(*ends)


@settings(max_examples=50, deadline=None)
@given(mass=st.floats(1.0, 1e4), y=st.floats(-5, 5), cos_theta=st.floats(-1, 1), phi=st.floats(0, 2 * math.pi))
def test_momenta(mass: float, y: float, cos_theta: float, phi: float) -> None:
    p = lepton_pair_momenta(*(np.array([value]) for value in (mass**2, y, cos_theta, phi)))[0]
    scale = p[:, 0].max()
    np.testing.assert_allclose(p[0] + p[1], p[2] + p[3], atol=1e-9 * scale)
    np.testing.assert_allclose(p[:, 0] ** 2, (p[:, 1:] ** 2).sum(axis=1), atol=1e-9 * scale**2)
    assert p[0, 3] == p[0, 0]
    assert p[1, 3] == -p[1, 0]
    total = p[0] + p[1]
    assert math.sqrt((total[0] - total[3]) * (total[0] + total[3])) == pytest.approx(mass, rel=1e-6)
    assert 0.5 * math.log(p[0, 0] / p[1, 0]) == pytest.approx(y, abs=1e-9)
    # invariant form of the angle: t = -s (1 - cos)/2 between the first incoming and the first outgoing
    dot = p[0, 0] * p[2, 0] - p[0, 1:] @ p[2, 1:]
    assert 4 * dot / mass**2 == pytest.approx(1 - cos_theta, abs=1e-7)
    assert math.hypot(p[2, 1], p[2, 2]) == pytest.approx(mass / 2 * math.sqrt(1 - cos_theta**2), abs=1e-7 * mass)
