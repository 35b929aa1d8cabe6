"""What "the largest weight" means: exact, at a quantile of the excess, or median of bootstrap maxima."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from mcbridge.errors import UserError, nearest
from mcbridge.integrands.protocol import Array
from mcbridge.unweighting.measures import absolute_weights

__all__ = ["Exact", "MedianOfMaxima", "Policy", "Quantile", "largest_weights", "policy_named"]


class Policy(Protocol):
    """A rule that finds the largest weight of a sample; 0 for a sample without any weight."""

    def __call__(self, weights: Array, generator: np.random.Generator) -> float:
        """``w_max`` from the weights (n,) of independent trials, zeros included."""
        ...


@dataclass(frozen=True)
class Exact:
    """The largest weight seen in a stated number of trials.

    Arguments:
        trials: how many of the weights are looked at (the first ones); all if None.
    """

    trials: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise UserError(f"trials is {self.trials}; it must be at least 1")

    def __call__(self, weights: Array, generator: np.random.Generator) -> float:
        sizes = absolute_weights(weights)
        if self.trials is not None and len(sizes) < self.trials:
            raise UserError(f"the largest weight of {self.trials} trials cannot be found in {len(sizes)} weights")
        return float(np.max(sizes[: self.trials], initial=0.0))


@dataclass(frozen=True)
class Quantile:
    """The smallest ``w_max`` with ``sum (|w| - w_max)+ <= q sum |w|`` (physics.md, section 3).

    Events above it keep the weight ``|w|/w_max > 1``: a share q of the cross section sits in the excess, none is lost.

    Arguments:
        q: share of the cross section in excess, 0 <= q < 1.
    """

    q: float = 1e-3

    def __post_init__(self) -> None:
        if not 0.0 <= self.q < 1.0:
            raise UserError(f"q is {self.q}; it must be at least 0 and less than 1")

    def __call__(self, weights: Array, generator: np.random.Generator) -> float:
        sizes = absolute_weights(weights)
        descending = np.sort(sizes[sizes > 0.0])[::-1]
        if not len(descending):
            return 0.0
        sums = np.cumsum(descending)
        allowed = self.q * float(sums[-1])
        number = np.arange(1, len(descending) + 1)
        # With the k largest weights above w_max, the excess is sums[k] - k w_max. It grows as w_max falls to the next
        # weight; the first k at which it would grow beyond what is allowed is the one at which to solve for w_max.
        below = np.append(descending[1:], 0.0)
        k = int(np.argmax(sums - number * below > allowed))
        return float(min(max((sums[k] - allowed) / number[k], below[k]), descending[0]))


@dataclass(frozen=True)
class MedianOfMaxima:
    """The median over bootstrap replicas of the maximum of n weights; insensitive to one outlier.

    Arguments:
        replicas: number of bootstrap replicas m.
        size: number of weights n in a replica.
    """

    replicas: int = 100
    size: int = 10_000

    def __post_init__(self) -> None:
        for name, value in (("replicas", self.replicas), ("size", self.size)):
            if value < 1:
                raise UserError(f"{name} is {value}; it must be at least 1")

    def __call__(self, weights: Array, generator: np.random.Generator) -> float:
        ascending = np.sort(absolute_weights(weights))
        if not len(ascending):
            return 0.0
        # The largest of n draws with replacement has rank <= r with probability (r/N)^n: one uniform number a replica.
        ranks = np.ceil(len(ascending) * generator.random(self.replicas) ** (1.0 / self.size)).astype(np.int64)
        return float(np.median(ascending[np.clip(ranks, 1, len(ascending)) - 1]))


def policy_named(name: str, quantile: float = 1e-3, replicas: int = 100, size: int = 10_000) -> Policy:
    """The policy of a name that a run card uses: ``exact``, ``quantile`` or ``median``.

    Arguments:
        quantile: q of :class:`Quantile`.
        replicas, size: those of :class:`MedianOfMaxima`.
    """
    policies: dict[str, Policy] = {
        "exact": Exact(),
        "quantile": Quantile(quantile),
        "median": MedianOfMaxima(replicas, size),
    }
    if name not in policies:
        raise UserError(
            f"the unweighting policy is '{name}'; it must be one of {', '.join(policies)}{nearest(name, policies)}"
        )
    return policies[name]


def largest_weights(weights: Sequence[Array], policy: Policy, generator: np.random.Generator) -> Array:
    """``w_max`` (channels,) of every channel from the weights of its independent trials.

    A channel without any weight gets 0 and is left out of the unweighting.
    """
    return np.array([policy(of_channel, generator) for of_channel in weights], dtype=np.float64)
