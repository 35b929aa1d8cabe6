"""Numbers of points."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.integration import allocate, split


@given(
    shares=st.lists(st.floats(0, 1e6), min_size=1, max_size=50),
    extra=st.integers(0, 10_000),
    minimum=st.integers(0, 20),
)
def test_split_uses_up_the_total_and_keeps_the_minimum(shares, extra, minimum):
    shares = np.array(shares)
    live = int(np.sum(shares > 0))
    total = minimum * live + extra
    counts = split(total, shares, minimum)
    assert np.all(counts[shares == 0] == 0)
    if live:
        assert counts.sum() == total
        assert np.all(counts[shares > 0] >= minimum)


def test_split_follows_the_shares():
    np.testing.assert_array_equal(split(100, np.array([1.0, 3.0, 0.0])), [25, 75, 0])
    np.testing.assert_array_equal(split(10, np.ones(3)), [4, 3, 3])
    np.testing.assert_array_equal(split(100, np.array([1e-9, 1.0]), 2), [2, 98])


def test_split_of_too_few_points_is_refused():
    with pytest.raises(UserError, match="3 points are too few for 2 channels; at least 4"):
        split(3, np.ones(2), 2)


def test_allocation_follows_sigma_with_a_floor():
    np.testing.assert_allclose(allocate(np.array([3.0, 1.0]), 0.0), [0.75, 0.25])
    np.testing.assert_allclose(allocate(np.array([1.0, 0.0]), 0.1), [0.95, 0.05])
    np.testing.assert_allclose(allocate(np.zeros(4)), 0.25)
