"""A channel's sampler: a density that belongs to its points, everywhere, whatever the threads and the instructions."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import UserError


def uniforms(sampler, n, seed=3):
    return np.random.default_rng(seed).random((n, sampler.uniforms))


def test_the_density_integrates_to_one(every_kind):
    n = 100_000
    density = every_kind.density(np.random.default_rng(5).random((n, every_kind.dim)))
    assert density.min() > 0
    assert abs(density.mean() - 1) < 4 * density.std() / np.sqrt(n)


def test_points_follow_the_density(every_kind):
    """Weights 1/g integrate any function over the cube: here 1 and the second moments."""
    n = 100_000
    u, density = every_kind.sample(uniforms(every_kind, n))
    assert u.min() >= 0
    assert u.max() <= 1
    for values, exact in [(1 / density, 1.0), (u[:, 0] ** 2 / density, 1 / 3), (u[:, -1] ** 2 / density, 1 / 3)]:
        assert abs(values.mean() - exact) < 4 * values.std() / np.sqrt(n)


def test_sample_and_density_tell_the_same_number(every_kind):
    u, density = every_kind.sample(uniforms(every_kind, 20_000))
    ratio = every_kind.density(u) / density
    if every_kind.spec is not None and every_kind.spec.kind == "affine":
        # next to 1 the logit of a float32 number is rough
        y, _ = every_kind.inverse_grid(u)
        ratio = ratio[(np.minimum(y, 1 - y) > 1e-4).all(axis=1)]
    # the point is rounded to float32 between the two directions: worst near narrow bins
    assert np.abs(ratio - 1).max() < 2e-3
    assert np.median(np.abs(ratio - 1)) < 2e-6


def test_the_mixture_is_made_of_its_parts(every_kind):
    u, density = every_kind.sample(uniforms(every_kind, 2000))
    vegas, flow = every_kind.densities(u)
    eps = every_kind.eps
    np.testing.assert_allclose(every_kind.density(u), eps * vegas + (1 - eps) * flow, rtol=1e-12)
    assert np.all(density >= eps * vegas * (1 - 1e-12))


@pytest.mark.parametrize("size", [0.3, 3.0])
@pytest.mark.parametrize("cells", [False, True])
def test_nowhere_is_the_density_below_the_share_of_vegas(channel, cells, size):
    """Full support, on edges and corners too, even with wild parameters."""
    sampler = channel(3, eps=0.05, cells=cells, periodic=(1,), size=size)
    u = np.random.default_rng(8).random((5000, 3))
    corners = np.array(np.meshgrid([0.0, 1.0], [0.0, 1.0], [0.0, 1.0])).reshape(3, -1).T
    close = np.clip(corners + np.array([-1, 1])[:, None, None] * 1e-12, 0, 1).reshape(-1, 3)
    float32 = np.full((1, 3), float(np.nextafter(np.float32(1), np.float32(0))))
    points = np.concatenate([u, corners, close, float32])
    vegas, _ = sampler.densities(points)
    density = sampler.density(points)
    assert vegas.min() > 0
    assert np.all(np.isfinite(density))
    assert np.all(density >= 0.05 * vegas * (1 - 1e-12))


def test_uniforms_of_zero_and_one_stay_in_the_cube(every_kind):
    """A generator in float32 draws 1.0: it must not fall off the grid, nor choose a cell that is not there."""
    columns = every_kind.uniforms
    r = np.concatenate([np.zeros((1, columns)), np.ones((1, columns)), np.eye(columns), 1 - np.eye(columns)])
    r = np.concatenate([r, np.nextafter(r, 0.5), r.astype(np.float32)])
    u, density = every_kind.sample(r)
    assert u.min() >= 0
    assert u.max() <= 1
    assert np.all(density > 0)
    again = every_kind.density(u)
    assert np.all(again > 0)
    assert np.all(np.isfinite(density))
    assert np.all(every_kind.cell(u) >= 0)


def test_cells_get_their_probability(channel):
    sampler = channel(2, cells=True, eps=0.25)
    n = 200_000
    u, _ = sampler.sample(uniforms(sampler, n))
    found = np.bincount(sampler.cell(u), minlength=3) / n
    expected = 0.25 * np.array([0.2, 0.5, 0.3]) + 0.75 * np.array([0.6, 0.1, 0.3])
    assert np.all(np.abs(found - expected) < 4 * np.sqrt(expected / n))


def test_outside_the_cube_the_density_is_zero(every_kind):
    u = np.full((5, every_kind.dim), 0.5)
    u[0, 0], u[1, -1], u[2, 0], u[3, -1], u[4, 0] = -1e-9, 1 + 1e-9, np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(every_kind.density(u), 0)


@pytest.mark.parametrize("wrong", [-1e-9, 1.1, np.nan, np.inf])
def test_random_numbers_outside_the_interval_are_refused(channel, wrong):
    sampler = channel(2)
    r = uniforms(sampler, 3)
    r[1, 2] = wrong
    with pytest.raises(ValueError, match=r"outside \[0, 1\]"):
        sampler.sample(r)


def test_threads_do_not_change_a_bit(every_kind):
    r = uniforms(every_kind, 20_001)
    u, density = every_kind.sample(r)
    for threads in (2, 3, 8):
        again = every_kind.sample(r, threads)
        np.testing.assert_array_equal(again[0], u)
        np.testing.assert_array_equal(again[1], density)
        np.testing.assert_array_equal(every_kind.density(u, threads), every_kind.density(u))


def test_the_grid_and_its_inverse_belong_together(channel):
    sampler = channel(3)
    y = np.concatenate([np.random.default_rng(2).random((5000, 3)), np.zeros((1, 3)), np.ones((1, 3))])
    u, v = sampler.forward_grid(y)
    back, v_back = sampler.inverse_grid(u)
    np.testing.assert_allclose(back, y, atol=1e-12)
    np.testing.assert_allclose(v_back[:5000], v[:5000], rtol=1e-12)
    assert u[-2].tolist() == [0, 0, 0]
    assert u[-1].tolist() == [1, 1, 1]


SCRIPT = """
import sys, numpy as np
from mcbridge import core
[sampler], _, _ = core.read_sampler_file(sys.argv[1])
u, density = sampler.sample(np.load(sys.argv[2]))
np.save(sys.argv[3], np.column_stack([u, density, sampler.density(u)]))
"""


def test_every_instruction_set_draws_the_same_points(channel, tmp_path):
    """The environment variable chooses the set for a whole process, as for a generator."""
    sampler = channel(4, periodic=(2,), size=0.1)
    core.write_sampler_file(tmp_path / "s.mcb", [sampler], "", {})
    np.save(tmp_path / "r.npy", uniforms(sampler, 5000))
    found = []
    for isa in core.instruction_sets():
        target = tmp_path / f"{isa}.npy"
        command = [sys.executable, "-c", SCRIPT, tmp_path / "s.mcb", tmp_path / "r.npy", target]
        subprocess.run(command, check=True, env={**os.environ, "BINNIS_ISA": isa}, timeout=60)
        found.append(np.load(target))
    for other in found[1:]:
        np.testing.assert_allclose(other[:, :4], found[0][:, :4], atol=1e-5)
        np.testing.assert_allclose(other[:, 4], found[0][:, 4], rtol=2e-5)


def test_an_unknown_instruction_set_is_told(monkeypatch):
    monkeypatch.setenv("BINNIS_ISA", "vax")
    with pytest.raises(ValueError, match="vax"):
        core.instruction_set()


KNOTS = [[0, 0.5, 1]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dim": 0}, "dim"),
        ({"dim": 2, "grid": KNOTS}, "2 continuous"),
        ({"dim": 1, "grid": [[0, 0.5]]}, "from 0 to 1"),
        ({"dim": 1, "grid": [[0, 0.6, 0.5, 1]]}, "increase"),
        ({"dim": 1, "grid": [[0, np.nan, 1]]}, "increase"),
        ({"dim": 2, "spec": core.FlowSpec(3), "params": np.zeros(core.FlowSpec(3).parameters)}, "another dimension"),
        ({"dim": 2, "spec": core.FlowSpec(2), "params": np.zeros(3)}, "numbers, not 3"),
        ({"dim": 2, "spec": core.FlowSpec(2), "params": None}, "channel sampler"),
        ({"dim": 1, "spec": core.FlowSpec(1), "params": np.full(core.FlowSpec(1).parameters, np.nan)}, "not finite"),
        ({"dim": 1, "spec": core.FlowSpec(1), "params": np.full(core.FlowSpec(1).parameters, np.inf)}, "not finite"),
        ({"dim": 1, "spec": core.FlowSpec(1), "params": np.zeros(core.FlowSpec(1).parameters), "eps": 0.0}, "eps"),
        ({"dim": 1, "spec": core.FlowSpec(1), "params": np.zeros(core.FlowSpec(1).parameters), "eps": np.nan}, "eps"),
    ],
)
def test_parts_that_do_not_fit_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        core.ChannelSampler(**arguments)


@pytest.mark.parametrize(
    ("boxes", "p_vegas", "words"),
    [
        ([[[0, 0.5]]], [1.0], "fill"),
        ([[[0, 0.5]], [[0.5, 1]]], [0.5, -0.5], "no probability"),
        ([[[0, 0.5]], [[0.5, 1]]], [0.5, 0.6], "sum to 1"),
        ([[[0, 0.5]], [[0.5, 0.5]]], [0.5, 0.5], "empty"),
    ],
)
def test_cells_that_are_no_partition_are_refused(boxes, p_vegas, words):
    cells = core.Cells([0], boxes, p_vegas, p_vegas, np.zeros((len(p_vegas), 0)))
    with pytest.raises(UserError, match=words):
        core.ChannelSampler(2, cells=cells)
