"""Calls of an integrand under supervision: shapes checked, exceptions and non-finite weights counted."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands.function import ComponentEvaluation
from mcbridge.integrands.protocol import Array, Evaluation, Integrand

__all__ = ["Failure", "FailureLog", "Guard", "evaluate"]

logger = logging.getLogger("mcbridge.integration")

_HOPELESS = 100  # points that raise, without one that does not, after which an integrand counts as broken


@dataclass(frozen=True)
class Failure:
    """A point at which the integrand was not finite or raised.

    Attributes:
        channel: the channel of the point.
        u: the point of the unit hypercube.
        value: what came back (nan or an infinity); nan for an exception.
        error: the exception, or empty.
    """

    channel: int
    u: tuple[float, ...]
    value: float
    error: str = ""

    def __str__(self) -> str:
        coordinates = ", ".join(f"{coordinate:.17g}" for coordinate in self.u)
        return f"{self.error or self.value} at u = ({coordinates}) of channel {self.channel}"


@dataclass
class FailureLog:
    """How many weights were not finite, and where.

    Attributes:
        evaluations: all points evaluated so far.
        failures: those with a weight that was nan or infinite, or an exception (they count with weight 0).
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

    def record(self, u: Array, values: Array, channel: int, errors: Sequence[str] = ()) -> None:
        """Take down failing points ``u`` (n, dim) and their ``values`` (n,), or the exceptions that they raised."""
        texts = errors or [""] * len(u)
        if not self.failures:
            first = Failure(channel, tuple(map(float, u[0])), float(values[0]), texts[0])
            logger.warning("the integrand returned %s; such points count as 0 and are reported", first)
        self.failures += len(u)
        for point, value, text in zip(u[: self.keep - len(self.examples)], values, texts, strict=False):
            self.examples.append(Failure(channel, tuple(map(float, point)), float(value), text))

    def join(self, other: FailureLog) -> None:
        """Add what happened elsewhere."""
        self.evaluations += other.evaluations
        self.failures += other.failures
        self.examples.extend(other.examples[: self.keep - len(self.examples)])

    def as_json(self) -> dict[str, Any]:
        """Everything, for a file."""
        examples = [[one.channel, list(one.u), str(one.value), one.error] for one in self.examples]
        return {"evaluations": self.evaluations, "failures": self.failures, "examples": examples}

    @staticmethod
    def from_json(data: dict[str, Any]) -> FailureLog:
        """What :meth:`as_json` wrote."""
        examples = [
            Failure(int(channel), tuple(map(float, u)), float(value), str(error))
            for channel, u, value, error in data["examples"]
        ]
        return FailureLog(int(data["evaluations"]), int(data["failures"]), examples)

    def __str__(self) -> str:
        lines = [f"{self.failures} of {self.evaluations} weights were not finite ({self.fraction:.2g})"]
        return "\n".join(lines + [f"  {example}" for example in self.examples])


