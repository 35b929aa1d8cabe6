"""The width of the posterior, brought to what exact points say about it.

A mean-field posterior knows how far a flow may be off that learned from events. Here the flow has seen exact values of
the integrand, which say more than events do, and the widths come out too large, by a factor that varies by process.
Exact points that nothing was trained on tell the factor. It multiplies all widths (a tempered posterior), so that
replica weights, and the bands that are made of them, have the right size by themselves.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import pulls_of
from mcbridge.uncertainties.calibration import LEVELS, weighted_quantile

__all__ = ["temper"]

_ROUNDS = 3
_CLOSE = 0.05
_RANGE = (0.01, 10.0)
_LEAST = 200


def temper(
    make: Callable[[float], Replicas], sampler: Sampler, points: Samples, threads: int = 1
) -> tuple[Replicas, float]:
    """Replicas whose 68% interval covers 68% of the cross section of exact points.

    Arguments:
        make: replicas for a factor on all widths.
        sampler: to which they belong.
        points: exact points of all channels, none of which was trained on.
        threads: of the kernel.

    Returns:
        the replicas and the factor; those of the factor 1 where there are too few points, or no factor helps.
    """
    channels = len(sampler.channels)
    counts = np.maximum(np.bincount(points.channel, minlength=channels), 1)
    integrals = np.bincount(points.channel, np.abs(points.targets) / points.density, channels) / counts
    plain = sampler.replicas
    nominal = LEVELS["68"][0]
    first = found = make(1.0)
    scale = 1.0
    try:
        for _ in range(_ROUNDS):
            sampler.replicas = found
            pull, _, _, share = pulls_of(sampler, points, integrals, threads)
            kept = np.isfinite(pull)
            if int(np.sum(kept)) < _LEAST:
                return first, 1.0
            factor = weighted_quantile(np.abs(pull[kept]), share[kept], nominal)
            if abs(factor - 1.0) < _CLOSE:
                break
            scale = float(np.clip(scale * factor, *_RANGE))
            found = make(scale)
    except UserError:
        return first, 1.0
    finally:
        sampler.replicas = plain
    return found, scale
