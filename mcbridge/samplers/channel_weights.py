"""Learned channel weights, evaluated without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array

__all__ = ["ChannelWeights"]

_ROWS = 192  # of a piece: it stays in the cache, and BLAS does not wake threads for so little
_SLOPE = 0.01  # of the leaky ReLU, as in the flow's networks


@dataclass(frozen=True)
class ChannelWeights:
    """Channel weights ``alpha_i = prior_i exp(D_i(features)) / sum_j prior_j exp(D_j(features))``.

    D is a multilayer perceptron with leaky ReLU 0.01 and a linear output; an output of zero gives the prior
    (arXiv:2212.06172, eq. 21). A channel with prior weight 0 at a point keeps weight 0 there.

    Arguments:
        layers: weight (out, in) and bias (out,) of every linear layer.
    """

    layers: tuple[tuple[Array, Array], ...]

    def __post_init__(self) -> None:
        if not self.layers:
            raise UserError("channel weights need at least one linear layer")
        size = None
        for index, (weight, bias) in enumerate(self.layers):
            if weight.ndim != 2 or bias.shape != (weight.shape[0],) or size not in (None, weight.shape[1]):
                raise UserError(f"layer {index} of the channel weights has shapes {weight.shape} and {bias.shape}")
            size = weight.shape[0]

    @property
    def features(self) -> int:
        """Number of features a point has."""
        return int(self.layers[0][0].shape[1])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.layers[-1][0].shape[0])

    def logits(self, features: Array) -> Array:
        """D (n, channels) for ``features`` (n, k)."""
        layers = [(np.asarray(weight, dtype=np.float64).T, bias) for weight, bias in self.layers]
        result = np.empty((len(features), self.channels))
        for start in range(0, len(features), _ROWS):
            values = np.asarray(features[start : start + _ROWS], dtype=np.float64)
            for index, (weight, bias) in enumerate(layers):
                values = values @ weight
                values += bias
                if index < len(layers) - 1:
                    np.maximum(values, _SLOPE * values, out=values)
            result[start : start + _ROWS] = values
        return result

    def __call__(self, features: Array, prior: Array) -> Array:
        """Channel weights (n, channels) from ``features`` (n, k) and the ``prior`` (n, channels); rows sum to 1."""
        if features.ndim != 2 or features.shape[1] != self.features or prior.shape[1:] != (self.channels,):
            raise UserError(
                f"the channel weights were trained for {self.features} features and {self.channels} channels, got"
                f" arrays of shape {features.shape} and {prior.shape}"
            )
        logits = self.logits(features)
        logits = logits - np.max(np.where(prior > 0.0, logits, -np.inf), axis=1, keepdims=True, initial=-1e300)
        weights = np.where(prior > 0.0, prior * np.exp(np.minimum(logits, 0.0)), 0.0)
        total = np.sum(weights, axis=1, keepdims=True)
        alpha: Array = np.where(total > 0.0, weights / np.where(total > 0.0, total, 1.0), prior)
        return alpha

    def to_arrays(self) -> dict[str, Array]:
        """Named arrays for the sampler file."""
        arrays: dict[str, Array] = {}
        for index, (weight, bias) in enumerate(self.layers):
            arrays[f"channel_weights.{index}.weight"] = np.ascontiguousarray(weight)
            arrays[f"channel_weights.{index}.bias"] = np.ascontiguousarray(bias)
        return arrays

    @staticmethod
    def from_arrays(arrays: Mapping[str, Array]) -> ChannelWeights | None:
        """Channel weights from the arrays of a sampler file; None where it has none."""
        layers: list[tuple[Array, Array]] = []
        while f"channel_weights.{len(layers)}.weight" in arrays:
            name = f"channel_weights.{len(layers)}"
            if f"{name}.bias" not in arrays:
                raise UserError(f"the sampler file has {name}.weight without {name}.bias")
            weight, bias = np.asarray(arrays[f"{name}.weight"]), np.asarray(arrays[f"{name}.bias"])
            layers.append((weight.reshape(len(bias), -1), bias))
        return ChannelWeights(tuple(layers)) if layers else None
