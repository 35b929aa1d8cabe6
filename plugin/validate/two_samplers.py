"""Do two samplers of one process give the same cross section, in every observable?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from mcbridge.integrands import Evaluation
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import IntArray
from mcbridge.integration import Guard
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.validate.classifier import ClassifierResult, classify
from plugin.validate.distribution import Comparison, compare
from plugin.validate.points import Points, channel_sample, draw_points, whole_sample
from plugin.validate.sample import WeightedSample
from plugin.validate.verdict import Test, Verdict, cross_section_test, family, judge

__all__ = ["Agreement", "compare_samplers"]

StageReport = Callable[[str, int, int], None]


@dataclass
class Agreement:
    """Everything that two samples were compared in.

    Attributes:
        verdict: agree or disagree.
        comparisons: one an observable.
        classifier: None where there is none.
        reference, candidate: fresh points of the two samplers; None for event files.
        samples: the weighted samples of reference and candidate.
        notes: what could not be compared, and why.
    """

    verdict: Verdict
    comparisons: list[Comparison]
    classifier: ClassifierResult | None
    reference: Points | None
    candidate: Points | None
    samples: tuple[WeightedSample, WeightedSample]
    notes: list[str] = field(default_factory=list)


def compare_samplers(
    process: Metered,
    reference: Sampler,
    candidate: Sampler,
    points: int,
    streams: Streams,
    *,
    labels: tuple[str, str] = ("vegas", "flow"),
    classifier: bool = True,
    guard: Guard | None = None,
    threads: int = 1,
    on_progress: StageReport | None = None,
) -> Agreement:
    """Draw ``points`` fresh points from each of two samplers and compare them.

    Compared are the cross section, with several channels also that of each channel (with the channel weights of the
    candidate at the points of both), the observables of events, the coordinates of the hypercube of every channel, and
    what a classifier makes of all of them.

    Arguments:
        process: the integrand.
        reference, candidate: samplers, usually VEGAS and flow.
        points: amplitude evaluations for each.
        streams: random numbers.
        labels: of the two.
        classifier: whether a classifier is trained.
        guard: what is tolerated of the integrand.
        threads: of the samplers.
        on_progress: called with (stage, done, planned).

    Raises:
        UserError: too few points.
        AmplitudeError: the integrand fails.
    """
    report: StageReport = on_progress or (lambda stage, done, planned: None)
    drawn: list[Points] = []
    for sampler, label in zip((reference, candidate), labels, strict=True):
        names = None if not drawn else [name for name in drawn[0].events if name not in drawn[0].categories]
        drawn.append(
            draw_points(
                process, sampler, points, streams, label, names=names, guard=guard, threads=threads,
                on_progress=partial(report, f"Points of {label}"),
            )
        )  # fmt: skip
    counts = [np.bincount(found.samples.channel, minlength=process.channels) for found in drawn]
    samples = (
        whole_sample(drawn[0], candidate, counts[1]),
        whole_sample(drawn[1], reference, counts[0]),
    )
    tests = [cross_section_test("cross section", *samples)]
    notes: list[str] = []
    pairs = _channel_pairs(process, drawn, counts, reference, candidate, notes)
    tests += [cross_section_test(f"cross section of channel {channel + 1}", *pair) for channel, pair in pairs.items()]
    if process.channels > 1:
        tests += _channel_weight_test(candidate, drawn[1])
    comparisons = compare_columns(*samples, report=report)
    for channel, pair in pairs.items():
        for found in compare_columns(*pair):
            found.name = f"{found.name} of channel {channel + 1}"
            comparisons.append(found)
    result: ClassifierResult | None = None
    if classifier:
        result = classify(*samples, streams, on_progress=lambda done, planned: report("Classifier", done, planned))
        if result is None:
            notes.append("no classifier: too few effective points or no observables")
    notes += [f"{found.name}: not compared; {found.note}" for found in comparisons if found.note]
    verdict = judge(family(tests, comparisons, result))
    return Agreement(verdict, comparisons, result, drawn[0], drawn[1], samples, notes)


def compare_columns(
    reference: WeightedSample, candidate: WeightedSample, report: StageReport | None = None
) -> list[Comparison]:
    """Compare all observables that two samples share."""
    names = [name for name in reference.columns if name in candidate.columns]
    found = []
    for number, name in enumerate(names, start=1):
        found.append(compare(name, reference, candidate))
        if report is not None:
            report("Distributions", number, len(names))
    return found


def _channel_pairs(
    process: Metered,
    drawn: list[Points],
    counts: list[IntArray],
    reference: Sampler,
    candidate: Sampler,
    notes: list[str],
) -> dict[int, tuple[WeightedSample, WeightedSample]]:
    """For each of several channels both samples of it, with the channel weights of the candidate."""
    if process.channels == 1:
        return {}
    pairs = {}
    for channel in range(process.channels):
        number = [int(count[channel]) for count in counts]
        if min(number) == 0:
            notes.append(f"channel {channel + 1} is not compared by itself: not both samplers draw from it")
            continue
        pairs[channel] = (
            channel_sample(drawn[0], channel, candidate, False, candidate, number[1]),
            channel_sample(drawn[1], channel, candidate, True, reference, number[0]),
        )
    return pairs


def _channel_weight_test(candidate: Sampler, points: Points) -> list[Test]:
    """Channel weights must add up to 1 at every point; where they do not, the cross section is wrong."""
    samples = points.samples
    live = np.flatnonzero(points.weight)[:50_000]
    part = samples.select(live)
    alpha = candidate.alpha(Evaluation(part.weight, part.alpha, part.features))
    if alpha is None or not len(live):
        return []
    off = float(np.max(np.abs(np.sum(alpha, axis=1) - 1.0)))
    return [Test("sum of the channel weights", "exact", f"off by {off:.1e}", 1.0 if off < 1e-6 else 0.0)]
