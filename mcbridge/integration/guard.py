"""Calls of an integrand under supervision: shapes checked, exceptions told, non-finite weights counted."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands.function import ComponentEvaluation
from mcbridge.integrands.protocol import Array, Evaluation, Integrand

__all__ = ["Failure", "FailureLog", "Guard", "evaluate"]

logger = logging.getLogger("mcbridge.integration")


@dataclass(frozen=True)
class Failure:
    """A point at which the integrand was not finite.

    Attributes:
        channel: the channel of the point.
        u: the point of the unit hypercube.
        value: what came back (nan or an infinity).
    """

    channel: int
    u: tuple[float, ...]
    value: float

    def __str__(self) -> str:
        coordinates = ", ".join(f"{coordinate:.17g}" for coordinate in self.u)
        return f"{self.value} at u = ({coordinates}) of channel {self.channel}"


@dataclass
class FailureLog:
    """How many weights were not finite, and where.

    Attributes:
        evaluations: all points evaluated so far.
        failures: those with a weight that was nan or infinite (they count with weight 0).
        examples: the first failures.
        keep: how many examples are kept.
    """

    evaluations: int = 0
    failures: int = 0
    examples: list[Failure] = field(default_factory=list)
    keep: int = 20

    @property
    def fraction(self) -> float:
        """Share of points that failed."""
        return self.failures / self.evaluations if self.evaluations else 0.0

    def record(self, u: Array, values: Array, channel: int) -> None:
        """Take down failing points ``u`` (n, dim) and their ``values`` (n,)."""
        if not self.failures:
            first = Failure(channel, tuple(map(float, u[0])), float(values[0]))
            logger.warning("the integrand returned %s; such points count as 0 and are reported", first)
        self.failures += len(u)
        for point, value in zip(u[: self.keep - len(self.examples)], values, strict=False):
            self.examples.append(Failure(channel, tuple(map(float, point)), float(value)))

    def __str__(self) -> str:
        lines = [f"{self.failures} of {self.evaluations} weights were not finite ({self.fraction:.2g})"]
        return "\n".join(lines + [f"  {example}" for example in self.examples])


@dataclass
class Guard:
    """What is tolerated of an integrand.

    Attributes:
        max_failure_fraction: largest share of non-finite weights; more than this raises AmplitudeError.
        minimum_points: the share is judged as if at least so many points had been evaluated, so that one early
            failure does not end a run.
        log: what happened so far.
    """

    max_failure_fraction: float = 1e-3
    minimum_points: int = 1000
    log: FailureLog = field(default_factory=FailureLog)

    def __post_init__(self) -> None:
        if not 0.0 <= self.max_failure_fraction <= 1.0:
            raise UserError(f"max_failure_fraction is {self.max_failure_fraction}; it must be between 0 and 1")
        if self.minimum_points < 0:
            raise UserError(f"minimum_points is {self.minimum_points}; it must not be negative")

    def inspect(self, name: str, u: Array, values: Array, channel: int) -> npt.NDArray[np.bool_]:
        """Mask (n,) of the failed rows of ``values`` (n,) or (n, size), counted in the log.

        Raises:
            AmplitudeError: where more weights failed than tolerated.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            total = values if values.ndim == 1 else np.sum(values, axis=1)
            # One sum tells of a whole batch whether there is anything to look for.
            clean = bool(np.isfinite(np.sum(total)))
        self.log.evaluations += len(u)
        failed = np.zeros(len(u), dtype=bool) if clean else ~_finite_rows(values)
        if failed.any():
            first = values[failed] if values.ndim == 1 else _first_bad(values[failed])
            self.log.record(u[failed], first, channel)
            allowed = self.max_failure_fraction * max(self.log.evaluations, self.minimum_points)
            if self.log.failures > allowed:
                raise AmplitudeError(
                    f"the integrand {name} returned weights that are not finite at {self.log.failures} of"
                    f" {self.log.evaluations} points, more than the tolerated fraction {self.max_failure_fraction:g};"
                    f" the first: {self.log.examples[0]}"
                )
        return failed


