"""Tables of discrete choices."""

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.samplers.cells import CellTable

EDGES = {0: (0.0, 0.2, 1.0), 3: (0.0, 0.25, 0.5, 1.0)}


def test_cells_cover_the_cube_once():
    table = CellTable.of(EDGES, 4)
    assert table.dims == (0, 3)
    assert len(table) == 6
    assert table.volume.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(table.probability, table.volume)
    u = np.random.default_rng(1).random((1000, 4))
    index = table.index(u)
    for position, coordinate in enumerate(table.dims):
        assert np.all(u[:, coordinate] >= table.boxes[index, position, 0])
        assert np.all(u[:, coordinate] <= table.boxes[index, position, 1])


def test_draws_follow_the_table():
    table = CellTable.of(EDGES, 4)
    table.probability = np.array([0.1, 0.0, 0.4, 0.2, 0.2, 0.1])
    generator = np.random.default_rng(2)
    u = generator.random((60_000, 4))
    cell = table.draw(u, generator.random(60_000))
    np.testing.assert_array_equal(table.index(u), cell)
    counts = np.bincount(cell, minlength=6)
    error = np.sqrt(60_000 * table.probability * (1 - table.probability))
    assert np.all(np.abs(counts - 60_000 * table.probability) <= 4 * error)


def test_the_table_learns_the_root_of_the_moments_and_keeps_a_floor():
    table = CellTable.of(EDGES, 4)
    table.learn(np.array([4.0, 0, 0, 1, 0, 0]), floor=0.06)
    np.testing.assert_allclose(table.probability, [0.94 * 2 / 3 + 0.01, 0.01, 0.01, 0.94 / 3 + 0.01, 0.01, 0.01])
    table.learn(np.zeros(6))
    assert table.probability.sum() == pytest.approx(1)


def test_contexts_are_one_hot():
    np.testing.assert_array_equal(CellTable.of(EDGES, 4).context(), np.eye(6))
    many = CellTable.of({0: tuple(np.linspace(0, 1, 11)), 1: tuple(np.linspace(0, 1, 9))}, 2)
    context = many.context()
    assert context.shape == (80, 18)
    assert np.all(context.sum(axis=1) == 2)
    assert len(np.unique(context, axis=0)) == 80


@pytest.mark.parametrize("discrete", [{4: (0, 1)}, {0: (0, 0.5)}, {0: (0.1, 1)}, {0: (0, 0.5, 0.5, 1)}, {0: (0,)}])
def test_impossible_edges_are_refused(discrete):
    with pytest.raises(UserError, match="discrete"):
        CellTable.of(discrete, 4)


def test_no_choices_no_cells():
    assert CellTable.of({}, 4) is None
