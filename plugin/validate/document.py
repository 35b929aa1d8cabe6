"""The report of a validation."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugin.report.document import Cell, Number, Panel, Plot, Report, Section, Series, Table
from plugin.report.pieces import (
    calibration_plot,
    calibration_table,
    iteration_plot,
    training_plot,
    weight_histogram,
    weight_plots,
)
from plugin.validate.agreement_sections import classifier_section, distributions_section, tests_section
from plugin.validate.performance import POLICIES, Measured, Performance
from plugin.validate.result import Validation

__all__ = ["document", "performance_table", "validation_json"]

_POLICY_NAMES = {
    "quantile": "0.1% of the cross section in excess",
    "median": "median of bootstrap maxima",
    "exact": "largest weight seen",
}


def document(found: Validation) -> Report:
    """The page of a validation."""
    verdict = found.agreement.verdict
    status: Any = "good" if verdict.agree else "bad"
    report = Report(f"Validation: {found.title}", found.verdict_line(), status, found.command, _facts(found))
    report.sections = [
        section
        for section in (
            _cross_sections(found),
            _performance(found),
            _equal(found),
            _weights(found),
            tests_section(verdict, found.agreement.comparisons),
            distributions_section(found.agreement.comparisons, found),
            classifier_section(found),
            _training(found),
            _uncertainties(found),
            _about(found),
        )
        if section is not None
    ]
    report.data = validation_json(found)
    return report


def validation_json(found: Validation) -> dict[str, Any]:
    """All figures of a validation for programs."""
    gains = {
        "calls_per_event": found.gain_in_calls,
        "calls_per_variance": found.gain_in_variance,
        "cpu_time_per_event": found.gain_in_time,
    }
    return {
        "kind": "validation",
        "verdict": "agree" if found.agree else "disagree",
        "line": found.verdict_line(),
        **found.agreement.verdict.as_json(),
        "gains": {name: None if entry is None else entry.as_json() for name, entry in gains.items()},
        "break_even_events": found.break_even,
        "cross_sections": [
            {"name": name, "value": value, "error": error} for name, value, error in found.cross_sections
        ],
        "samplers": {entry.label: entry.as_json() for entry in (found.vegas, found.flow) if entry is not None},
        "accounts": [account.as_json() for account in found.accounts],
        "decision": None if found.decision is None else found.decision.as_json(),
        "distributions": [comparison.as_json() for comparison in found.agreement.comparisons],
        "classifier": None if found.agreement.classifier is None else found.agreement.classifier.as_json(),
        "calibration": None if found.calibration is None else found.calibration.as_json(),
        "training": [look.as_json() for look in found.history],
        "settings": found.settings,
        "notes": found.agreement.notes,
        "seconds": found.seconds,
    }


def number(found: Measured | None, unit: str = "") -> Number:
    """A measured figure as a cell."""
    return Number(None) if found is None else Number(found.value, found.error, unit)


def _facts(found: Validation) -> list[tuple[str, Cell]]:
    facts: list[tuple[str, Cell]] = [
        (f"cross section, {name}", Number(value, error, "pb")) for name, value, error in found.cross_sections
    ]
    facts.append(("smallest corrected p", Number(found.agreement.verdict.smallest)))
    classifier = found.agreement.classifier
    if classifier is not None:
        facts.append(("AUC of the classifier", Number(classifier.auc, classifier.error)))
    if found.flow is not None:
        facts += [
            ("gain in calls per event", number(found.gain_in_calls)),
            ("gain in calls for the same error", number(found.gain_in_variance)),
            ("gain in CPU time per event", number(found.gain_in_time)),
        ]
    return facts


def _cross_sections(found: Validation) -> Section:
    tests = [test for test in found.agreement.verdict.tests if test.kind in ("pull", "exact")]
    section = Section("Cross sections")
    section.tables.append(
        Table(
            "",
            ["", "cross section [pb]"],
            [[name, Number(value, error)] for name, value, error in found.cross_sections],
        )
    )
    section.tables.append(
        Table(
            "Differences in standard errors",
            ["", "pull", "difference", "p"],
            [[test.subject, test.statistic, test.detail, Number(test.p_value)] for test in tests],
        )
    )
    both = [entry for entry in (found.vegas, found.flow) if entry is not None]
    if both:
        section.tables.append(_replica_table(both))
        total = both[0].cross_section.value
        section.plots.append(
            iteration_plot("Independent replicas", {entry.label: entry.replicas.tolist() for entry in both}, total)
        )
        if len(both) == 2:
            section.plots.append(_pull_plot(both[0], both[1]))
    return section


def _replica_table(both: list[Performance]) -> Table:
    from scipy import stats

    rows: list[list[Cell]] = [
        [entry.label, f"{entry.chi2:.1f}/{entry.dof}", Number(float(stats.chi2.sf(entry.chi2, entry.dof)))]
        for entry in both
    ]
    note = "Iterations of independent points about their mean."
    if len(both) == 2:
        pulls = _pulls(both[0], both[1])
        n = len(pulls)
        width = float(np.std(pulls, ddof=1))
        note += (
            f" Pulls of flow and VEGAS: mean {Number(float(np.mean(pulls)), width / n**0.5)},"
            f" width {Number(width, width / (2 * (n - 1)) ** 0.5)}."
        )
    return Table("chi2 of the iterations", ["", "chi2/dof", "p"], rows, note)


def _pulls(vegas: Performance, flow: Performance) -> Any:
    difference = flow.replicas[:, 0] - vegas.replicas[:, 0]
    return difference / np.maximum(np.hypot(flow.replicas[:, 1], vegas.replicas[:, 1]), 1e-300)


def _pull_plot(vegas: Performance, flow: Performance) -> Plot:
    pulls = _pulls(vegas, flow)
    edges = np.linspace(-4.0, 4.0, 17)
    counts = np.histogram(np.clip(pulls, -4.0, 4.0), edges)[0]
    x = np.linspace(-4.0, 4.0, 81)
    normal = len(pulls) * 0.5 * np.exp(-(x**2) / 2.0) / np.sqrt(2.0 * np.pi)
    return Plot(
        "Pulls of the replicas",
        "(flow - VEGAS) / standard error",
        [
            Panel(
                "replicas",
                [
                    Series("steps", edges.tolist(), counts.tolist(), label="found", colour=2),
                    Series("line", x.tolist(), normal.tolist(), label="normal", colour=0, dashed=True),
                ],
            )
        ],
    )


def performance_table(both: list[Performance]) -> Table:
    """Efficiencies and sizes of samplers side by side."""
    rows: list[list[Cell]] = []
    for name in POLICIES:
        for title, after in (("all trials", False), ("after cuts", True)):
            entries = [(entry.efficiency_after_cuts if after else entry.efficiency)[name] for entry in both]
            rows.append([f"efficiency, {title}; {_POLICY_NAMES[name]}", *(number(entry) for entry in entries)])
    rows += [
        ["relative standard deviation", *(number(entry.rsd) for entry in both)],
        ["Kish effective size per point", *(number(entry.kish) for entry in both)],
        ["largest weight over mean weight", *(Number(entry.largest) for entry in both)],
        ["CPU time per point [us]", *(_micro(entry.seconds_per_point) for entry in both)],
        ["CPU time per unweighted event [us]", *(_micro(entry.seconds_per_event) for entry in both)],
    ]
    return Table(
        "",
        ["", *(entry.label for entry in both)],
        rows,
        f"{both[0].points:,} fresh points each; errors by jackknife over independent replicas.",
    )


def _micro(found: Measured) -> Number:
    return Number(1e6 * found.value, 1e6 * found.error)


def _performance(found: Validation) -> Section | None:
    both = [entry for entry in (found.vegas, found.flow) if entry is not None]
    if not both:
        return None
    section = Section("Efficiencies", tables=[performance_table(both)])
    if found.decision is not None:
        section.text.append(f"Decision: {found.decision.sampler}; {found.decision.reason}.")
    if found.training_seconds is not None:
        if found.break_even is not None:
            what = f"is won back by {found.break_even:,.3g} unweighted events"
        else:
            what = "is not won back by unweighted events, which cost more CPU time with the flow"
        section.text.append(f"The training has taken {found.training_seconds:.3g} s of CPU time, which {what}.")
    return section


def _equal(found: Validation) -> Section | None:
    if not found.accounts:
        return None
    rows: list[list[Cell]] = [
        [
            account.name,
            Number(account.adaptation),
            Number(account.points),
            Number(account.cpu_seconds, None, "s"),
            number(account.cross_section),
            f"{account.cross_section.error / abs(account.cross_section.value):.2e}",
            f"{account.events:.3g}",
        ]
        for account in found.accounts
    ]
    columns = [
        "", "evaluations to adapt", "points", "CPU time", "cross section [pb]", "relative error", "unweighted events"
    ]  # fmt: skip
    return Section(
        "Equal evaluations and equal time",
        ["Survey and training of the flow count; VEGAS adapts with as many evaluations."],
        [Table("", columns, rows)],
    )


def _weights(found: Validation) -> Section | None:
    points = [p for p in (found.agreement.reference, found.agreement.candidate) if p is not None]
    if points:
        histograms = {entry.label: weight_histogram(entry.by_channel()) for entry in points}
    else:
        samples = [sample for sample in found.agreement.samples if len(sample)]
        histograms = {entry.label: weight_histogram([entry.contribution]) for entry in samples}
    return Section("Weights", plots=weight_plots(histograms)) if histograms else None


def _training(found: Validation) -> Section | None:
    plots = training_plot([look.as_json() for look in found.history])
    return Section("Training", plots=plots) if plots else None


def _uncertainties(found: Validation) -> Section | None:
    if found.calibration is None:
        return None
    data = found.calibration.as_json()
    return Section(
        "Uncertainties of events",
        ["Replicas of the Bayesian flow against exact points; the violet bands of the distributions are theirs."],
        [calibration_table(data)],
        [calibration_plot(data)],
    )


def _about(found: Validation) -> Section:
    rows: list[list[Cell]] = [
        [name, value if isinstance(value, str) else Number(value)] for name, value in found.settings.items()
    ]
    rows.append(["wall-clock time", Number(found.seconds, None, "s")])
    return Section("About this validation", list(found.agreement.notes), [Table("", ["", ""], rows)])
