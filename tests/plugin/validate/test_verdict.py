"""The family of tests and its global significance."""

from __future__ import annotations

import numpy as np
import pytest

from plugin.validate.sample import WeightedSample
from plugin.validate.verdict import Test, cross_section_test, judge, pull_test


def family_of(probabilities):
    return [Test(f"subject {place}", "chi2", "", p) for place, p in enumerate(probabilities)]


def test_holm_corrects_for_the_number_of_tests():
    verdict = judge(family_of([0.001, 0.5, 0.004, 0.02]))
    assert verdict.corrected == pytest.approx((0.004, 0.5, 0.012, 0.04))
    assert not verdict.agree
    assert verdict.disagreeing == ["subject 0"]
    assert verdict.sentence("A and B").startswith("DISAGREE in subject 0: A and B (4 tests, smallest corrected p 0.004")


def test_one_family_in_a_hundred_is_called_different():
    generator = np.random.default_rng(1)
    alarms = sum(not judge(family_of(generator.random(60))).agree for _ in range(4000))
    assert alarms == pytest.approx(40, abs=4 * np.sqrt(40))


def test_the_pull_of_two_cross_sections_has_width_one():
    generator = np.random.default_rng(2)
    pulls = []
    for _ in range(500):
        made = [
            WeightedSample.of_weights("s", generator.exponential(size=n), np.zeros(n, dtype=np.int64), 1)
            for n in (400, 700)
        ]
        pulls.append(float(cross_section_test("cross section", *made).statistic))
    assert np.std(pulls) == pytest.approx(1.0, abs=4 / np.sqrt(2 * len(pulls)))
    assert np.mean(pulls) == pytest.approx(0.0, abs=4 / np.sqrt(len(pulls)))


def test_equal_exact_numbers_agree_and_different_ones_do_not():
    assert pull_test("x", 2.0, 2.0 * (1 + 1e-12), 0.0).p_value > 0.5
    assert pull_test("x", 2.0, 2.0 * (1 + 1e-6), 0.0).p_value < 1e-10
    assert judge([]).agree
