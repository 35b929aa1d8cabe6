"""Momenta of two-body final states in the laboratory frame of two beams along z."""

from __future__ import annotations

import numpy as np

from mcbridge.integrands import Array

__all__ = ["lepton_pair_momenta"]


def lepton_pair_momenta(s: Array, y: Array, cos_theta: Array, phi: Array) -> Array:
    """Momenta of massless 2 -> 2 scattering.

    Arguments:
        s: (n,) squared centre-of-mass energy [GeV^2].
        y: (n,) rapidity of the centre of mass in the laboratory.
        cos_theta, phi: (n,) direction of the first outgoing particle in the centre-of-mass frame, against +z.

    Returns:
        (n, 4, 4) momenta (E, px, py, pz) [GeV]: incoming along +z, along -z, first and second outgoing.
    """
    half = np.sqrt(s) / 2
    sin_theta = np.sqrt(np.maximum(0.0, (1 - cos_theta) * (1 + cos_theta)))
    cosh, sinh = np.cosh(y), np.sinh(y)
    momenta = np.zeros((len(s), 4, 4))
    momenta[:, 0, 0] = momenta[:, 0, 3] = half * np.exp(y)
    momenta[:, 1, 0] = half * np.exp(-y)
    momenta[:, 1, 3] = -momenta[:, 1, 0]
    px, py = half * sin_theta * np.cos(phi), half * sin_theta * np.sin(phi)
    for index, sign in ((2, 1.0), (3, -1.0)):
        momenta[:, index, 0] = half * (cosh + sign * cos_theta * sinh)
        momenta[:, index, 1] = sign * px
        momenta[:, index, 2] = sign * py
        momenta[:, index, 3] = half * (sinh + sign * cos_theta * cosh)
    return momenta
