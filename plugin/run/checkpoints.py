"""What a resumed run reads: points, samplers, decisions and integrals, as safetensors and JSON."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import ChannelResult, FailureLog, Integral, IterationResult, Samples
from mcbridge.scaling.arrays import load_arrays, save_arrays
from plugin.choice import Decision, Figures

__all__ = [
    "decision_from_json",
    "decision_to_json",
    "figures_from_json",
    "integral_from_json",
    "integral_to_json",
    "load_samples",
    "save_samples",
]

_KIND = "points"


def save_samples(path: Path, samples: Samples) -> None:
    """Write points.

    Raises:
        UserError: the file cannot be written.
    """
    arrays = {field.name: getattr(samples, field.name) for field in fields(Samples)}
    save_arrays(path, {name: array for name, array in arrays.items() if array is not None}, _KIND)


def load_samples(path: Path) -> Samples:
    """The points in a file.

    Raises:
        UserError: it cannot be read, is damaged, or holds something else.
    """
    arrays, _ = load_arrays(path, _KIND)
    try:
        return Samples(**arrays)
    except TypeError as error:
        raise UserError(f"the checkpoint {path} does not hold points: {error}") from None


def decision_to_json(decision: Decision) -> dict[str, Any]:
    """Everything in a decision, timings included."""
    return asdict(decision)


def decision_from_json(data: dict[str, Any]) -> Decision:
    """What :func:`decision_to_json` wrote."""
    return Decision(
        data["sampler"],
        data["measured"],
        str(data["reason"]),
        {name: float("inf") if value is None else float(value) for name, value in data["seconds"].items()},
        {name: figures_from_json(figures) for name, figures in data["figures"].items()},
        str(data["stage"]),
    )


def integral_to_json(integral: Integral) -> dict[str, Any]:
    """An integral without its points and failures."""
    return {
        "mean": integral.mean,
        "error": integral.error,
        "iterations": [
            [one.mean, one.error, one.n, one.component_mean.tolist(), one.component_covariance.tolist()]
            for one in integral.iterations
        ],
        "channels": [asdict(channel) for channel in integral.channels],
        "absolute": integral.absolute,
        "evaluations": integral.evaluations,
        "chi2": integral.chi2,
        "dof": integral.dof,
    }


def integral_from_json(data: dict[str, Any], failures: FailureLog, samples: Samples | None) -> Integral:
    """What :func:`integral_to_json` wrote."""
    iterations = [
        IterationResult(mean, error, n, np.array(means), np.array(covariance))
        for mean, error, n, means, covariance in data["iterations"]
    ]
    channels = [ChannelResult(**channel) for channel in data["channels"]]
    rest = {name: data[name] for name in ("mean", "error", "absolute", "evaluations", "chi2", "dof")}
    return Integral(iterations=iterations, channels=channels, failures=failures, samples=samples, **rest)


def figures_from_json(data: dict[str, Any]) -> Figures:
    """Figures of merit that were stored as JSON, which has no infinity."""
    values: dict[str, Any] = {name: float("inf") if value is None else value for name, value in data.items()}
    return Figures(**values)
