"""How many points every channel gets."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["allocate", "split"]


def allocate(sigmas: Array, floor: float = 0.1) -> Array:
    """Shares (channels,) of points, ``(1 - floor) sigma_i / sum_j sigma_j + floor / channels``.

    The first term is the best allocation; the floor keeps alive a channel whose sigma was measured too small.

    Arguments:
        sigmas: (channels,), standard deviation of one weight of every channel.
        floor: share of points that is distributed equally.
    """
    total = float(np.sum(sigmas))
    equal = np.full(len(sigmas), 1.0 / len(sigmas))
    shares: Array = (1.0 - floor) * sigmas / total + floor * equal if total > 0.0 else equal
    return shares


def split(total: int, shares: Array, minimum: int = 0) -> IntArray:
    """Whole numbers (k,) in proportion to ``shares`` (k,) that add up to ``total``.

    Arguments:
        minimum: smallest number for an entry with a positive share.

    Raises:
        UserError: where ``total`` is too small for the minimum.
    """
    live = np.flatnonzero(shares > 0.0)
    if total < minimum * len(live):
        raise UserError(
            f"{total} points are too few for {len(live)} channels; at least {minimum * len(live)} are needed"
        )
    counts = np.zeros(len(shares), dtype=np.int64)
    if len(live) == 0:
        return counts
    fractions = shares[live] / np.sum(shares[live])
    # Entries that would fall below the minimum are lifted to it; the others share what is left.
    low = np.zeros(len(live), dtype=bool)
    exact = fractions * total
    while not low.all() and bool(np.any(exact[~low] < minimum)):
        low |= exact < minimum
        rest = float(np.sum(fractions[~low]))
        left = total - minimum * int(np.sum(low))
        exact = np.where(low, float(minimum), fractions / rest * left if rest > 0.0 else 0.0)
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(whole - exact + 2.0 * low, kind="stable")
    for index in range(total - int(np.sum(whole))):
        whole[order[index % len(order)]] += 1
    counts[live] = whole
    return counts
