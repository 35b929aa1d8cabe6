"""The logarithm of a ratio of two densities as a sum of polynomials in single observables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

from mcbridge.integrands import Array

__all__ = ["Additive", "fit_additive"]

_DEGREE = 4
_SIGNIFICANT = 3.0
_MOST = 12


@dataclass(frozen=True)
class Additive:
    """``log ratio = sum_j theta_j (P_j - mean_j)``, P_j Legendre polynomials of single columns.

    Attributes:
        chosen: places of the polynomials: column times degree.
        theta, mean: (chosen,).
    """

    chosen: tuple[int, ...]
    theta: Array
    mean: Array

    def __call__(self, table: npt.NDArray[np.float32]) -> Array:
        """(n,), of rows (n, columns) in [-1, 1]."""
        result = np.zeros(len(table))
        for place, theta, mean in zip(self.chosen, self.theta, self.mean, strict=True):
            column, degree = divmod(place, _DEGREE)
            coefficients = np.zeros(degree + 2)
            coefficients[-1] = theta
            result += legendre.legval(table[:, column].astype(np.float64), coefficients) - theta * mean
        return result


def fit_additive(reference: Any, candidate: Any, w_reference: Array, w_candidate: Array) -> Additive:
    """Choose polynomials one by one by the significance of what they still explain, until none has three sigma.

    For densities that differ little, ``theta = G^-1 d`` with d the difference of the means of the polynomials and G
    their covariance (the first Newton step of a logistic regression); few polynomials instead of all keep the noise of
    hundreds of coefficients out of the ratio.

    Arguments:
        reference, candidate: (n, columns) and (k, columns) in [-1, 1].
        w_reference, w_candidate: weights (n,) and (k,).
    """
    sums = [_moments(table, weight) for table, weight in ((reference, w_reference), (candidate, w_candidate))]
    difference = sums[1][0] - sums[0][0]
    mean = 0.5 * (sums[0][0] + sums[1][0])
    gram = 0.5 * (sums[0][1] + sums[1][1]) - np.outer(mean, mean)
    noise = np.sqrt(np.maximum(sums[0][2] + sums[1][2], 1e-300))
    usable = np.diag(gram) > 1e-6
    chosen: list[int] = []
    theta: Array = np.zeros(0)
    while len(chosen) < _MOST:
        left = difference - gram[:, chosen] @ theta
        pull = np.where(usable, np.abs(left) / noise, 0.0)
        pull[chosen] = 0.0
        best = int(np.argmax(pull))
        if pull[best] < _SIGNIFICANT:
            break
        trial = [*chosen, best]
        block = gram[np.ix_(trial, trial)]
        if np.linalg.cond(block) > 1e6:  # repeats what has been chosen
            usable[best] = False
            continue
        chosen, theta = trial, np.linalg.solve(block, difference[trial]).astype(np.float64)
    return Additive(tuple(chosen), theta, mean[chosen])


def _moments(table: Any, weight: Array) -> tuple[Array, Array, Array]:
    """Mean, mean of products, and variance of the mean of all polynomials of the columns."""
    share = weight / np.sum(weight)
    size = table.shape[1] * _DEGREE
    mean, products, squares = np.zeros(size), np.zeros((size, size)), np.zeros(size)
    for start in range(0, len(table), 20_000):
        part = table[start : start + 20_000].astype(np.float64)
        basis = legendre.legvander(part, _DEGREE)[:, :, 1:].reshape(len(part), size)
        own = share[start : start + 20_000]
        mean += own @ basis
        products += (basis * own[:, None]).T @ basis
        squares += (own**2) @ basis**2
    return mean, products, squares
