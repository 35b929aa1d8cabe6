"""Transverse momenta, rapidities, angles of many momenta at once; momenta are (..., 4), (E, px, py, pz) [GeV]."""

from __future__ import annotations

import numpy as np

from mcbridge.integrands.protocol import Array

__all__ = ["azimuth", "decay_angles", "difference", "mass", "pseudorapidity", "rapidity", "transverse"]

_FARTHEST = 30.0  # (pseudo)rapidity that stands for the beam direction


def transverse(momenta: Array) -> Array:
    """pT [GeV]."""
    result: Array = np.hypot(momenta[..., 1], momenta[..., 2])
    return result


def azimuth(momenta: Array) -> Array:
    """Angle around the beam, in (-pi, pi]."""
    result: Array = np.arctan2(momenta[..., 2], momenta[..., 1])
    return result


def difference(first: Array, second: Array) -> Array:
    """Difference of two angles, in [-pi, pi)."""
    result: Array = np.mod(first - second + np.pi, 2.0 * np.pi) - np.pi
    return result


def pseudorapidity(momenta: Array) -> Array:
    """``eta = asinh(pz/pT)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.arcsinh(momenta[..., 3] / transverse(momenta))
    return _bounded(eta)


def rapidity(momenta: Array) -> Array:
    """``y = atanh(pz/E)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.arctanh(momenta[..., 3] / momenta[..., 0])
    return _bounded(y)


def _bounded(values: Array) -> Array:
    result: Array = np.clip(np.nan_to_num(values), -_FARTHEST, _FARTHEST)
    return result


def mass(momenta: Array) -> Array:
    """Invariant mass [GeV]; 0 for what rounding has made space-like."""
    square = momenta[..., 0] ** 2 - np.sum(momenta[..., 1:] ** 2, axis=-1)
    result: Array = np.sqrt(np.maximum(square, 0.0))
    return result


def decay_angles(parent: Array, child: Array, along_beam: bool) -> tuple[Array, Array]:
    """cos(theta) and phi of a child in the rest frame of its parent.

    Arguments:
        parent, child: (n, 4).
        along_beam: True: axes of the laboratory, for a parent that moves along the beam; False: z along the flight
            of the parent, y perpendicular to the beam (helicity frame), so that nothing depends on the azimuth of the
            parent.
    """
    energy = np.maximum(parent[:, 0], 1e-300)
    rest = np.maximum(mass(parent), 1e-7 * energy)
    flight, own = parent[:, 1:], child[:, 1:]
    gamma_term = child[:, 0] - np.sum(flight * own, axis=1) / (energy + rest)
    vector = own - flight * (gamma_term / rest)[:, None]
    if along_beam:
        x, y, z = vector.T
    else:
        axis = flight / np.maximum(np.linalg.norm(flight, axis=1), 1e-300)[:, None]
        across = np.stack([-axis[:, 1], axis[:, 0], np.zeros(len(axis))], axis=1)  # beam x axis
        across /= np.maximum(np.linalg.norm(across, axis=1), 1e-300)[:, None]
        z = np.sum(vector * axis, axis=1)
        y = np.sum(vector * across, axis=1)
        x = np.sum(vector * np.cross(across, axis), axis=1)
    size = np.maximum(np.sqrt(x**2 + y**2 + z**2), 1e-300)
    return np.clip(z / size, -1.0, 1.0), np.arctan2(y, x)
