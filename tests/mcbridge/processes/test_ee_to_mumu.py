"""e+ e- -> mu+ mu- against the closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.events import check_batch
from mcbridge.processes import PROCESSES, process
from mcbridge.processes.ee_to_mumu import EeToMuMu
from mcbridge.random import Streams

STREAMS = Streams(20260713)
PB = 0.3893793721e9
E2 = 0.094835522759998875
Z = [(91.188, 2.441404)]


def closed_form(helicities: Any, energy: float, cos_max: float) -> float:
    equal, opposite = helicities(energy**2, None, Z)
    # |M|^2 = e^4/4 [equal (1 + cos)^2 + opposite (1 - cos)^2]
    return (
        E2**2
        / 4
        * (equal + opposite)
        * (2 * cos_max + 2 * cos_max**3 / 3)
        * 2
        * math.pi
        * PB
        / (64 * math.pi**2 * energy**2)
    )


@pytest.mark.parametrize("energy", [30.0, 91.188, 250.0])
def test_total(helicities: Any, energy: float) -> None:
    source = EeToMuMu(energy)
    weight = source(STREAMS.generator(f"total {energy}").random((200_000, 2)), 0).weight
    error = float(weight.std()) / math.sqrt(len(weight))
    assert error < 2e-3 * weight.mean()
    assert abs(float(weight.mean()) - closed_form(helicities, energy, 1.0)) < 4 * error


def test_pure_qed_limit() -> None:
    """Far below the Z: 4 pi alpha^2 / (3 s) up to the interference with the Z."""
    weight = EeToMuMu(5.0)(STREAMS.generator("qed").random((100_000, 2)), 0).weight
    alpha = E2 / (4 * math.pi)
    assert float(weight.mean()) == pytest.approx(4 * math.pi * alpha**2 / (3 * 25.0) * PB, rel=4e-3)


def test_cuts(helicities: Any) -> None:
    source = EeToMuMu(200.0, pt_min=40.0, eta_max=2.0)
    cos_max = min(math.sqrt(1 - 0.4**2), math.tanh(2.0))
    u = STREAMS.generator("cuts").random((200_000, 2))
    weight = source(u, 0).weight
    assert abs(float(weight.mean()) - closed_form(helicities, 200.0, cos_max)) < 4 * weight.std() / math.sqrt(len(u))
    p = source.events(u, 0, u).momenta[:, 2:]
    pt = np.hypot(p[..., 1], p[..., 2])
    assert pt.min() >= 40.0 - 1e-9
    assert np.abs(np.arcsinh(p[..., 3] / pt)).max() <= 2.0


@pytest.mark.parametrize("energy", [60.0, 91.188, 200.0])
def test_forward_backward_asymmetry(helicities: Any, energy: float) -> None:
    """mu- along e-: 3/4 (equal - opposite)/(equal + opposite), negative below the Z and positive above."""
    source = EeToMuMu(energy)
    u = STREAMS.generator(f"asymmetry {energy}").random((300_000, 2))
    weight = source(u, 0).weight
    batch = source.events(u, 0, u)
    assert (batch.pdg_ids == [11, -11, 13, -13]).all()
    sign = np.sign(batch.momenta[:, 2, 3])
    asymmetry = float((weight * sign).sum() / weight.sum())
    error = float(np.sqrt((weight**2 * (sign - asymmetry) ** 2).sum()) / weight.sum())
    equal, opposite = helicities(energy**2, None, Z)
    expected = 0.75 * (equal - opposite) / (equal + opposite)
    assert np.sign(expected) == (-1 if energy < 80 else 1)
    assert abs(asymmetry - expected) < 4 * error


def test_events() -> None:
    source = EeToMuMu(91.188)
    u = STREAMS.generator("events").random((1000, 2))
    batch = source.events(u, 0, u)
    check_batch(batch)
    assert (batch.scale == 91.188).all()
    assert (batch.colours == 0).all()
    assert (batch.process_id == 1).all()
    assert source.subprocesses == {1: "e- e+ > mu- mu+"}
    assert source.pdf_ids == (0, 0)
    assert "91.188" in source.describe()


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"pt_min": 50.0}, "pt_min"), ({"cms_energy": -1.0}, "cms_energy"), ({"eta_max": 0.0}, "eta_max")],
)
def test_mistakes(settings: dict[str, float], words: str) -> None:
    with pytest.raises(UserError, match=words):
        EeToMuMu(**settings)


def test_registry() -> None:
    assert process("ee-to-mumu") is EeToMuMu
    for name in PROCESSES:
        assert isinstance(process(name), type)
    with pytest.raises(UserError, match="did you mean 'drell-yan'"):
        process("drellyan")
