"""A classifier that tries to tell two weighted samples apart: the most sensitive single test.

It is the sum of polynomials in single observables, chosen one by one while they are significant, and of a network that
learns the rest. Half of each sample trains it, the other half is judged. Whatever it has learned, the judged half knows
nothing of: where both samples follow one distribution, its AUC there is 1/2 within the standard error, so that the test
needs no calibration. Where they differ, ``w = D/(1 - D)`` estimates the ratio of their densities at every point.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from mcbridge.integrands import Array
from mcbridge.random import Streams
from plugin.validate.additive import fit_additive
from plugin.validate.distribution import edges_for
from plugin.validate.sample import WeightedSample

__all__ = ["ClassifierResult", "classify", "weighted_auc"]


@dataclass
class ClassifierResult:
    """What the classifier found.

    Attributes:
        auc, error: on points that it has not seen, with its standard error; 1/2 is what equal samples give.
        p_value: one-sided, of an AUC above 1/2.
        points: points of each sample that were judged.
        steps: of the training.
        edges: (bins + 1,), of ``log10 w``.
        reference, candidate: (bins,), distribution of the weights under both samples.
        history: (step, loss on training points, loss on held-out ones) of every look.
        most_different: the observables in which the judged points move most with w.
    """

    auc: float
    error: float
    p_value: float
    points: tuple[int, int]
    steps: int
    edges: Array
    reference: Array
    candidate: Array
    history: list[tuple[int, float, float]] = field(default_factory=list)
    most_different: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """All figures, for files."""
        return {
            "auc": self.auc,
            "auc_error": self.error,
            "p": self.p_value,
            "points": list(self.points),
            "steps": self.steps,
            "log10_weight_edges": self.edges.tolist(),
            "reference": self.reference.tolist(),
            "candidate": self.candidate.tolist(),
            "history": [list(look) for look in self.history],
            "most_different": self.most_different,
        }


def classify(
    reference: WeightedSample,
    candidate: WeightedSample,
    streams: Streams,
    *,
    most: int = 200_000,
    steps: int = 2000,
    on_progress: Callable[[int, int], None] | None = None,
) -> ClassifierResult | None:
    """Train a classifier on half of two weighted samples, and judge it on the other half.

    Arguments:
        reference, candidate: with the same columns, mapped to (-1, 1) by their pooled distribution.
        streams: random numbers of the split, the start and the batches.
        most: points of each sample that are used.
        steps: most optimisation steps.
        on_progress: called with steps done and planned.

    Returns:
        the result; None where there are fewer than 200 effective points or no columns.
    """
    names = [name for name in reference.columns if name in candidate.columns]
    generator = streams.generator("classifier")
    pair = [_chosen(sample, most, generator) for sample in (reference, candidate)]
    if not names or min(_kish(weight) for _, weight in pair) < 200.0:
        return None
    features, owners = _features(names, reference, candidate, [rows for rows, _ in pair])
    if features[0].shape[1] == 0:
        return None
    halves = [np.arange(len(weight)) % 2 == 0 for _, weight in pair]  # rows are in random order already
    additive = fit_additive(
        *(table[half] for table, half in zip(features, halves, strict=True)),
        *(weight[half] for (_, weight), half in zip(pair, halves, strict=True)),
    )
    from plugin.flows.threads import torch_threads
    from plugin.validate.network import score, train

    # One thread: the steps are short, and threads that wait for each other cost more than they bring.
    with torch_threads(1):
        model, history = train(
            features, [weight for _, weight in pair], halves, additive, generator, steps, on_progress
        )
        scores = [score(model, additive, table[~half]) for table, half in zip(features, halves, strict=True)]
    weights = [weight[~half] for (_, weight), half in zip(pair, halves, strict=True)]
    auc, error = weighted_auc(scores[0], scores[1], weights[0], weights[1])
    edges = _edges(scores)
    histograms = [
        np.histogram(np.clip(score, edges[0], edges[-1]), edges, weights=weight / np.sum(weight))[0]
        for score, weight in zip(scores, weights, strict=True)
    ]
    return ClassifierResult(
        auc,
        error,
        float(stats.norm.sf((auc - 0.5) / error)) if error > 0.0 else 1.0,
        (len(scores[0]), len(scores[1])),
        history[-1][0],
        edges,
        histograms[0],
        histograms[1],
        history,
        _most_different(owners, features, halves, scores, weights),
    )


def weighted_auc(reference: Array, candidate: Array, w_reference: Array, w_candidate: Array) -> tuple[float, float]:
    """Area under the ROC curve of weighted points and its standard error (DeLong et al. 1988, with weights).

    ``AUC = P(score of a candidate > score of a reference point)``, ties counted half.

    Arguments:
        reference, candidate: (n,) and (k,), scores.
        w_reference, w_candidate: their weights, of either sign.
    """
    a, b = w_reference / np.sum(w_reference), w_candidate / np.sum(w_candidate)
    below_candidate = _cumulative(reference, a, candidate)  # of each candidate: share of the reference below it
    below_reference = _cumulative(candidate, b, reference)
    auc = float(b @ below_candidate)
    variance = float(np.sum((b * (below_candidate - auc)) ** 2))
    variance += float(np.sum((a * (1.0 - below_reference - auc)) ** 2))
    return auc, float(np.sqrt(variance))


def _cumulative(values: Array, weight: Array, at: Array) -> Array:
    """Weight of values below each of ``at``, half of it where they are equal."""
    order = np.argsort(values, kind="stable")
    ascending = values[order]
    sums = np.concatenate([[0.0], np.cumsum(weight[order])])
    left, right = np.searchsorted(ascending, at, side="left"), np.searchsorted(ascending, at, side="right")
    result: Array = 0.5 * (sums[left] + sums[right])
    return result


def _kish(weight: Array) -> float:
    squares = float(np.sum(weight**2))
    return float(np.sum(weight)) ** 2 / squares if squares > 0.0 else 0.0


def _chosen(sample: WeightedSample, most: int, generator: np.random.Generator) -> tuple[Array, Array]:
    """Rows in random order and their weights.

    Where there are more than wanted, rows are drawn with a probability in proportion to |w| (up to a limit), and the
    weights corrected for it, so that nothing is lost of samples whose weights vary.
    """
    live = np.flatnonzero(sample.contribution)
    order = generator.permutation(live)
    weight = sample.contribution[order]
    if len(order) > most:
        keep = np.minimum(1.0, np.abs(weight) * most / np.sum(np.abs(weight)))
        kept = generator.random(len(order)) < keep
        order, weight = order[kept], weight[kept] / keep[kept]
    return order, weight


def _features(
    names: list[str], reference: WeightedSample, candidate: WeightedSample, rows: list[Array]
) -> tuple[list[Any], list[str]]:
    """(n, columns) float32 in (-1, 1), numbers by their pooled distribution, classes one column each; their names."""
    tables: list[list[Array]] = [[], []]
    owners: list[str] = []
    for name in names:
        columns = (reference.columns[name], candidate.columns[name])
        if columns[0].categories:
            for place in range(len(columns[0].categories)):
                owners.append(name)
                for table, column, own in zip(tables, columns, rows, strict=True):
                    table.append(np.asarray(column.values)[own] == place)
            continue
        edges = edges_for(*columns, reference, candidate)
        if len(edges) < 3:
            continue
        owners.append(name)
        for table, column, own in zip(tables, columns, rows, strict=True):
            values = np.asarray(column.values)[own]
            table.append(np.nan_to_num(np.interp(values, edges, np.linspace(-1.0, 1.0, len(edges)))))
    return [
        np.stack(table, axis=1).astype(np.float32) if table else np.zeros((len(own), 0), dtype=np.float32)
        for table, own in zip(tables, rows, strict=True)
    ], owners


def _edges(scores: list[Array]) -> Array:
    """Symmetric about 0, wide enough for all but one point in a thousand; never narrower than a few per cent."""
    both = np.abs(np.concatenate(scores))
    width = max(float(np.quantile(both, 0.999)), 0.02)
    return np.linspace(-width, width, 61)


def _most_different(
    owners: list[str], features: list[Any], halves: list[Any], scores: list[Array], weights: list[Array]
) -> list[str]:
    """Up to three observables (mapped to their ranks) that follow the classifier's weight most closely."""
    table = np.concatenate([own[~half] for own, half in zip(features, halves, strict=True)])
    score = np.concatenate(scores)
    weight = np.abs(np.concatenate([w / np.sum(np.abs(w)) for w in weights]))
    score = score - np.average(score, weights=weight)
    spread = float(np.average(score**2, weights=weight))
    if not spread > 0.0:
        return []
    # a correlation ratio (binned), which sees curves as well as slopes
    ratios = []
    for column in table.T:
        place = np.clip(((column + 1.0) * 10.0).astype(np.int64), 0, 19)
        sums = np.bincount(place, weight, 20)
        means = np.bincount(place, weight * score, 20) / np.maximum(sums, 1e-300)
        ratios.append(float(np.sum(sums * means**2)) / spread / float(np.sum(sums)))
    ordered = [owners[place] for place in np.argsort(ratios)[::-1]]
    return list(dict.fromkeys(ordered))[:3]
