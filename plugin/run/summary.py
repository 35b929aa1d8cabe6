"""``summary.json``: the figures of a run for programs."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integration import Integral
from mcbridge.version import __version__
from plugin.choice import Decision

if TYPE_CHECKING:
    from plugin.run.state import State

__all__ = ["read_summary", "summary", "versions"]


def read_summary(folder: Path) -> dict[str, Any]:
    """The summary in a run folder.

    Raises:
        UserError: it cannot be read.
    """
    path = folder / "summary.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
        reason = "it holds no object"
    except OSError as error:
        reason = str(error.strerror or error)
    except ValueError:
        reason = "it is not a JSON file"
    raise UserError(f"{path} cannot be read: {reason}")


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    return {
        "binnis": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "vegas", "madspace", "pylhe")},
    }


def summary(state: State, integral: Integral, choice: Decision, events: dict[str, Any]) -> dict[str, Any]:
    """All figures of a run; cross sections in pb, CPU time in seconds."""
    figures = {
        name: {**found.as_dict(), "cpu_seconds_per_point": found.seconds_per_point}
        for name, found in choice.figures.items()
    }
    return {
        "process": state.card.process.name,
        "mode": state.card.mode,
        "cross_section_pb": integral.mean,
        "cross_section_error_pb": integral.error,
        "sampler": choice.sampler,
        "decision": {
            **choice.as_json(),
            "expected_cpu_seconds": {name: value for name, value in choice.seconds.items() if value < float("inf")},
        },
        "unweighting_efficiency": events.get("efficiency", figures[choice.sampler]["unweighting_efficiency"]),
        "relative_std": integral.rsd,
        "amplitude_evaluations": state.process.evaluations,
        "cpu_seconds": sum(state.cpu.values()),
        "events": events.get("events", 0),
        "seed": state.card.seed,
        "instruction_set": core.instruction_set(),
        "integration": {
            "points": integral.evaluations,
            "chi2": integral.chi2,
            "dof": integral.dof,
            "Q": integral.Q,
            "absolute_pb": integral.absolute,
            "negative_fraction": integral.negative_fraction,
        },
        "vegas": figures.get("vegas"),
        "flow": figures.get("flow"),
        "training": state.training or None,
        "unweighting": {name: value for name, value in events.items() if name != "uncertainties"} or None,
        "uncertainties": events.get("uncertainties"),
        "cpu_seconds_by_stage": dict(state.cpu),
        "failures": {
            "evaluations": state.guard.log.evaluations,
            "not_finite": state.guard.log.failures,
            "examples": [str(example) for example in state.guard.log.examples],
        },
        "versions": versions(),
    }
