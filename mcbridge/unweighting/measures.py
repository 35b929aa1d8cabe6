"""Figures of merit of event weights."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array

__all__ = ["absolute_weights", "efficiency", "efficiency_after_cuts", "kish", "overweight_share"]


def absolute_weights(weights: Array) -> Array:
    """``|w|`` of weights (n,).

    Raises:
        UserError: where the weights are not one row of finite numbers.
    """
    sizes: Array = np.abs(np.asarray(weights, dtype=np.float64))
    if sizes.ndim != 1:
        raise UserError(f"weights has shape {sizes.shape}; it must have one dimension")
    if not np.all(np.isfinite(sizes)):
        raise UserError(f"weights has {int(np.sum(~np.isfinite(sizes)))} entries that are not finite")
    return sizes


def _positive(w_max: float) -> float:
    if not (np.isfinite(w_max) and w_max > 0.0):
        raise UserError(f"w_max is {w_max}; it must be a positive number")
    return float(w_max)


def efficiency(weights: Array, w_max: float) -> float:
    """Unweighting efficiency ``<|w|> / w_max`` of all trials, those outside the cuts included.

    Arguments:
        weights: (n,), of all trials.
        w_max: the largest weight by the policy in use.
    """
    sizes = absolute_weights(weights)
    return float(np.mean(sizes)) / _positive(w_max) if len(sizes) else 0.0


def efficiency_after_cuts(weights: Array, w_max: float) -> float:
    """Unweighting efficiency of the trials with a weight other than zero."""
    sizes = absolute_weights(weights)
    inside = np.count_nonzero(sizes)
    return float(np.sum(sizes)) / (inside * _positive(w_max)) if inside else 0.0


def overweight_share(weights: Array, w_max: float) -> float:
    """Share ``sum (|w| - w_max)+ / sum |w|`` of the cross section in excess of the largest weight."""
    sizes = absolute_weights(weights)
    total = float(np.sum(sizes))
    return float(np.sum(np.maximum(sizes - _positive(w_max), 0.0))) / total if total else 0.0


def kish(weights: Array) -> float:
    """Kish effective size ``(sum w)^2 / sum w^2`` of events with these weights (n,); 0 without any weight."""
    values = np.asarray(weights, dtype=np.float64)
    largest = float(np.max(np.abs(values), initial=0.0))
    if largest == 0.0:
        return 0.0
    scaled = values / largest  # so that tiny weights do not underflow when squared
    return float(np.sum(scaled) ** 2 / np.sum(scaled**2))
