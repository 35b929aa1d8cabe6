"""Tables and plots that the reports of runs and of validations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mcbridge.integrands import Array
from plugin.report.document import Number, Panel, Plot, Series, Table

__all__ = [
    "calibration_plot",
    "calibration_table",
    "iteration_plot",
    "training_plot",
    "weight_histogram",
    "weight_plots",
]

WEIGHT_EDGES = np.linspace(-4.0, 3.0, 141)
"""Of log10(w/<w>)."""


def weight_histogram(weights: Sequence[Array]) -> dict[str, Any]:
    """The distribution of the event weights of all channels, each in units of its channel's mean |w|.

    Returns:
        ``edges`` of log10(w/<w>), ``share`` of the trials in each bin, ``zero`` and ``negative`` shares, and ``above``:
        the share of the cross section that trials with a weight of at least the lower edge of the bin carry.
    """
    edges = WEIGHT_EDGES
    trials = sum(len(w) for w in weights)
    share, carried = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    zero = negative = 0
    for own in weights:
        sizes = np.abs(own[own != 0.0])
        zero += len(own) - len(sizes)
        negative += int(np.sum(own < 0.0))
        if not len(sizes):
            continue
        relative = sizes / (np.sum(sizes) / len(own))
        logs = np.clip(np.log10(relative), edges[0], edges[-1] - 1e-9)
        share += np.histogram(logs, edges)[0]
        carried += np.histogram(logs, edges, weights=relative)[0]
    total = max(float(np.sum(carried)), 1e-300)
    return {
        "edges": edges.tolist(),
        "share": (share / max(trials, 1)).tolist(),
        "above": (np.cumsum(carried[::-1])[::-1] / total).tolist(),
        "zero": zero / max(trials, 1),
        "negative": negative / max(trials, 1),
        "trials": trials,
    }


def weight_plots(found: Mapping[str, dict[str, Any]]) -> list[Plot]:
    """Distribution and tail of the weights of one or several samplers, by name."""
    if not found:
        return []
    edges = np.array(next(iter(found.values()))["edges"])
    filled = np.zeros(len(edges) - 1, dtype=bool)
    for entry in found.values():
        filled |= np.array(entry["share"]) > 0.0
    places = np.flatnonzero(filled)
    first, last = (int(places[0]), int(places[-1])) if len(places) else (0, len(edges) - 2)
    axis = edges[first : last + 2].tolist()
    distribution, tail = [], []
    for colour, (name, entry) in enumerate(found.items(), start=1):
        share = [value or None for value in entry["share"][first : last + 1]]
        above = [value if value > 0.0 else None for value in entry["above"][first : last + 1]]
        distribution.append(Series("steps", axis, share, label=name if len(found) > 1 else "", colour=colour))
        tail.append(Series("steps", axis, above, label=name if len(found) > 1 else "", colour=colour))
    zeros = ", ".join(f"{name} {entry['zero']:.2%}" for name, entry in found.items())
    return [
        Plot(
            "Weights",
            "log10 of weight over mean weight",
            [Panel("share of the trials", distribution, log=True)],
            f"Of all trials; weight zero: {zeros}.",
        ),
        Plot(
            "Tail of the weights",
            "log10 of weight over mean weight",
            [Panel("share above", tail, log=True)],
            "Share of the cross section that sits in weights at least as large.",
        ),
    ]


def training_plot(history: Sequence[Mapping[str, Any]]) -> list[Plot]:
    """Relative standard deviation on held-out points, and the loss, in the course of a training."""
    looks = [look for look in history if look.get("held_out_rsd") is not None]
    if len(looks) < 2:
        return []
    stages = list(dict.fromkeys(look["stage"] for look in looks))

    def series(entry: str) -> list[Series]:
        found = []
        for colour, stage in enumerate(stages, start=1):
            own = [look for look in looks if look["stage"] == stage and look.get(entry) is not None]
            if own:
                x, y = [look["step"] for look in own], [look[entry] for look in own]
                label = stage if entry == "held_out_rsd" else ""
                found += [Series("line", x, y, colour=colour), Series("points", x, y, label=label, colour=colour)]
        return found

    return [
        Plot(
            "Training",
            "optimisation step",
            [Panel("held-out rel. std", series("held_out_rsd"), log=True), Panel("loss", series("loss"), height=0.7)],
            "What counts is the relative standard deviation of the weights on points that the training has not seen.",
        )
    ]


def iteration_plot(title: str, groups: Mapping[str, Sequence[Sequence[float]]], total: float) -> Plot:
    """Estimates of iterations or replicas in per cent of their mean.

    Arguments:
        title: of the plot.
        groups: for each sampler rows of (estimate, error).
        total: what they are divided by.
    """
    panels = []
    for colour, (name, rows) in enumerate(groups.items(), start=1):
        x = [index + 1.0 for index in range(len(rows))]
        y = [100.0 * (row[0] / total - 1.0) for row in rows]
        error = [100.0 * row[1] / abs(total) for row in rows]
        panels.append(
            Panel(
                "deviation [%]",
                [
                    Series("level", [], [0.0], colour=0, dashed=True),
                    Series("points", x, y, error, name if len(groups) > 1 else "", colour),
                ],
                height=0.8,
            )
        )
    return Plot(title, "replica", panels, "Independent estimates with their own standard errors.")


def calibration_table(found: Mapping[str, Any]) -> Table:
    """Coverage of the uncertainties of events."""
    central, factor = found["central"], found["calibration_factor"]
    effective = max(float(found["points"]), 1.0)
    rows: list[list[Any]] = []
    for level, nominal in (("68", 0.6827), ("95", 0.9545)):
        error = (nominal * (1 - nominal) / effective) ** 0.5
        rows.append(
            [
                f"{level}% interval",
                Number(central["raw"][level], error),
                Number(central["calibrated"][level], error * 2**0.5),
                Number(factor[level]),
            ]
        )
    return Table(
        "Coverage on exact points",
        ["", "raw", "calibrated", "factor on sigma"],
        rows,
        f"{effective:,.0f} effective points; pulls have mean {found['pull_mean']:.3f} and width"
        f" {found['pull_width']:.3f}. " + " ".join(f"{text}." for text in found["warnings"]),
    )


def calibration_plot(found: Mapping[str, Any]) -> Plot:
    """Coverage of the 68% interval by density."""
    ranges = found["by_density"]
    edges = [ranges[0]["quantiles"][0], *(entry["quantiles"][1] for entry in ranges)]
    errors = [(0.68 * 0.32 / max(entry["points"], 1.0)) ** 0.5 for entry in ranges]
    return Plot(
        "Calibration by density",
        "quantile of the density",
        [
            Panel(
                "coverage",
                [
                    Series("level", [], [0.6827], colour=0, dashed=True),
                    Series("steps", edges, [entry["raw"]["68"] for entry in ranges], errors, "raw", 2),
                    Series("steps", edges, [entry["calibrated"]["68"] for entry in ranges], None, "calibrated", 1),
                ],
                limits=(0.0, 1.15),
            )
        ],
        "Share of exact points inside the 68% interval of the learned density; dashed: 68%.",
    )
