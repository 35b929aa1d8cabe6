"""Cuts by particle: the mask, the bounds they imply, and impossible ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.processes.cuts import Cuts


def point(*outgoing: tuple[float, float, float]) -> np.ndarray:
    """One point with massless outgoing particles of given (pT, eta, phi); the incoming are not looked at."""
    momenta = np.zeros((1, 2 + len(outgoing), 4))
    for index, (pt, eta, phi) in enumerate(outgoing, start=2):
        momenta[0, index] = [pt * math.cosh(eta), pt * math.cos(phi), pt * math.sin(phi), pt * math.sinh(eta)]
    return momenta


@pytest.mark.parametrize(
    ("cuts", "passes"),
    [
        (Cuts(), True),
        (Cuts(pt_min=19.9), True),
        (Cuts(pt_min=20.1), False),
        (Cuts(pt_min={11: 35.0, -11: 15.0}), True),
        (Cuts(pt_min={11: 45.0}), False),
        (Cuts(eta_max=1.6), True),
        (Cuts(eta_max={-11: 1.4}), False),
        (Cuts(eta_max={11: 0.6}), True),
        (Cuts(dr_min=2.2), True),
        (Cuts(dr_min={(-11, 11): 2.3}), False),
        (Cuts(mass_min=74.5, mass_max=75.5), False),
    ],
)
def test_mask(cuts: Cuts, passes: bool) -> None:
    """pT 40 and 20, eta 0.5 and -1.5, phi 3.0 and -2.283: across the seam of phi, distance sqrt(4 + 1)."""
    momenta = point((40.0, 0.5, 3.0), (20.0, -1.5, 4.0 - 2 * math.pi))
    assert bool(cuts.bind((11, -11), (0.0, 0.0), 1000.0)(momenta)[0]) is passes


def test_pair_mass() -> None:
    momenta = point((40.0, 0.5, 3.0), (20.0, -1.5, 4.0))
    mass = math.sqrt(2 * 40 * 20 * (math.cosh(2.0) - math.cos(1.0)))
    for shift, passes in ((-0.01, True), (0.01, False)):
        assert bool(Cuts(mass_min=mass + shift).bind((11, -11), (0, 0), 1000.0)(momenta)[0]) is passes
        assert bool(Cuts(mass_max=mass + shift).bind((11, -11), (0, 0), 1000.0)(momenta)[0]) is not passes


def test_smallest_energy() -> None:
    assert Cuts(pt_min={5: 30.0}).bind((5, 6), (0.0, 173.0), 1000.0).smallest_energy == pytest.approx(203.0)
    assert Cuts(mass_min=50.0).bind((11, -11, 23), (0, 0, 91.0), 1000.0).smallest_energy == pytest.approx(141.0)


@pytest.mark.parametrize(
    ("cuts", "words"),
    [
        (Cuts(pt_min=600.0), "1200 GeV"),
        (Cuts(mass_min=1100.0), "1100 GeV"),
        (Cuts(mass_min=100.0, mass_max=50.0), "mass_max"),
        (Cuts(mass_max=0.0), "mass_"),
        (Cuts(dr_min=9.0, eta_max=2.5), "dr_min"),
        (Cuts(eta_max=0.0), "eta_max"),
        (Cuts(pt_min=-1.0), "pt_min"),
        (Cuts(pt_min=float("nan")), "pt_min"),
        (Cuts(pt_min={13: 10.0}), "particle 13"),
        (Cuts(dr_min={(11, 13): 0.4}), "pair"),
    ],
)
def test_impossible(cuts: Cuts, words: str) -> None:
    with pytest.raises(UserError, match=words):
        cuts.bind((11, -11), (0.0, 0.0), 1000.0)


def test_limits_given_to_the_maps() -> None:
    settings: dict[str, Any] = {"pt_min": {21: 20.0}, "eta_max": 2.5}
    folded = Cuts(**settings).bind((11, -11, 21), (0, 0, 0), 1000.0).for_map()
    assert folded.pt_min() == [0.0, 0.0, 20.0]
    assert folded.eta_max() == [2.5, 2.5, 2.5]
    assert folded.sqrt_s_min() == 20.0
