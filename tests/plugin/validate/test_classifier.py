"""The classifier: its AUC and error against independent calculations, and what it finds."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.random import Streams
from plugin.validate.additive import fit_additive
from plugin.validate.classifier import classify, weighted_auc
from plugin.validate.sample import Column, WeightedSample


def sample(columns, weight):
    n = len(weight)
    named = {f"x{place}": Column(values) for place, values in enumerate(columns)}
    return WeightedSample("s", weight / n, np.zeros(n, dtype=np.int64), np.array([n]), named)


def test_auc_of_weighted_points_is_the_double_sum():
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=60).round(1), generator.normal(0.4, 1.0, size=50).round(1)  # with ties
    u, v = generator.random(60), generator.normal(1.0, 1.0, size=50)  # of either sign
    below = (a[:, None] < b) + 0.5 * (a[:, None] == b)
    expected = u @ below @ v / (u.sum() * v.sum())
    assert weighted_auc(a, b, u, v)[0] == pytest.approx(expected, rel=1e-12)


def test_the_error_of_the_auc_is_its_scatter():
    generator = np.random.default_rng(2)
    found = []
    for _ in range(400):
        a, b = generator.normal(size=300), generator.normal(0.5, 1.0, size=400)
        found.append(weighted_auc(a, b, generator.exponential(size=300), generator.exponential(size=400)))
    values, errors = np.array(found).T
    assert np.std(values) == pytest.approx(np.mean(errors), rel=4 / np.sqrt(2 * len(values)))


def test_polynomials_find_the_ratio_of_two_slopes_and_nothing_where_there_is_nothing():
    generator = np.random.default_rng(3)
    x, y = generator.uniform(-1, 1, (40000, 3)), generator.uniform(-1, 1, (40000, 3))
    tilt = 1.0 + 0.2 * y[:, 1]
    found = fit_additive(x.astype(np.float32), y.astype(np.float32), np.ones(40000), tilt)
    assert found.chosen[0] == 4  # first degree of the second column
    table = np.linspace(-0.9, 0.9, 7)[:, None] * np.array([[0.0, 1.0, 0.0]])
    assert found(table.astype(np.float32)) == pytest.approx(np.log(1.0 + 0.2 * table[:, 1]), abs=0.03)
    assert len(fit_additive(x.astype(np.float32), y.astype(np.float32), np.ones(40000), np.ones(40000)).chosen) <= 1


@pytest.mark.parametrize("kind", ["equal", "slope", "correlation"])
def test_what_the_classifier_finds(kind):
    """Weights correct a wrong density in ``equal``; a correlation of flat variables is seen by the network alone."""
    generator = np.random.default_rng(4)
    n = 20000
    x, y = generator.random((3, n)), generator.random((3, n))
    x[0] = 0.5 * (np.sqrt(1.0 + 8.0 * x[0]) - 1.0)  # density 0.5 + x
    weight = {
        "equal": np.ones(n),
        "slope": 1.0 + 0.3 * (2.0 * y[2] - 1.0),
        "correlation": 1.0 + 0.5 * np.sign((y[1] - 0.5) * (y[2] - 0.5)),
    }[kind]
    found = classify(sample(x, 1.0 / (0.5 + x[0])), sample(y, weight), Streams(5), steps=500)
    assert found is not None
    if kind == "equal":
        assert abs(found.auc - 0.5) < 4 * found.error
        assert found.p_value > 1e-4
    else:
        assert found.p_value < 1e-4
        assert kind == "correlation" or found.most_different[0] == "x2"
    assert found.error == pytest.approx(np.sqrt(2 / 12 / (n / 2)), rel=0.5)
    assert np.sum(found.reference) == pytest.approx(1.0)
    again = classify(sample(x, 1.0 / (0.5 + x[0])), sample(y, weight), Streams(5), steps=500)
    assert again.auc == found.auc


def test_too_few_points_give_no_classifier():
    few = sample([np.random.default_rng(6).random(100)], np.ones(100))
    assert classify(few, few, Streams(1)) is None


@pytest.mark.slow
def test_the_pull_of_the_auc_has_mean_0_and_width_1_for_equal_weighted_samples():
    """Weights that vary, more points than are used, columns that repeat each other."""
    pulls = []
    for seed in range(60):
        generator = np.random.default_rng(1000 + seed)
        made = []
        for _ in range(2):
            x = generator.random((6, 12000))
            x[0] = 0.5 * (np.sqrt(1.0 + 8.0 * x[0]) - 1.0)
            made.append(sample([*x, *(x[:3] + x[3:])], generator.lognormal(0.0, 0.5, 12000) / (0.5 + x[0])))
        found = classify(*made, Streams(seed), steps=200, most=6000)
        pulls.append((found.auc - 0.5) / found.error)
    assert np.mean(pulls) == pytest.approx(0.0, abs=4 / np.sqrt(len(pulls)))
    assert np.std(pulls) == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(pulls)))
