"""Leaving out channels that contribute next to nothing, without changing the integral."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, Evaluation
from mcbridge.integration.samples import Samples
from mcbridge.samplers.sampler import Sampler

__all__ = ["drop_channels"]

# Where the kept channels have less than this share of the channel weights, they do not cover the place well enough:
# their weights would grow by the inverse.
_COVER = 0.05


def drop_channels(sampler: Sampler, samples: Samples, threshold: float) -> Sampler:
    """A sampler without the channels whose share of the integral of |f| is below ``threshold``.

    The weights of a dropped channel go to the others in proportion, ``alpha_i / sum_kept alpha_j`` at every point, so
    that they still add up to 1 and the integral stays the same. A channel is kept, however small, if there is a point
    where the others do not cover what it covers.

    Arguments:
        sampler: a sampler of several channels.
        samples: points of all channels, for instance those of the survey.
        threshold: smallest share of a channel that is kept, at least 0 and below 1.

    Raises:
        UserError: for a threshold that is no share.
    """
    if not 0.0 <= threshold < 1.0:
        raise UserError(f"the threshold for channels is {threshold}; it must be at least 0 and below 1")
    active = np.array(sampler.active)
    if samples.alpha is None or np.sum(active) < 2:
        return sampler
    alpha = sampler.alpha(Evaluation(samples.weight, samples.alpha, samples.features))
    assert alpha is not None
    shares = _shares(samples, alpha)
    relevant = samples.weight != 0.0
    for channel in np.argsort(shares):
        if not active[channel] or shares[channel] >= threshold or np.sum(active) < 2:
            continue
        own = samples.channel == channel
        # A channel that never met the integrand is judged by all its points.
        looked_at = relevant | own if not np.any(relevant & own) else relevant
        kept = active.copy()
        kept[channel] = False
        if np.all(np.sum(alpha[looked_at][:, kept], axis=1) >= _COVER):
            active = kept
    return sampler.with_active(active.tolist())


def _shares(samples: Samples, alpha: Array) -> Array:
    """Share (channels,) of every channel in the integral of |f|."""
    own = alpha[np.arange(len(samples)), samples.channel]
    weights = np.abs(samples.weight * own / samples.density)
    channels = alpha.shape[1]
    counts = np.maximum(np.bincount(samples.channel, minlength=channels), 1)
    means = np.bincount(samples.channel, weights, channels) / counts
    total = float(np.sum(means))
    shares: Array = means / total if total > 0.0 else np.full(channels, 1.0 / channels)
    return shares
