"""Histograms of exact points against the histograms that replicas make of the same points."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.integration.samples import Samples
from mcbridge.samplers import Sampler
from mcbridge.uncertainties.density import bayesian_density
from mcbridge.uncertainties.signs import positive_part

__all__ = ["marginal_chi2", "replica_chi2"]

BINS = 8
_MIXED = 2  # directions beside the axes, for each axis
_SEED = 20260401  # of the directions


def replica_chi2(difference: Array, covariance: Array, replicas: int) -> tuple[float, int]:
    """chi2 and degrees of freedom of normalised histograms whose covariance was estimated from replicas.

    The last bin follows from the others and is left out. The inverse of a covariance that M replicas estimate is too
    large on average by ``(M - 1)/(M - bins - 2)`` (Hartlap et al., astro-ph/0608064), which is corrected.

    Arguments:
        difference: (bins,), of two normalised histograms.
        covariance: (bins, bins), of the difference.
        replicas: from how many it was estimated.
    """
    bins = len(difference) - 1
    if replicas < bins + 4:
        raise UserError(f"{replicas} replicas are too few for the covariance of {bins} bins; {bins + 4} are needed")
    kept = difference[:-1]
    try:
        found = float(kept @ np.linalg.solve(covariance[:-1, :-1], kept))
    except np.linalg.LinAlgError:
        return float("inf"), bins
    return found * (replicas - bins - 2) / (replicas - 1), bins


def _places(u: Array, channel: IntArray, share: Array) -> list[IntArray]:
    """Bins (n,) of equal content of several observables: every axis of the hypercube, and mixtures of them."""
    dim = u.shape[1]
    ranks = np.empty_like(u)
    for index in np.unique(channel):
        own = np.flatnonzero(channel == index)
        for axis in range(dim):
            order = own[np.argsort(u[own, axis], kind="stable")]
            content = np.cumsum(share[order])
            ranks[order, axis] = (content - 0.5 * share[order]) / content[-1]
    mixed = np.random.default_rng(_SEED).normal(size=(dim, _MIXED * dim if dim > 1 else 0))
    observables = [ranks[:, axis] for axis in range(dim)] + list((ranks @ mixed).T)
    places = []
    for values in observables:
        order = np.argsort(values, kind="stable")
        content = np.empty_like(share)
        content[order] = np.cumsum(share[order])
        places.append(np.minimum((BINS * content / content.max()).astype(np.int64), BINS - 1))
    return places


def marginal_chi2(sampler: Sampler, samples: Samples, threads: int = 1) -> tuple[float, float, int]:
    """How far histograms of exact points are from those of the replicas, in units of the replicas' covariance.

    Every observable (the axes of the hypercube and mixtures of them) has 8 bins of equal content. Truth and replicas
    are histogrammed with the same points, so that little of their scatter is left in the difference; what is left is
    measured on the points and added to the covariance.

    Arguments:
        sampler: with replicas.
        samples: fresh points with their weights, of all channels.
        threads: of the kernel.

    Returns:
        chi2 over degrees of freedom, mean over the observables; the share of that scatter in the variances of the
        bins; and the number of points with a weight.

    Raises:
        UserError: there are no replicas or too few, or the integrand is a signed one.
    """
    live = positive_part(samples)[0]
    live = live.select(live.targets > 0.0)
    if not len(live):
        return float("nan"), 1.0, 0
    channels = len(sampler.channels)
    counts = np.maximum(np.bincount(samples.channel, minlength=channels), 1)
    truth = live.event_weights / counts[live.channel]
    integrals = np.bincount(live.channel, truth, channels)
    drawn = live.event_weights / live.targets  # 1/g
    density = bayesian_density(sampler, live.u, live.channel, threads).replicas
    replicas = density * (drawn * integrals[live.channel] / counts[live.channel])
    truth = truth / np.sum(truth)
    replicas = replicas / np.sum(replicas, axis=1, keepdims=True)
    mean = replicas.mean(axis=0)
    found, scatter = [], []
    for place in _places(live.u, live.channel, truth):
        rows = np.stack([np.bincount(place, row, BINS) for row in replicas])
        difference = rows.mean(axis=0) - np.bincount(place, truth, BINS)
        noise = np.bincount(place, (mean - truth) ** 2, BINS)
        covariance = np.cov(rows, rowvar=False) + np.diag(noise)
        chi2, bins = replica_chi2(difference, covariance, len(rows))
        found.append(chi2 / bins)
        scatter.append(float(np.mean(noise / np.diag(covariance))))
    return float(np.mean(found)), float(np.mean(scatter)), len(live)
