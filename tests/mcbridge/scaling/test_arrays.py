"""Checkpoints: what is read is what was written; everything else is refused in a sentence, and nothing is executed."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.integrands import Evaluation
from mcbridge.scaling import Cost, Journal
from mcbridge.scaling.arrays import dump_arrays, load_arrays, load_information, parse_arrays, save_arrays

ARRAYS = {"u": np.arange(6.0).reshape(3, 2), "n": np.array([1, 2, 3])}


def test_arrays_come_back_bit_for_bit(tmp_path):
    save_arrays(tmp_path / "a.safetensors", ARRAYS, "points", {"cost": [1, 2.5]})
    arrays, information = load_arrays(tmp_path / "a.safetensors", "points")
    assert information == {"cost": [1, 2.5]} == load_information(tmp_path / "a.safetensors", "points")
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(parse_arrays(dump_arrays(ARRAYS, "points"))["u"], ARRAYS["u"])


@pytest.mark.parametrize("keep", [0, 7, 40, -1])
def test_a_truncated_file_is_told(tmp_path, keep):
    path = tmp_path / "a.safetensors"
    save_arrays(path, ARRAYS, "points")
    path.write_bytes(path.read_bytes()[:keep])
    for read in (load_arrays, load_information):
        with pytest.raises(UserError, match=r"a\.safetensors is damaged") as caught:
            read(path, "points")
        assert "\n" not in str(caught.value)


def test_another_kind_or_version_is_told(tmp_path):
    path = tmp_path / "a.safetensors"
    save_arrays(path, ARRAYS, "events")
    with pytest.raises(UserError, match="holds 'events', not 'points'"):
        load_arrays(path, "points")
    path.write_bytes(path.read_bytes().replace(b"binnis-checkpoint-1", b"binnis-checkpoint-0"))
    with pytest.raises(UserError, match="has the format 'binnis-checkpoint-0'; this version reads"):
        load_arrays(path, "events")
    with pytest.raises(UserError, match="cannot be read"):
        load_arrays(tmp_path / "absent", "points")


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


def test_a_pickle_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(UserError, match="damaged or no safetensors file"):
        load_arrays(path, "points")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_never_crash(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "a.safetensors"
    content = bytearray(dump_arrays(ARRAYS, "points", {"cost": [1]}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    with contextlib.suppress(UserError):
        load_arrays(path, "points")


def test_the_journal_gives_back_what_was_paid_for_and_nothing_else(tmp_path):
    journal, u = Journal(tmp_path / "journal"), np.random.default_rng(1).random((5, 2))
    found = Evaluation(u[:, 0], np.full((5, 2), 0.5))
    journal.keep(u, 0, found, Cost(5, 0.001, 0.001, 0.001))
    assert journal.find(u, 0) is None  # cheaper to be done again
    journal.keep(u, 0, found, Cost(5, 0.5, 0.5, 0.5))
    again, cost = journal.find(u, 0)
    np.testing.assert_array_equal(again.weight, found.weight)
    np.testing.assert_array_equal(again.alpha, found.alpha)
    assert cost.evaluations == 5
    assert journal.find(u, 1) is None
    assert journal.find(u + 1e-16 + u * 1e-15, 0) is None
    (kept,) = (tmp_path / "journal").iterdir()
    kept.write_bytes(kept.read_bytes()[:-3])
    assert journal.find(u, 0) is None
