"""Flow or VEGAS: the decision, the numbers behind it, and its reason in words."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import gvar

from mcbridge.errors import UserError
from mcbridge.tables import html_table, rich_table
from plugin.choice.figures import Figures

if TYPE_CHECKING:
    import rich.table

__all__ = ["MOST_BLOCKS", "STAKE", "USUAL_GAIN", "Decision", "Goal", "decide", "decide_early", "load_decision"]

Name = Literal["flow", "vegas"]

USUAL_GAIN = 3.0
"""What a trained flow usually gains on VEGAS, in efficiency and in relative standard deviation."""

STAKE = 0.01
"""Share of the time to the goal that a comparison of flow and VEGAS may take."""

MOST_BLOCKS = 10
"""Largest number of points of a comparison, in points of the integration."""

_ROUNDING = 1e-6  # a relative standard deviation below this is rounding, or nobody can gain from less


@dataclass(frozen=True)
class Goal:
    """What is still to be computed once the map is chosen.

    Attributes:
        events: unweighted events to write; 0 if only the integral is wanted.
        evaluations: amplitude evaluations planned for the integral if VEGAS does it; its points are the first trials
            of the unweighting.
    """

    events: int
    evaluations: int

    def points(self, figures: Figures, reference: Figures) -> float:
        """Expected evaluations to reach the goal with a sampler.

        The integral takes the evaluations to the variance that ``reference`` (VEGAS) reaches with the planned ones, the
        events their trials; the same points serve both.
        """
        if figures.efficiency <= 0:
            return float("inf")
        needed = (max(figures.rsd, _ROUNDING) / max(reference.rsd, _ROUNDING)) ** 2
        return max(self.evaluations * needed, self.events / figures.efficiency)

    def seconds(self, figures: Figures, reference: Figures) -> float:
        """Expected CPU time [s] of these :meth:`points`."""
        points = self.points(figures, reference)
        return points * figures.seconds_per_point if points < float("inf") else points

    def points_to_compare(self, vegas: Figures, flow: Figures) -> int:
        """How many fresh points of each sampler a comparison is worth: together :data:`STAKE` of the time at stake."""
        at_stake = min(self.seconds(vegas, vegas), self.seconds(flow, vegas))
        points = STAKE * at_stake / max(vegas.seconds_per_point + flow.seconds_per_point, 1e-12)
        return int(min(points, MOST_BLOCKS * self.evaluations))


@dataclass(frozen=True)
class Decision:
    """The sampler of a run and why.

    Attributes:
        sampler: ``"flow"`` or ``"vegas"``: what the run uses.
        measured: what the measurement recommends (the same unless the user asked for the other).
        reason: one sentence.
        seconds: expected CPU time to the goal for each sampler that was considered [s].
        figures: figures of merit by sampler.
        stage: ``"pinned"``, ``"after survey"`` or ``"after training"``.
    """

    sampler: Name
    measured: Name | None
    reason: str
    seconds: dict[str, float]
    figures: dict[str, Figures]
    stage: str

    def _table(self) -> tuple[str, list[str], list[list[str]], str]:
        """Title, columns, rows and note: figures of merit and expected time of each sampler."""
        rows = []
        for name in dict.fromkeys([*self.figures, *self.seconds]):
            found, seconds = self.figures.get(name), self.seconds.get(name)
            rows.append(
                [
                    name + (" (chosen)" if name == self.sampler else ""),
                    str(gvar.gvar(found.mean, found.error)) if found else "",
                    f"{found.rsd:.4g}" if found else "",
                    f"{found.efficiency:.4g}" if found else "",
                    f"{found.kish:.4g}" if found else "",
                    f"{1e6 * found.seconds_per_point:.3g}" if found else "",
                    _time(seconds) if seconds is not None and seconds < float("inf") else "",
                ]
            )
        columns = ["sampler", "integral", "rel. std", "efficiency", "Kish / point", "us / point", "time to the goal"]
        return f"choice: {self.sampler}", columns, rows, self.reason

    def _repr_html_(self) -> str:
        return html_table(*self._table())

    def __rich__(self) -> rich.table.Table:
        return rich_table(*self._table())

    def as_json(self) -> dict[str, Any]:
        """The decision without timings of its own run: what pins a later run."""
        return {"sampler": self.sampler, "measured": self.measured, "reason": self.reason, "stage": self.stage}


def decide_early(
    vegas: Figures, goal: Goal, training_seconds: float, training_evaluations: int, gain: float = USUAL_GAIN
) -> Decision | None:
    """The decision for VEGAS where even a perfect flow could not repay its training, or the usual one would not.

    The usual flow has ``gain`` times the efficiency of VEGAS, and a relative standard deviation smaller by the same
    factor; what was measured is between one (Drell-Yan) and six (two peaks), see ``docs/benchmarks.md``.

    Arguments:
        vegas: figures of the VEGAS map on fresh points.
        goal: what is to be computed.
        training_seconds: expected CPU time of optimisation [s].
        training_evaluations: amplitude evaluations that training and choice would still pay for.
        gain: of the usual flow.
    """
    with_vegas = goal.seconds(vegas, vegas)
    overhead = training_seconds + training_evaluations * vegas.seconds_per_point
    perfect = replace(vegas, rsd=0.0, efficiency=1.0, kish=1.0)
    usual = replace(vegas, rsd=vegas.rsd / gain, efficiency=min(1.0, gain * vegas.efficiency))
    for flow, which in ((perfect, "even a perfect flow could not win back"), (usual, "a flow seldom wins back")):
        with_flow = overhead + goal.seconds(flow, vegas)
        if with_vegas <= with_flow or not with_flow < float("inf"):
            reason = (
                f"VEGAS needs {_time(with_vegas)} for what is left; training a flow would cost {_time(overhead)} of "
                f"CPU time, which {which}"
            )
            seconds = {"vegas": with_vegas, "flow": with_flow}
            return Decision("vegas", "vegas", reason, seconds, {"vegas": vegas}, "after survey")
    return None


def decide(vegas: Figures, flow: Figures, goal: Goal) -> Decision:
    """The cheaper sampler on fresh points; what was spent on training is spent and does not count any more."""
    seconds = {"vegas": goal.seconds(vegas, vegas), "flow": goal.seconds(flow, vegas)}
    winner: Name = "flow" if seconds["flow"] < seconds["vegas"] else "vegas"
    loser: Name = "vegas" if winner == "flow" else "flow"
    unit = "unweighted events" if goal.events else "the same statistical error"
    reason = (
        f"{winner} needs {_time(seconds[winner])} of CPU time for {unit}, {loser} {_time(seconds[loser])} "
        f"(efficiency {flow.efficiency:.3g} with the flow, {vegas.efficiency:.3g} with VEGAS; "
        f"relative standard deviation {flow.rsd:.3g} and {vegas.rsd:.3g})"
    )
    return Decision(winner, winner, reason, seconds, {"vegas": vegas, "flow": flow}, "after training")


def load_decision(path: str | Path) -> Name:
    """The sampler in a stored decision (``decision.json`` or ``summary.json`` of a run).

    Raises:
        UserError: the file cannot be read or names no sampler.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--decision: {path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise UserError(f"--decision: {path} is not a JSON file") from None
    if isinstance(data, dict) and isinstance(data.get("decision"), dict):
        data = data["decision"]
    name = data.get("sampler") if isinstance(data, dict) else None
    if name == "flow" or name == "vegas":
        return "flow" if name == "flow" else "vegas"
    raise UserError(f"--decision: {path} must name 'sampler' as 'flow' or 'vegas', not {name!r}")


def _time(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3g} us"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
