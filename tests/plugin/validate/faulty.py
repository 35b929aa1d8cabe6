"""Samplers that lie: what a validation must find."""

from __future__ import annotations

import numpy as np

from mcbridge.samplers import Sampler


def of(sampler, **changes):
    """A copy of a sampler with other methods."""
    kind = type("Faulty", (Sampler,), changes)
    return kind(sampler.channels, sampler.channel_weights, sampler.metadata, sampler.active, sampler.replicas)


def tilted(sampler, axis=0, size=0.05):
    """The reported density is off by the factor 1 + size (2u - 1) in one variable."""

    def draw(self, channel, n, generator, threads=1):
        u, density = Sampler.draw(self, channel, n, generator, threads)
        return u, density * (1.0 + size * (2.0 * u[:, axis] - 1.0))

    def density(self, channel, u, threads=1):
        return Sampler.density(self, channel, u, threads) * (1.0 + size * (2.0 * u[:, axis] - 1.0))

    return of(sampler, draw=draw, density=density)


def with_a_hole(sampler, inside):
    """Weights are zero where ``inside(u, channel)``."""

    def draw(self, channel, n, generator, threads=1):
        u, density = Sampler.draw(self, channel, n, generator, threads)
        return u, np.where(inside(u, channel), 1e300, density)

    return of(sampler, draw=draw)


def with_a_wrong_channel(sampler, channel, factor=1.05, weight="alpha"):
    """The weights of one channel are off by a factor: in its channel weight, or in its density."""

    def alpha(self, evaluation):
        found = Sampler.alpha(self, evaluation).copy()
        found[:, channel] *= factor
        return found

    def draw(self, index, n, generator, threads=1):
        u, density = Sampler.draw(self, index, n, generator, threads)
        return u, density / (factor if index == channel else 1.0)

    return of(sampler, alpha=alpha) if weight == "alpha" else of(sampler, draw=draw)