@dataclass
class Guard:
    """What is tolerated of an integrand.

    Attributes:
        max_failure_fraction: largest share of points without a finite weight; more than this raises AmplitudeError.
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
            self.judge(name)
        return failed

    def absorb(self, found: FailureLog, name: str) -> None:
        """Add what happened in a chunk of work to the record of the run, and judge the sum.

        Raises:
            AmplitudeError: where more weights failed than tolerated.
        """
        self.log.join(found)
        if found.failures:
            self.judge(name)

    def allowed(self, more: int = 0) -> float:
        """How many failures are tolerated among the points so far and ``more``."""
        return self.max_failure_fraction * max(self.log.evaluations + more, self.minimum_points)

    def judge(self, name: str) -> None:
        """AmplitudeError where more weights failed than tolerated."""
        if self.log.failures > self.allowed():
            raise AmplitudeError(
                f"the integrand {name} returned weights that are not finite at {self.log.failures} of"
                f" {self.log.evaluations} points, more than the tolerated fraction {self.max_failure_fraction:g};"
                f" the first: {self.log.examples[0]}"
            )


def _finite_rows(values: Array) -> npt.NDArray[np.bool_]:
    finite = np.isfinite(values)
    rows: npt.NDArray[np.bool_] = finite if values.ndim == 1 else np.all(finite, axis=1)
    return rows


def _first_bad(values: Array) -> Array:
    bad = ~np.isfinite(values)
    first: Array = values[np.arange(len(values)), np.argmax(bad, axis=1)]
    return first


def evaluate(integrand: Integrand, u: Array, channel: int, guard: Guard | None = None) -> Evaluation:
    """Evaluate an integrand and check what it returns; weights that are not finite become 0 and are counted.

    Where the integrand raises, the points that make it raise are found by bisection and count as such.

    Arguments:
        integrand: any integrand.
        u: (n, dim) points of the unit hypercube.
        channel: the channel.
        guard: what is tolerated; a fresh :class:`Guard` if None.

    Raises:
        AmplitudeError: where the integrand returns the wrong type or shape, or raises or is not finite at too many
            points.
    """
    guard = Guard() if guard is None else guard
    try:
        result = integrand(u, channel)
    except (UserError, MemoryError):
        raise
    except Exception as error:
        return _evaluate_in_parts(integrand, u, channel, guard, error)
    return _checked(integrand, u, channel, guard, result)


def _evaluate_in_parts(integrand: Integrand, u: Array, channel: int, guard: Guard, first: Exception) -> Evaluation:
    """The evaluation of a batch that raised ``first``: halves of it again and again, down to the points that raise."""
    parts: dict[int, Evaluation] = {}
    raised: list[int] = []
    texts: list[str] = []
    waiting = [(0, len(u), first)]
    while waiting:
        start, stop, error = waiting.pop()
        if stop - start == 1:
            raised.append(start)
            texts.append(f"{type(error).__name__}: {error}".splitlines()[0])
            tried_alone = not parts and guard.log.evaluations == guard.log.failures
            if guard.log.failures + len(raised) > guard.allowed(len(u)) or (
                tried_alone and len(raised) >= min(len(u), _HOPELESS)
            ):
                raise AmplitudeError(
                    f"the integrand {integrand.name} raised {type(error).__name__} in channel {channel}: {error}"
                    + (
                        ""
                        if tried_alone
                        else f" (and failed at {guard.log.failures + len(raised)} points in all, more"
                        f" than the tolerated fraction {guard.max_failure_fraction:g})"
                    )
                ) from error
            continue
        middle = (start + stop) // 2
        for low, high in ((middle, stop), (start, middle)):
            try:
                result = integrand(u[low:high], channel)
            except (UserError, MemoryError):
                raise
            except Exception as again:
                waiting.append((low, high, again))
            else:
                parts[low] = _checked(integrand, u[low:high], channel, guard, result)
    rows = np.array(raised, dtype=np.int64)
    guard.log.evaluations += len(rows)
    guard.log.record(u[rows], np.full(len(rows), np.nan), channel, texts)
    guard.judge(integrand.name)
    return _joined(integrand, len(u), parts)


def _joined(integrand: Integrand, n: int, parts: dict[int, Evaluation]) -> Evaluation:
    """One evaluation of n points from those of its parts by their first row; rows without any have weight 0."""
    weight = np.zeros(n)
    alpha = np.full((n, integrand.channels), 1.0 / integrand.channels)
    features: Array | None = None
    components: Array | None = None
    has_alpha = integrand.channels > 1
    for start, part in parts.items():
        rows = slice(start, start + len(part.weight))
        weight[rows] = part.weight
        if part.alpha is not None:
            has_alpha = True
            alpha[rows] = part.alpha
        if part.features is not None:
            features = np.zeros((n, part.features.shape[1])) if features is None else features
            features[rows] = part.features
        if isinstance(part, ComponentEvaluation) and part.components is not None:
            components = np.zeros((n, part.components.shape[1])) if components is None else components
            components[rows] = part.components
    if components is not None:
        return ComponentEvaluation(weight, alpha if has_alpha else None, features, components)
    return Evaluation(weight, alpha if has_alpha else None, features)


def _checked(integrand: Integrand, u: Array, channel: int, guard: Guard, result: object) -> Evaluation:
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
