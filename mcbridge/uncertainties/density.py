"""What the replicas of a sampler say about points: mean density, its spread, and ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.samplers import Sampler

__all__ = ["BayesianDensity", "bayesian_density"]


@dataclass(frozen=True)
class BayesianDensity:
    """The Bayesian density of n points, each in the channel that drew it.

    Attributes:
        replicas: (M, n), densities ``p(u|theta_m)`` per unit volume of the hypercube.
    """

    replicas: Array

    @property
    def mean(self) -> Array:
        """(n,), ``p(u) = (1/M) sum_m p(u|theta_m)`` (arXiv:2104.04543, eq. 10)."""
        result: Array = np.mean(self.replicas, axis=0)
        return result

    @property
    def ratios(self) -> Array:
        """(n, M), ``p(u|theta_m)/p(u)``; 1 where p vanishes, which says nothing about the point."""
        mean = self.mean
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios: Array = np.where(mean > 0.0, self.replicas / mean, 1.0).T
        return np.ascontiguousarray(ratios)

    @property
    def relative(self) -> Array:
        """(n,), ``sigma_pred/p``, the standard deviation of the replicas over their mean (arXiv:2104.04543, eq. 11)."""
        result: Array = np.std(self.ratios, axis=1, ddof=1)
        return result

    @property
    def sigma_log(self) -> Array:
        """(n,), standard deviation of the logarithms of the replicas."""
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Array = np.std(np.log(self.replicas), axis=0, ddof=1)
        return result


def bayesian_density(sampler: Sampler, u: Array, channel: IntArray, threads: int = 1) -> BayesianDensity:
    """Densities of points ``u`` (n, dim) under the replicas of the channel that drew each of them.

    A phase-space point can be reached by several channels, each with a density of its own. What was learned is the
    density of every channel, ``alpha_i f/I_i``, and the event was drawn in one of them; so its replicas are the
    replicas of that channel.

    Raises:
        UserError: the sampler has no replicas.
    """
    found = np.empty((0 if sampler.replicas is None else len(sampler.replicas), len(u)))
    for index in np.unique(channel):
        own = np.flatnonzero(channel == index)
        found[:, own] = sampler.replica_densities(int(index), u[own], threads)
    return BayesianDensity(found)
