"""Calibration: how far the Bayesian density is from the truth, in units of its own uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite, sqrt
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.integration.samples import Samples
from mcbridge.samplers import Sampler
from mcbridge.uncertainties.density import bayesian_density
from mcbridge.uncertainties.signs import positive_part

__all__ = ["LEVELS", "Calibration", "Coverage", "calibrate", "calibrate_pulls", "pulls_of", "weighted_quantile"]

LEVELS = {"68": (0.682689492137086, 1.0), "95": (0.954499736103642, 2.0)}
"""Nominal coverage and half width, in units of sigma, of the two intervals."""

EDGES = (0.0, 0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975, 1.0)
"""Quantiles of the density, weighted by cross section, in which coverage is reported."""

_CENTRAL = (0.025, 0.975)
_LEAST = 50.0
_TOLERANCE = 0.10


@dataclass(frozen=True)
class Coverage:
    """Coverage in one range of the density.

    Attributes:
        low, high: the range, in quantiles of the density under the cross section.
        points: effective number of points, ``(sum w)^2 / sum w^2``.
        raw, calibrated: share of points in the interval, by level; the calibrated one on points other than those
            that fixed the calibration.
    """

    low: float
    high: float
    points: float
    raw: dict[str, float]
    calibrated: dict[str, float]

    @property
    def error(self) -> float:
        """Standard error of the coverage at 68%."""
        return sqrt(0.68 * 0.32 / max(self.points / 2.0, 1.0))


@dataclass(frozen=True)
class Calibration:
    """Pulls and coverage on exact points that neither training nor choice has seen.

    ``pull = (log p - log f/I) / sigma_log`` (physics.md, section 5).

    Attributes:
        points: effective number of points.
        pull_mean, pull_width: of the pulls in the central 95% of the cross section (mean and root mean square).
        factor: for each level what sigma must be multiplied with, so that the interval covers.
        central: coverage over the central 95% of the cross section, by density.
        ranges: coverage in quantiles of the density.
        sigma: median of sigma_log.
        warnings: ranges that the calibrated intervals do not cover.
    """

    points: float
    pull_mean: float
    pull_width: float
    factor: dict[str, float]
    central: Coverage
    ranges: list[Coverage] = field(default_factory=list)
    sigma: float = 0.0
    warnings: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""

        def coverage(found: Coverage) -> dict[str, Any]:
            return {
                "quantiles": [found.low, found.high],
                "points": round(found.points, 1),
                "raw": {level: round(value, 4) for level, value in found.raw.items()},
                "calibrated": {level: round(value, 4) for level, value in found.calibrated.items()},
            }

        return {
            "points": round(self.points, 1),
            "pull_mean": round(self.pull_mean, 4),
            "pull_width": round(self.pull_width, 4),
            "median_sigma_log": round(self.sigma, 6),
            "calibration_factor": {level: round(value, 4) for level, value in self.factor.items()},
            "central": coverage(self.central),
            "by_density": [coverage(found) for found in self.ranges],
            "warnings": list(self.warnings),
        }

    def __str__(self) -> str:
        raw, after = self.central.raw, self.central.calibrated
        return (
            f"coverage of the 68% interval {raw['68']:.1%} (calibrated {after['68']:.1%}), of the 95% interval"
            f" {raw['95']:.1%} ({after['95']:.1%}); sigma to be multiplied with {self.factor['68']:.2f} and"
            f" {self.factor['95']:.2f}"
        )


def weighted_quantile(values: Array, weight: Array, share: float) -> float:
    """Smallest value with at least ``share`` of the weight at or below it; the largest where rounding leaves none."""
    order = np.argsort(values)
    cumulative = np.cumsum(weight[order])
    place = int(np.searchsorted(cumulative, share * cumulative[-1]))
    return float(values[order][min(place, len(values) - 1)])


def pulls_of(
    sampler: Sampler, samples: Samples, integrals: Sequence[float] | Array, threads: int = 1
) -> tuple[Array, Array, Array, Array]:
    """Pulls of exact points.

    Arguments:
        sampler: with replicas.
        samples: fresh points with their weights, of all channels.
        integrals: (channels,), the integral I_i of every channel, in the unit of the weights.

    Returns:
        of the points with a weight: pull (k,), logarithm of the exact density (k,), sigma_log (k,), and the share of
        the cross section (k,) that the point stands for.

    Raises:
        UserError: there are no replicas, or the integrand is a signed one (:func:`positive_part`).
    """
    positive = positive_part(samples)[0]
    live = positive.select(positive.targets > 0.0)
    counts = np.bincount(samples.channel, minlength=len(sampler.channels))
    if not len(live):
        raise UserError("all points for the calibration have weight zero")
    density = bayesian_density(sampler, live.u, live.channel, threads)
    integral = np.asarray(integrals, dtype=np.float64)[live.channel]
    log_truth = np.log(live.targets) - np.log(integral)
    sigma = density.sigma_log
    with np.errstate(divide="ignore", invalid="ignore"):
        pull = (np.log(density.mean) - log_truth) / sigma
    share = live.event_weights / counts[live.channel]
    return pull, log_truth, sigma, share / np.sum(share)


def calibrate(sampler: Sampler, samples: Samples, integrals: Sequence[float] | Array, threads: int = 1) -> Calibration:
    """Calibrate the replicas of a sampler; see :func:`pulls_of` and :func:`calibrate_pulls`."""
    pull, log_truth, sigma, share = pulls_of(sampler, samples, integrals, threads)
    return calibrate_pulls(pull, log_truth, sigma, share)


def calibrate_pulls(pull: Array, log_truth: Array, sigma: Array, share: Array) -> Calibration:
    """Coverage, and by split conformal prediction the factors that restore it.

    The points are split in two: the quantiles of |pull| at both levels, weighted with the cross section and taken
    over its central 95% in the density, come from one half, the calibrated coverage from the other (split conformal
    prediction, Papadopoulos et al. 2002; with weights, arXiv:1904.06019).

    Arguments:
        pull, log_truth, sigma: (k,), of points in the order in which they were drawn.
        share: (k,), of the cross section.

    Raises:
        UserError: there are too few points.
    """
    kept = np.isfinite(pull)
    effective = _effective(share)
    if effective < 2.0 * _LEAST or int(np.sum(kept)) < 2 * _LEAST:
        raise UserError(
            f"the calibration has {effective:.0f} effective points, {int(np.sum(kept))} of them with a finite pull; it"
            f" needs at least {2 * _LEAST:.0f}"
        )
    # Without a finite pull the point is outside every interval.
    size = np.where(kept, np.abs(pull), np.inf)
    order = np.argsort(log_truth, kind="stable")
    rank = np.empty(len(share))
    rank[order] = (np.cumsum(share[order]) - 0.5 * share[order]) / np.sum(share)
    central = (rank >= _CENTRAL[0]) & (rank < _CENTRAL[1])
    first = np.arange(len(pull)) % 2 == 0
    factor = {}
    for level, (nominal, width) in LEVELS.items():
        fixing = central & first
        wanted = min(1.0, nominal * (1.0 + 1.0 / _effective(share[fixing])))
        factor[level] = weighted_quantile(size[fixing], share[fixing], wanted) / width

    def coverage(low: float, high: float) -> Coverage:
        own = (rank >= low) & (rank < high)
        other = own & ~first
        raw, after = {}, {}
        for level, (_, width) in LEVELS.items():
            raw[level] = _share_below(size[own], share[own], width)
            after[level] = _share_below(size[other], share[other], factor[level] * width)
        return Coverage(low, high, _effective(share[own]), raw, after)

    ranges = [coverage(low, high) for low, high in pairwise(EDGES)]
    inner = central & kept
    weight = share[inner] / np.sum(share[inner])
    return Calibration(
        effective,
        float(weight @ pull[inner]),
        float(np.sqrt(weight @ pull[inner] ** 2)),
        factor,
        coverage(*_CENTRAL),
        ranges,
        weighted_quantile(sigma, share, 0.5),
        [text for found in ranges if (text := _warning(found))],
    )


def _warning(found: Coverage) -> str:
    nominal = LEVELS["68"][0]
    covered = found.calibrated["68"]
    if found.points < 20.0 or not isfinite(covered) or covered > nominal - _TOLERANCE - 3.0 * found.error:
        return ""
    where = f"density quantiles {found.low:g} to {found.high:g}"
    if found.low == 0.0:
        where += ", the lowest densities"
    if found.high == 1.0:
        where += ", the highest densities"
    return f"{where}: the calibrated 68% interval covers {covered:.0%} only; do not trust sigma_stat there"


def _effective(share: Array) -> float:
    squares = float(np.sum(share**2))
    return float(np.sum(share)) ** 2 / squares if squares > 0.0 else 0.0


def _share_below(size: Array, share: Array, width: float) -> float:
    total = float(np.sum(share))
    return float(np.sum(share[size <= width])) / total if total > 0.0 else float("nan")
