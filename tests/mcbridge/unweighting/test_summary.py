"""Streaming sums of weights equal the figures of all weights at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcbridge.errors import UserError
from mcbridge.unweighting import WeightSummary, efficiency, efficiency_after_cuts, kish, overweight_share

weight_samples = hnp.arrays(
    np.float64, st.integers(2, 50), elements=st.floats(-100.0, 100.0).map(lambda w: round(w, 3))
)


@given(weight_samples, st.integers(0, 50))
def test_a_summary_in_two_parts_equals_the_figures_of_the_whole(weights, cut):
    first, second = WeightSummary(w_max=10.0), WeightSummary(w_max=10.0)
    first.add(weights[:cut])
    second.add(weights[cut:])
    first.join(second)
    assert first.n == len(weights)
    assert first.mean == pytest.approx(np.mean(weights), abs=1e-9)
    assert first.error == pytest.approx(np.std(weights) / np.sqrt(len(weights) - 1), abs=1e-6)
    assert first.efficiency == pytest.approx(efficiency(weights, 10.0))
    assert first.efficiency_after_cuts == pytest.approx(efficiency_after_cuts(weights, 10.0))
    assert first.overweight_share == pytest.approx(overweight_share(weights, 10.0), abs=1e-12)
    assert first.kish == pytest.approx(kish(weights), rel=1e-6, abs=1e-9)
    assert first.largest == np.max(np.abs(weights))


def test_an_empty_summary_has_figures_of_zero():
    summary = WeightSummary()
    assert (summary.mean, summary.error, summary.efficiency, summary.kish, summary.overweight_share) == (0,) * 5


def test_the_tables_name_efficiency_and_kish_size():
    summary = WeightSummary()
    summary.add(np.array([0.0, 0.5, -1.5]))
    assert "efficiency, all trials" in str(summary)
    assert "Kish" in str(summary)
    assert summary._repr_html_().startswith("<table>")
    assert summary.negative_fraction == pytest.approx(0.75)


def test_summaries_of_different_largest_weights_are_not_added():
    with pytest.raises(UserError, match="w_max"):
        WeightSummary(1.0).join(WeightSummary(2.0))
    with pytest.raises(UserError, match="w_max is 0"):
        WeightSummary(0.0)
