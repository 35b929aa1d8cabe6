"""Constants and checks that all processes share."""

from __future__ import annotations

import math

from mcbridge.errors import UserError, nearest

__all__ = ["GEV2_PB", "LEPTONS", "finite", "lepton_id", "positive"]

GEV2_PB = 0.3893793721e9
"""Conversion of a cross section from GeV^-2 to pb (CODATA 2018, (hbar c)^2)."""

LEPTONS = {"e": 11, "mu": 13, "tau": 15}


def finite(name: str, value: float, minimum: float = 0.0) -> float:
    """The value as a float if it is finite and at least the minimum.

    Raises:
        UserError: it is not.
    """
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value >= minimum):
        raise UserError(f"{name}: {value!r} was given; it must be a number of at least {minimum:g}.")
    return float(value)


def positive(name: str, value: float) -> float:
    """The value as a float if it is finite and above zero.

    Raises:
        UserError: it is not.
    """
    if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
        raise UserError(f"{name}: {value!r} was given; it must be a positive number.")
    return float(value)


def lepton_id(name: str) -> int:
    """The PDG number of the negatively charged lepton of a name.

    Raises:
        UserError: there is no such lepton.
    """
    if name not in LEPTONS:
        raise UserError(f"lepton: '{name}' was given; allowed are {', '.join(LEPTONS)}{nearest(name, LEPTONS) or '.'}")
    return LEPTONS[name]
