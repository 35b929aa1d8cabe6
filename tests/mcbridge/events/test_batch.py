"""Joining, cutting and regrouping event records loses no event and changes no order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events import WeightedEvents, concatenate, rebatch, select, size
from tests.mcbridge.unweighting.toys import lepton_pairs


def pairs(n, offset=0):
    u = np.stack([offset + np.arange(n), np.full(n, 0.3)], axis=1).astype(float)
    return lepton_pairs(u, np.ones(n, dtype=np.int64))


def weighted(n, offset=0):
    return WeightedEvents(pairs(n, offset), np.ones(n), {"mark": offset + np.arange(n) + 0.0}, {"g": np.ones((n, 2))})


@given(st.lists(st.integers(0, 30), min_size=1, max_size=10), st.integers(1, 25))
def test_rebatching_keeps_every_event_in_order(sizes, block):
    starts = np.concatenate([[0], np.cumsum(sizes)])
    blocks = list(rebatch((weighted(n, start) for n, start in zip(sizes, starts, strict=False)), block))
    marks = np.concatenate([part.attributes["mark"] for part in blocks] + [np.zeros(0)])
    scales = np.concatenate([part.batch.scale for part in blocks] + [np.zeros(0)])
    np.testing.assert_array_equal(marks, np.arange(sum(sizes)))
    np.testing.assert_array_equal(scales, marks)
    assert all(0 < len(part) <= block for part in blocks)


def test_blocks_end_where_the_particles_change():
    other = weighted(3)
    other.batch.mothers = other.batch.mothers + np.array([[0, 0], [0, 0], [0, 0], [1, 1]])
    assert [len(part) for part in rebatch([weighted(2), weighted(2), other, weighted(4)], 100)] == [4, 3, 4]


def test_records_with_other_mothers_do_not_share_a_batch():
    one, other = pairs(2), pairs(2)
    other.status = np.array([-1, -1, 1, 2])
    with pytest.raises(AmplitudeError, match="different status"):
        concatenate([one, other])


def test_selecting_and_joining_are_inverse():
    batch = pairs(10)
    joined = concatenate([select(batch, slice(0, 4)), select(batch, np.arange(4, 10))])
    assert size(joined) == 10
    np.testing.assert_array_equal(joined.momenta, batch.momenta)


def test_columns_of_the_wrong_length_are_refused():
    with pytest.raises(UserError, match="weight has shape"):
        WeightedEvents(pairs(3), np.ones(2))
    with pytest.raises(UserError, match="attribute sigma_stat"):
        WeightedEvents(pairs(3), np.ones(3), {"sigma_stat": np.ones(2)})
    with pytest.raises(UserError, match="weight group binn"):
        WeightedEvents(pairs(3), np.ones(3), {}, {"binn": np.ones(3)})
    with pytest.raises(UserError, match="same attributes"):
        WeightedEvents.join([weighted(2), WeightedEvents(pairs(2), np.ones(2))])
