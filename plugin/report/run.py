"""The report of a run: from its folder, and from what the run knew when it ended."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.integration import Integral
from plugin.report.document import Cell, Number, Panel, Plot, Report, Section, Series, Table
from plugin.report.events import event_plots, summarise_events
from plugin.report.pieces import (
    calibration_plot,
    calibration_table,
    iteration_plot,
    training_plot,
    weight_histogram,
    weight_plots,
)
from plugin.report.render import JSON, write_report

__all__ = ["end_of_run", "integration_data", "report_beside", "report_of_folder", "run_report"]

log = logging.getLogger("plugin.report")

_EVENTS = ("events.lhe.gz", "events.lhe", "unweighted_events.lhe.gz", "unweighted_events.lhe")
_SUMMARIES = ("summary.json", "binnis_summary.json")


def end_of_run(folder: Path, content: Mapping[str, Any], integral: Integral) -> None:
    """Write ``report.html`` and ``report.json`` of a run that has ended; a failure is only told in the log.

    Arguments:
        folder: of the run; the event file is there already.
        content: of ``summary.json``.
        integral: with its iterations and, where they were kept, its points.
    """
    _write(folder, lambda: run_report(folder, content, integration_data(integral)))


def report_beside(folder: Path) -> None:
    """:func:`report_of_folder` at the end of a run of a generator; a failure is only told in the log."""
    _write(folder, lambda: report_of_folder(folder))


def _write(folder: Path, make: Callable[[], Report]) -> None:
    try:
        write_report(make(), folder)
    except Exception as error:  # whatever it is: the results of the run are more important
        log.warning("no report: %s: %s", type(error).__name__, error)


def integration_data(integral: Integral) -> dict[str, Any]:
    """What the report needs of an integration beyond ``summary.json``."""
    weights = None
    if integral.samples is not None:
        samples = integral.samples
        weight = samples.event_weights
        channels = [weight[samples.channel == index] for index in range(len(integral.channels))]
        weights = weight_histogram(channels)
    return {
        "iterations": [[part.mean, part.error, part.n] for part in integral.iterations],
        "channels": [
            {"mean": c.mean, "error": c.sigma / max(c.n, 1) ** 0.5, "points": c.n, "sigma": c.sigma}
            for c in integral.channels
        ],
        "weights": weights,
    }


def report_of_folder(folder: Path) -> Report:
    """The report of a finished run: of binnis, of Sherpa, or of MadGraph (``Events/run_01``).

    Raises:
        UserError: there is no summary, or a file cannot be read.
    """
    summary = next((folder / name for name in _SUMMARIES if (folder / name).is_file()), None)
    if summary is None:
        raise UserError(f"{folder} is no folder of a finished run: it has no {' or '.join(_SUMMARIES)}")
    before = _json(folder / JSON) if (folder / JSON).is_file() else {}
    data = before.get("data", {}).get("integration") if isinstance(before.get("data"), dict) else None
    return run_report(folder, _json(summary), data)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no summary of a run")
    return content


def run_report(folder: Path, content: Mapping[str, Any], integration: Mapping[str, Any] | None) -> Report:
    """The page of a run.

    Arguments:
        folder: of the run, with its event file.
        content: of ``summary.json``.
        integration: :func:`integration_data`; None where it is not known any more.
    """
    name = content.get("process") or content.get("run") or folder.name
    cross_section = Number(content["cross_section_pb"], content["cross_section_error_pb"], "pb")
    sampler = content.get("sampler") or content.get("flow_sampler") or ""
    events = content.get("events") or 0
    headline = f"{name}: {cross_section}" + (f", {events:,} events" if events else "")
    if content.get("mode") == "surrogate":
        headline += ", drawn from the learned density alone"
    report = Report(
        f"Run {folder.name}: {name}", headline, "neutral", _command(folder, content), _facts(content, sampler)
    )
    sections = [
        _samplers(content),
        _integration(content, integration),
        _weights(integration),
        _training(content),
        _events(folder, content),
        _uncertainties(content),
        _cost(content),
    ]
    report.sections = [section for section in sections if section is not None]
    report.data = {"kind": "run", "summary": dict(content), "integration": integration}
    return report


def _command(folder: Path, content: Mapping[str, Any]) -> str:
    if (folder / "card.yaml").exists():
        return f"binnis run {folder.name}/card.yaml --decision {folder.name}/decision.json"
    if "matrix_element_calls" in content:
        return f"binnis sherpa run, seed {content.get('seed')}; this page: binnis report {folder.name}"
    return f"binnis report {folder.name}"


def _facts(content: Mapping[str, Any], sampler: str) -> list[tuple[str, Cell]]:
    facts: list[tuple[str, Cell]] = [("sampler", sampler)] if sampler else []
    efficiency = content.get("unweighting_efficiency")
    if efficiency is not None:
        unweighting = content.get("unweighting") or {}
        trials = unweighting.get("trials")
        error = (efficiency * (1.0 - min(efficiency, 1.0)) / trials) ** 0.5 if trials else None
        facts.append(("unweighting efficiency", Number(efficiency, error)))
    for name, title in (
        ("relative_std", "relative standard deviation"),
        ("amplitude_evaluations", "amplitude evaluations"),
    ):
        if content.get(name) is not None:
            facts.append((title, Number(content[name])))
    if content.get("cpu_seconds") is not None:
        facts.append(("CPU time", Number(content["cpu_seconds"], None, "s")))
    if content.get("seed") is not None:
        facts.append(("seed", str(content["seed"])))
    return facts


def _samplers(content: Mapping[str, Any]) -> Section | None:
    rows: list[list[Cell]] = []
    for name in ("vegas", "flow"):
        found = content.get(name)
        if found:
            rows.append([name, *_figures(found)])
    for process in content.get("processes") or []:
        for name in ("vegas", "flow"):
            if isinstance(process.get(name), dict) and "cross_section_pb" in process[name]:
                rows.append([f"{process['name']}, {name}", *_figures(process[name])])
    decision = content.get("decision")
    if not rows and not decision:
        return None
    columns = ["", "cross section [pb]", "points", "rel. std", "efficiency", "Kish / point", "CPU time / point [us]"]
    tables = [Table("On fresh points", columns, rows)] if rows else []
    text = [f"Decision: {decision['sampler']}; {decision['reason']}."] if decision else []
    return Section("Flow and VEGAS", text, tables)


def _figures(found: Mapping[str, Any]) -> list[Cell]:
    seconds = found.get("cpu_seconds_per_point")
    return [
        Number(found.get("cross_section_pb"), found.get("cross_section_error_pb")),
        Number(found.get("points")),
        Number(found.get("relative_std")),
        Number(found.get("unweighting_efficiency")),
        Number(found.get("kish_per_point")),
        Number(None if seconds is None else 1e6 * seconds),
    ]


def _integration(content: Mapping[str, Any], data: Mapping[str, Any] | None) -> Section | None:
    integration = content.get("integration")
    if not integration:
        return None
    section = Section(
        "Integration",
        [
            f"{integration['points']:,} points; chi2/dof {integration['chi2']:.2f}/{integration['dof']}"
            + (f", Q {integration['Q']:.2g}." if integration.get("Q") is not None else ".")
        ],
    )
    if data is not None:
        iterations = [[mean, error] for mean, error, _ in data["iterations"]]
        plot = iteration_plot("Iterations", {"iterations": iterations}, content["cross_section_pb"])
        plot.x = "iteration"
        section.plots.append(plot)
        if len(data["channels"]) > 1:
            rows: list[list[Cell]] = [
                [
                    f"channel {place}",
                    Number(channel["mean"], channel["error"]),
                    Number(channel["points"]),
                    Number(channel["sigma"] / abs(channel["mean"]) if channel["mean"] else None),
                ]
                for place, channel in enumerate(data["channels"], start=1)
            ]
            section.tables.append(Table("Channels", ["", "cross section [pb]", "points", "rel. std"], rows))
    return section


def _weights(data: Mapping[str, Any] | None) -> Section | None:
    if data is None or not data.get("weights"):
        return None
    return Section("Weights", plots=weight_plots({"integration": data["weights"]}))


def _training(content: Mapping[str, Any]) -> Section | None:
    training = content.get("training") or {}
    plots = training_plot(training.get("history") or [])
    if not plots:
        return None
    text = f"{training['steps']:,} steps, {training['evaluations']:,} evaluations; {training['reason']}."
    return Section("Training", [text], plots=plots)


def _events(folder: Path, content: Mapping[str, Any]) -> Section | None:
    path = next((folder / name for name in _EVENTS if (folder / name).is_file()), None)
    if path is None:
        return None
    section = Section("Events")
    found = content.get("unweighting")
    if found and "trials" in found and "efficiency_after_cuts" in found:
        n = max(found["trials"], 1)
        rows: list[list[Cell]] = [
            ["events", Number(found["events"])],
            ["trials", Number(found["trials"])],
            ["efficiency, all trials", Number(found["efficiency"], _binomial(found["efficiency"], n))],
            [
                "efficiency, after cuts",
                Number(
                    found["efficiency_after_cuts"],
                    _binomial(found["efficiency_after_cuts"], max(found["trials_inside_cuts"], 1)),
                ),
            ],
            ["Kish effective size", Number(found["kish_effective_size"])],
            ["share of the cross section above the largest weight", Number(found["overweight_share"])],
            ["cross section of the trials [pb]", Number(found["cross_section_pb"], found["cross_section_error_pb"])],
        ]
        section.tables.append(Table(f"Unweighting, policy {found['policy']}", ["", ""], rows))
    summary = summarise_events(path)
    if summary is not None and len(summary.weight) >= 100:
        section.plots = event_plots(summary)
        text = f"Distributions of the first {len(summary.weight):,} events with {summary.state} in {path.name}."
        if summary.ratios.size:
            text += (
                " The uncertainty of the learned density comes from the replica weights of"
                f" {len(summary.ratios):,} events."
            )
        section.text.append(text)
    return section


def _binomial(share: float, n: int) -> float:
    return float((share * max(1.0 - share, 0.0) / n) ** 0.5)


def _uncertainties(content: Mapping[str, Any]) -> Section | None:
    found = content.get("uncertainties")
    if not isinstance(found, dict):
        return None
    section = Section("Uncertainties of events")
    if found.get("note"):
        section.text.append(f"{found['note']}.")
    calibration = found.get("calibration")
    if calibration and calibration.get("by_density"):
        section.text.append(
            f"{found['replicas']} replicas of the Bayesian flow on the exact points of the integration."
        )
        section.tables.append(calibration_table(calibration))
        section.plots.append(calibration_plot(calibration))
    theory = found.get("theory")
    if isinstance(theory, dict):
        rows: list[list[Cell]] = [
            [name.replace("_", " "), Number(value)] for name, value in theory.items() if isinstance(value, float)
        ]
        if rows:
            section.tables.append(Table("Theory, relative", ["", ""], rows))
    return section if section.text or section.tables else None


def _cost(content: Mapping[str, Any]) -> Section:
    stages = content.get("cpu_seconds_by_stage") or {}
    section = Section("Cost and versions")
    if stages:
        rows: list[list[Cell]] = [[name, Number(seconds, None, "s")] for name, seconds in stages.items()]
        section.tables.append(Table("CPU time", ["stage", ""], rows))
        names = list(stages)
        section.plots.append(
            Plot(
                "CPU time by stage",
                "",
                [
                    Panel(
                        "CPU time [s]",
                        [Series("steps", [float(i) for i in range(len(names) + 1)], [stages[name] for name in names])],
                    )
                ],
                categories=names,
            )
        )
    failures = content.get("failures")
    if failures:
        section.text.append(f"{failures['not_finite']} of {failures['evaluations']:,} weights were not finite.")
    versions = content.get("versions") or {}
    if versions:
        section.tables.append(
            Table("Versions", ["package", ""], [[name, str(value)] for name, value in versions.items()])
        )
    return section
