"""``summary.json`` of a run with Sherpa: the same entries as that of ``binnis run``, and each process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcbridge import core
from plugin.run.summary import versions
from sherpa_interface.events import EventRecord
from sherpa_interface.output import CrossSection
from sherpa_interface.training import Trained, figures_json

if TYPE_CHECKING:
    from sherpa_interface.state import State

__all__ = ["summary"]


def summary(
    state: State,
    trained: list[Trained],
    own: dict[str, CrossSection],
    results: dict[str, CrossSection],
    record: EventRecord,
    optimisation_points: int,
) -> dict[str, Any]:
    """All figures of a run; cross sections in pb, CPU time in seconds."""
    value, error = _total(results)
    flows = [process.name for process in trained if process.decision.sampler == "flow"]
    generation = sum(result.points for result in results.values()) if flows else 0
    return {
        "process": state.name,
        "mode": "exact",
        "cross_section_pb": value,
        "cross_section_error_pb": error,
        "own_cross_section_pb": _total(own)[0],
        "own_cross_section_error_pb": _total(own)[1],
        "sampler": "flow" if flows else "vegas",
        "decision": {
            "sampler": "flow" if flows else "vegas",
            "reason": "; ".join(f"{process.name}: {process.decision.reason}" for process in trained),
        },
        "unweighting_efficiency": record.efficiency,
        "sherpa_efficiency": value / record.weight if record.weight else None,
        "overweight_events": record.overweight,
        "matrix_element_calls": {
            "optimisation": optimisation_points,
            "training": sum(process.evaluations for process in trained),
            "integration": generation,
            "events": record.trials,
        },
        "cpu_seconds": sum(state.cpu.values()),
        "cpu_seconds_by_stage": state.cpu,
        "events": record.events,
        "cross_section_of_the_events_pb": record.cross_section,
        "cross_section_of_the_events_error_pb": record.error,
        "seed": state.settings.seed,
        "instruction_set": core.instruction_set(),
        "processes": [_process(process, own, results) for process in trained],
        "uncertainties": record.uncertainties or None,
        "notes": state.notes,
        "versions": {**versions(), "Sherpa": state.program.sherpa.version},
    }


def _total(results: dict[str, CrossSection]) -> tuple[float, float]:
    values = [result.value for result in results.values()]
    return sum(values), sum(result.error**2 for result in results.values()) ** 0.5


def _process(process: Trained, own: dict[str, CrossSection], results: dict[str, CrossSection]) -> dict[str, Any]:
    result, before = results[process.name], own[process.name]
    return {
        "name": process.name,
        "cross_section_pb": result.value,
        "cross_section_error_pb": result.error,
        "own_cross_section_pb": before.value,
        "own_cross_section_error_pb": before.error,
        "decision": {**process.decision.as_json(), "expected_cpu_seconds": process.decision.seconds},
        "dimensions": process.description["dim"],
        "colours": process.description["colours"],
        "training": process.training,
        **{name: figures_json(figures) for name, figures in process.decision.figures.items()},
    }
