"""Parameters from which every training starts: the identity."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import numpy.typing as npt

from mcbridge.core import FlowSpec

__all__ = ["identity_parameters"]


def identity_parameters(spec: FlowSpec, channels: int, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Flat parameters (channels, spec.parameters) with which the flow is the identity.

    Hidden layers are uniform in +-1/sqrt(inputs), the output layers of all conditioners zero.
    """
    parts: list[npt.NDArray[np.float64]] = []
    for block in range(spec.count):
        widths = spec.widths(block)
        for layer, (into, out) in enumerate(itertools.pairwise(widths)):
            bound = 0.0 if layer == spec.layers - 1 else 1.0 / sqrt(max(into, 1))
            parts.append(generator.uniform(-1.0, 1.0, (channels, out * (into + 1))) * bound)
    return np.concatenate(parts, axis=1).astype(np.float32)
