"""Integrands for worker processes: by name, and able to die, to hang or to fail at chosen points."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcbridge.integrands import Evaluation, Metered
from mcbridge.samplers import Sampler


class Slope:
    """``2 u_0`` in two dimensions, in two channels of equal weight; what it does beside is up to ``deed``."""

    name = "slope"
    dim = 2
    channels = 2
    periodic = ()

    def __init__(self, deed=None):
        self.discrete = {}
        self.deed = deed

    def __call__(self, u, channel):
        if self.deed is not None:
            self.deed(u)
        return Evaluation(2.0 * u[:, 0] * (1.0 + u[:, 1]), np.full((len(u), 2), 0.5))


@dataclass(frozen=True)
class Make:
    """Makes a slope in a worker, with a deed that is done once (a file says whether it was)."""

    deed: str = ""
    flag: str = ""

    def __call__(self):
        return Metered(Slope(None if not self.deed else self.do))

    def do(self, u):
        if self.deed == "always die":
            os.kill(os.getpid(), 9)
        if self.deed == "wait":
            time.sleep(0.02)
        if self.deed in ("die", "hang") and u[0, 0] > 0.5:
            try:
                Path(self.flag).touch(exist_ok=False)
            except FileExistsError:
                return
            if self.deed == "die":
                os.kill(os.getpid(), 9)
            while True:  # holds on to Python's lock most of the time
                sum(range(1000))


def flat_sampler():
    """Uniform points in both channels."""
    from mcbridge.core import ChannelSampler

    grid = [np.linspace(0.0, 1.0, 5) for _ in range(2)]
    return Sampler([ChannelSampler(2, grid, None, None, None, 1.0) for _ in range(2)])
