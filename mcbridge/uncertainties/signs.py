"""Negative weights: a density has none, so that their share is stated where it is small and refused where it is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration.samples import Samples

__all__ = ["NEGATIVE_SHARE", "positive_part"]

NEGATIVE_SHARE = 1e-3
"""Largest share of negative points in the integral of the absolute value that is left out rather than refused.

Interpolated PDFs dip below zero where they vanish; such points do not make a process a signed one.
"""


def positive_part(samples: Samples) -> tuple[Samples, float]:
    """The points with every negative weight set to 0, and the share of those in the integral of the absolute value.

    Raises:
        UserError: the share is above ``NEGATIVE_SHARE``: the integrand is a signed one.
    """
    weights = samples.event_weights
    negative = weights < 0.0
    if not np.any(negative):
        return samples, 0.0
    share = float(np.sum(np.abs(weights[negative])) / np.sum(np.abs(weights)))
    if share > NEGATIVE_SHARE:
        raise UserError(
            f"{int(np.sum(negative))} of {len(samples)} event weights are negative, {share:.2g} of the integral of the"
            f" absolute value; a Bayesian flow learns a probability density and leaves out at most {NEGATIVE_SHARE:g}"
        )
    return replace(samples, weight=np.where(negative, 0.0, samples.weight)), share
