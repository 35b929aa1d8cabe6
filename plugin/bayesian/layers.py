"""Where in the flat parameters of a flow the output layers are."""

from __future__ import annotations

import itertools

import numpy as np

from mcbridge.core import FlowSpec
from mcbridge.integrands.protocol import Array

__all__ = ["output_mask"]


def output_mask(spec: FlowSpec) -> Array:
    """(spec.parameters,), 1 for weights and biases of the last linear layer of every conditioner, otherwise 0."""
    parts: list[Array] = []
    for block in range(spec.count):
        for layer, (into, out) in enumerate(itertools.pairwise(spec.widths(block))):
            parts.append(np.full(out * (into + 1), float(layer == spec.layers - 1)))
    return np.concatenate(parts)
