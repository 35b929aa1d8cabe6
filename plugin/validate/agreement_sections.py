"""What the report of a validation shows of the agreement: tests, distributions, classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from plugin.report.document import Cell, Number, Panel, Plot, Section, Series, Table
from plugin.validate.classifier import ClassifierResult
from plugin.validate.distribution import Comparison
from plugin.validate.result import Validation
from plugin.validate.verdict import Verdict

__all__ = ["classifier_section", "distributions_section", "table_of_tests", "tests_section"]


def table_of_tests(verdict: Verdict, most: int | None = None) -> Table:
    """All tests, the smallest probability first."""
    pairs = sorted(zip(verdict.tests, verdict.corrected, strict=True), key=lambda pair: pair[0].p_value)
    rows: list[list[Cell]] = [
        [test.subject, test.kind, test.statistic, Number(test.p_value), Number(corrected), test.detail]
        for test, corrected in pairs[:most]
    ]
    title = f"All {len(pairs)} tests" if most is None else "The smallest probabilities"
    return Table(title, ["", "test", "statistic", "p", "p corrected", "where most"], rows, folded=most is None)


def tests_section(verdict: Verdict, comparisons: list[Comparison]) -> Section:
    """All tests of a validation and their probabilities."""
    values = np.sort([test.p_value for test in verdict.tests])
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    floor = 1e-20
    x = np.log10(ranks).tolist()
    plot = Plot(
        "All probabilities, sorted",
        "log10 of expected p",
        [
            Panel(
                "log10 p",
                [
                    Series("line", x, x, label="equal samples", colour=0, dashed=True),
                    Series("points", x, np.log10(np.maximum(values, floor)).tolist(), label="tests", colour=2),
                ],
            )
        ],
        "Equal samples scatter about the dashed line; tests of related observables move together.",
    )
    return Section(
        "Tests",
        [
            f"{len(verdict.tests)} tests at a global significance of {verdict.significance:.0%}: probabilities are"
            " corrected for their number (Holm), so that equal samples are called different in at most that share of"
            " validations. Shapes are compared by chi2 with the covariance of weighted bins and by a Kolmogorov-Smirnov"
            " test whose distribution is simulated with the same covariance."
        ],
        [table_of_tests(verdict, 8), table_of_tests(verdict)],
        [plot],
    )


def _distribution_plot(found: Comparison, labels: tuple[str, str]) -> Plot:
    """An observable of both samples with the ratio below."""
    edges = found.edges
    width = np.ones(len(found.reference)) if found.categories else np.diff(edges)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = found.candidate / found.reference
        ratio_error = found.candidate_error / np.abs(found.reference)
        own = found.reference_error / np.abs(found.reference)
    reference, candidate = found.reference / width, found.candidate / width
    positive = reference[reference > 0.0]
    log = bool(len(positive) and positive.max() > 100.0 * positive.min())
    middle = 0.5 * (edges[1:] + edges[:-1])
    lower = [
        Series("band", edges.tolist(), [1.0] * len(own), _clean(own), colour=1),
        Series("points", middle.tolist(), _clean(ratio), _clean(ratio_error), colour=2),
        Series("level", [], [1.0], colour=0, dashed=True),
    ]
    if found.band is not None:
        lower.insert(0, Series("band", edges.tolist(), [1.0] * len(own), _clean(found.band), colour=4))
    spread = np.concatenate([np.abs(ratio - 1.0) + 1.3 * ratio_error, 1.5 * own])
    span = float(np.clip(np.max(spread[np.isfinite(spread)], initial=0.0), 1e-3, 0.5))
    unit = found.name[found.name.rfind("[") + 1 : found.name.rfind("]")] if found.name.find("[") >= 0 else ""
    tests = f"chi2 {found.chi2:.1f}/{found.dof}, p {found.p_chi2:.2g}"
    if found.p_ks is not None:
        tests += f"; KS p {found.p_ks:.2g}"
    return Plot(
        found.name,
        "" if found.categories else found.name,
        [
            Panel(
                "share" if found.categories else f"density [1/{unit}]" if unit else "density",
                [
                    Series("steps", edges.tolist(), _clean(reference, log), label=labels[0], colour=1),
                    Series(
                        "points", middle.tolist(), _clean(candidate, log), _clean(found.candidate_error / width),
                        labels[1], 2,
                    ),
                ],
                log=log,
            ),
            Panel("ratio", lower, limits=(1.0 - 1.1 * span, 1.0 + 1.1 * span), height=0.6),
        ],
        tests + ("; violet: uncertainty of the learned density" if found.band is not None else ""),
        found.categories,
    )  # fmt: skip


def _clean(values: Any, log: bool = False) -> list[float | None]:
    return [float(v) if np.isfinite(v) and (v > 0.0 or not log) else None for v in values]


def distributions_section(comparisons: list[Comparison], found: Validation) -> Section | None:
    """Every observable of both samples; None where none was compared."""
    samples = found.agreement.samples
    labels = (samples[0].label, samples[1].label)
    plots = [
        _distribution_plot(entry, (labels[0], "events") if ".lhe" in entry.name and found.vegas else labels)
        for entry in comparisons
        if entry.p_chi2 is not None
    ]
    if not plots:
        return None
    return Section(
        "Distributions",
        [
            f"Shapes of {labels[0]} (line) and {labels[1]} (points) with their ratio; the blue band is the standard"
            f" error of {labels[0]}."
            + (" u1, u2, ... are the coordinates of the unit hypercube." if found.vegas is not None else "")
        ],
        plots=plots,
    )


def classifier_section(found: Validation) -> Section | None:
    """What a classifier finds; None where none was trained."""
    result: ClassifierResult | None = found.agreement.classifier
    if result is None:
        return None
    labels = [sample.label for sample in found.agreement.samples]
    edges = result.edges.tolist()
    plots = [
        Plot(
            "Weights of the classifier",
            "log10 of D/(1 - D)",
            [
                Panel(
                    "share",
                    [
                        Series("steps", edges, result.reference.tolist(), label=labels[0], colour=1),
                        Series("steps", edges, result.candidate.tolist(), label=labels[1], colour=2, dashed=True),
                    ],
                )
            ],
            "The estimated ratio of both densities at points that the classifier has not seen.",
        )
    ]
    if len(result.history) > 1:
        x = [float(look[0]) for look in result.history]
        plots.append(
            Plot(
                "Training of the classifier",
                "optimisation step",
                [
                    Panel(
                        "cross entropy - log 2",
                        [
                            Series("line", x, [look[1] - np.log(2.0) for look in result.history], label="training"),
                            Series(
                                "line", x, [look[2] - np.log(2.0) for look in result.history], label="held out",
                                colour=2,
                            ),
                        ],
                    )
                ],
                "Below zero on held-out points: it has found a difference.",
            )
        )  # fmt: skip
    follows = f" Its weights follow {', '.join(result.most_different)} most." if result.most_different else ""
    return Section(
        "Classifier",
        [
            f"AUC {Number(result.auc, result.error)} on {result.points[0]:,} and {result.points[1]:,} points that it"
            f" has not seen (equal samples: 0.5), p {result.p_value:.2g}.{follows}"
        ],
        plots=plots,
    )
