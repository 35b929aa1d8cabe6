"""Figures of merit of independent points, and a small multi-channel integrand."""

import numpy as np
import pytest

from mcbridge.integrands import Evaluation


class Channels:
    """``f(x) = 1`` in one dimension, with channels of prior weight ``shares``; all maps are the identity."""

    dim, periodic = 1, ()

    def __init__(self, shares):
        self.name, self.shares = "constant", np.asarray(shares, dtype=float)
        self.channels, self.discrete = len(shares), {}

    def __call__(self, u, channel):
        return Evaluation(np.ones(len(u)), np.tile(self.shares, (len(u), 1)))


@pytest.fixture
def constant():
    """Maker of the integrand with given prior weights."""
    return Channels