def _finite_rows(values: Array) -> npt.NDArray[np.bool_]:
    finite = np.isfinite(values)
    rows: npt.NDArray[np.bool_] = finite if values.ndim == 1 else np.all(finite, axis=1)
    return rows


def _first_bad(values: Array) -> Array:
    bad = ~np.isfinite(values)
    first: Array = values[np.arange(len(values)), np.argmax(bad, axis=1)]
    return first


def evaluate(integrand: Integrand, u: Array, channel: int, guard: Guard | None = None) -> Evaluation:
    """Evaluate an integrand and check what it returns; non-finite weights become 0 and are counted.

    Arguments:
        integrand: any integrand.
        u: (n, dim) points of the unit hypercube.
        channel: the channel.
        guard: what is tolerated; a fresh :class:`Guard` if None.

    Raises:
        AmplitudeError: where the integrand raises, returns the wrong type or shape, or too many weights that are not
            finite.
    """
    guard = Guard() if guard is None else guard
    try:
        result = integrand(u, channel)
    except UserError:
        raise
    except Exception as error:
        raise AmplitudeError(
            f"the integrand {integrand.name} raised {type(error).__name__} in channel {channel}: {error}"
        ) from error
    if not isinstance(result, Evaluation):
        raise AmplitudeError(
            f"the integrand {integrand.name} returned a {type(result).__name__}; it must return an Evaluation"
        )
    n = len(u)
    weight = _column(integrand, "weight", result.weight, (n,))
    alpha = features = None
    if result.alpha is not None:
        alpha = _column(integrand, "alpha", result.alpha, (n, integrand.channels))
    elif integrand.channels > 1:
        raise AmplitudeError(
            f"the integrand {integrand.name} has {integrand.channels} channels and returned no channel weights alpha"
        )
    if result.features is not None:
        features = _column(integrand, "features", result.features, (n, -1))
    components = result.components if isinstance(result, ComponentEvaluation) else None
    if components is not None:
        components = _column(integrand, "components", components, (n, -1))
    failed = guard.inspect(integrand.name, u, weight if components is None else components, channel)
    if failed.any():
        weight = np.where(failed, 0.0, weight)
        if components is not None:
            components = np.where(failed[:, None], 0.0, components)
    if alpha is not None:
        _check_alpha(integrand, alpha, weight)
        if not np.isfinite(np.sum(alpha)):  # outside the cuts a channel weight may be undefined
            alpha = np.where((weight != 0.0)[:, None], alpha, 1.0 / integrand.channels)
    if features is not None and not np.isfinite(np.sum(features)):
        features = np.where((weight != 0.0)[:, None], features, 0.0)
        if not np.isfinite(np.sum(features)):
            raise AmplitudeError(f"the integrand {integrand.name} returned features that are not finite")
    if components is not None:
        return ComponentEvaluation(weight, alpha, features, components)
    return Evaluation(weight, alpha, features)


def _column(integrand: Integrand, name: str, value: object, shape: tuple[int, ...]) -> Array:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise AmplitudeError(f"the integrand {integrand.name} returned {name} that is no array of numbers") from None
    expected = tuple(
        array.shape[axis] if length < 0 and array.ndim > axis else length for axis, length in enumerate(shape)
    )
    if array.shape != expected:
        raise AmplitudeError(
            f"the integrand {integrand.name} returned {name} of shape {array.shape} for {shape[0]} points; expected"
            f" {str(shape).replace('-1', 'k')}"
        )
    return array


def _check_alpha(integrand: Integrand, alpha: Array, weight: Array) -> None:
    """Channel weights must lie in [0, 1] and sum to 1 wherever the integrand does not vanish."""
    wrong = (weight != 0.0) & ~((np.abs(np.sum(alpha, axis=1) - 1.0) < 1e-6) & (np.min(alpha, axis=1) >= 0.0))
    if wrong.any():
        row = alpha[np.argmax(wrong)]
        raise AmplitudeError(
            f"the integrand {integrand.name} returned the channel weights {np.array2string(row, threshold=8)}; they"
            " must lie between 0 and 1 and sum to 1"
        )
