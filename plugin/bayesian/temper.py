"""The width of the posterior, brought to what exact points say about it.

A mean-field posterior knows how far a flow may be off that learned from events. Here the flow has seen exact values of
the integrand, which say more than events do, and the widths come out too large, by a factor that varies by process.
Exact points that nothing was trained on tell the factor: histograms of them are compared with those of the replicas. It
multiplies all widths, so that replica weights, and the bands that are made of them, have the right size by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties.marginals import marginal_chi2
from plugin.bayesian.posterior import BayesianFlow

__all__ = ["COLD", "sized_replicas", "temper"]

COLD = 0.1
"""Temperature of the posterior of a flow that has learned from exact values; exact points set its final width."""

_ROUNDS = 4
_CLOSE = 0.1  # of chi2/dof from 1
_RANGE = (0.01, 10.0)
_LEAST = 200
_SCATTER = 0.5


def sized_replicas(
    flow: BayesianFlow,
    number: int,
    generator: Callable[[], np.random.Generator],
    information: dict[str, Any],
    sampler: Sampler,
    points: Samples | None,
    threads: int = 1,
) -> tuple[Replicas, float]:
    """Replicas of a fitted posterior with the width that exact points ask for, and the factor on all widths.

    Arguments:
        flow: the posterior.
        number: of replicas.
        generator: makes the same random numbers again for every width.
        information: what the replicas remember, beside the factor.
        sampler: to which they belong.
        points: see :func:`temper`; None leaves the widths as they were fitted.
        threads: of the kernel.
    """

    def make(scale: float) -> Replicas:
        parameters = flow.replicas(number, generator(), scale)
        return Replicas(flow.spec, parameters, {**information, "width_factor": scale})

    return (make(1.0), 1.0) if points is None else temper(make, sampler, points, threads)


def temper(
    make: Callable[[float], Replicas], sampler: Sampler, points: Samples, threads: int = 1
) -> tuple[Replicas, float]:
    """Replicas whose histograms differ from those of exact points by what their covariance says.

    Arguments:
        make: replicas for a factor on all widths.
        sampler: to which they belong.
        points: exact points of all channels, none of which was trained on.
        threads: of the kernel.

    Returns:
        the replicas and the factor; those of the factor 1 where there are too few points or replicas, or no factor
        helps. Widths are not made smaller than what the scatter of the points lets one see.
    """
    plain = sampler.replicas
    first = found = make(1.0)
    scale = 1.0
    try:
        for _ in range(_ROUNDS):
            sampler.replicas = found
            chi2, scatter, used = marginal_chi2(sampler, points, threads)
            if used < _LEAST or not np.isfinite(chi2):
                return first, 1.0
            if abs(chi2 - 1.0) < _CLOSE or (chi2 < 1.0 and scatter > _SCATTER):
                break
            # The scatter of the points does not change with the widths.
            squared = max(chi2 - scatter, 0.1 * chi2) / (1.0 - scatter) if scatter < 1.0 else 1.0
            scale = float(np.clip(scale * np.clip(np.sqrt(squared), 0.2, 5.0), *_RANGE))
            found = make(scale)
    except UserError:
        return first, 1.0
    finally:
        sampler.replicas = plain
    return found, scale
