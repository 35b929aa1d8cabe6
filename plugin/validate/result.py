"""What a validation found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from mcbridge.integrands import Array
from mcbridge.uncertainties import Calibration
from plugin.choice import Decision
from plugin.validate.performance import Measured, Performance, gain
from plugin.validate.two_samplers import Agreement

if TYPE_CHECKING:
    from plugin.training.result import TrainingStatus

__all__ = ["Account", "Validation"]


@dataclass(frozen=True)
class Account:
    """What one way to the cross section cost, and what it gave.

    Attributes:
        name: for instance ``"flow"``, ``"vegas, equal evaluations"``.
        adaptation: amplitude evaluations of survey and training.
        points: evaluations of the integration.
        cpu_seconds: CPU time of all of it [s].
        cross_section: [pb].
        events: unweighted events that the points would give at the quantile policy.
    """

    name: str
    adaptation: int
    points: int
    cpu_seconds: float
    cross_section: Measured
    events: float

    @property
    def evaluations(self) -> int:
        """All amplitude evaluations."""
        return self.adaptation + self.points

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""
        return {
            "name": self.name,
            "adaptation_evaluations": self.adaptation,
            "points": self.points,
            "cpu_seconds": self.cpu_seconds,
            "cross_section_pb": self.cross_section.as_json(),
            "unweighted_events": self.events,
        }


@dataclass
class Validation:
    """The result of ``binnis validate``.

    Attributes:
        title: what was validated.
        command: what reproduces it.
        agreement: all comparisons with their verdict.
        vegas, flow: figures of merit; None for event files.
        accounts: at equal evaluations and at equal time.
        decision: what a run would choose, and why; None for event files.
        history: looks at the training, where it was done here.
        training_seconds: CPU time of the training [s].
        calibration: of the uncertainties of events.
        bands: relative uncertainty of the shape of an observable from the replicas, (bins,), by its name.
        further: further comparisons (the event file of a run), by title.
        settings: what else a reader must know: seed, points, instruction set.
        cross_sections: rows (name, value, error) [pb] of files and runs.
    """

    title: str
    command: str
    agreement: Agreement
    vegas: Performance | None = None
    flow: Performance | None = None
    accounts: list[Account] = field(default_factory=list)
    decision: Decision | None = None
    history: list[TrainingStatus] = field(default_factory=list)
    training_seconds: float | None = None
    calibration: Calibration | None = None
    bands: dict[str, Array] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    cross_sections: list[tuple[str, float, float]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def agree(self) -> bool:
        """Whether all tests together find no difference."""
        return self.agreement.verdict.agree

    @property
    def gain_in_calls(self) -> Measured | None:
        """Amplitude evaluations per unweighted event, VEGAS over flow."""
        if self.vegas is None or self.flow is None:
            return None
        return gain(self.flow.efficiency["quantile"], self.vegas.efficiency["quantile"])

    @property
    def gain_in_time(self) -> Measured | None:
        """CPU time per unweighted event once trained, VEGAS over flow."""
        if self.vegas is None or self.flow is None:
            return None
        return gain(self.vegas.seconds_per_event, self.flow.seconds_per_event)

    @property
    def gain_in_variance(self) -> Measured | None:
        """Evaluations for the same error of the cross section, VEGAS over flow: the ratio of the variances."""
        if self.vegas is None or self.flow is None:
            return None
        found = gain(self.vegas.rsd, self.flow.rsd)
        return Measured(found.value**2, 2.0 * found.value * found.error)

    @property
    def break_even(self) -> float | None:
        """Unweighted events from which on the flow has won back its training; None where it never does."""
        if self.vegas is None or self.flow is None or self.training_seconds is None:
            return None
        saved = self.vegas.seconds_per_event.value - self.flow.seconds_per_event.value
        return self.training_seconds / saved if saved > 0.0 else None

    def verdict_line(self) -> str:
        """The verdict in one line."""
        parts = [self.agreement.verdict.sentence(self.title)]
        calls, seconds, variance = self.gain_in_calls, self.gain_in_time, self.gain_in_variance
        if calls is not None and seconds is not None and variance is not None:
            parts.append(
                f"gain in calls {_text(calls)} per unweighted event ({_text(variance)} for the same error of the cross"
                f" section), gain in CPU time {_text(seconds)}"
            )
        return "; ".join(parts)

    def __rich__(self) -> RenderableType:
        from plugin.validate.present import validation_rich

        return validation_rich(self)

    def _repr_html_(self) -> str:
        from plugin.validate.present import validation_html

        return validation_html(self)


def _text(found: Measured) -> str:
    digits = 2 if not found.error > 0.0 else max(0, min(6, 1 - int(f"{found.error:.1e}".split("e")[1])))
    return f"{found.value:.{digits}f} +- {found.error:.{digits}f}"
