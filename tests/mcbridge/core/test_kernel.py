"""The flow kernel: the same numbers for all threads and instruction sets, and no number where there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mcbridge import core

SPECS = {
    "one dimension": core.FlowSpec(1),
    "splines": core.FlowSpec(5),
    "periodic": core.FlowSpec(4, context=2, periodic=(0, 3)),
    "affine": core.FlowSpec(3, kind="affine"),
    "odd sizes": core.FlowSpec(3, hidden=13, layers=4, bins=7, context=1),
    "linear conditioner": core.FlowSpec(2, layers=1, bins=1),
}


@pytest.fixture(params=sorted(SPECS))
def spec(request):
    return SPECS[request.param]


def example(spec, n=1000, channels=1, dtype=np.float32, size=0.2):
    """Parameters, points, upstream, context and channel for the functions of the core."""
    generator = np.random.default_rng(11)
    params = (size * generator.normal(size=(channels, spec.parameters))).astype(dtype)
    points = generator.random((n, spec.dim)).astype(dtype)
    context = generator.normal(size=(n, spec.context)).astype(dtype) if spec.context else None
    channel = generator.integers(0, channels, n)
    return params, points, generator.normal(size=n).astype(dtype), context, channel


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(spec, dtype):
    params, points, upstream, context, channel = example(spec, 3001, 5, dtype)
    for isa in core.instruction_sets():
        results = []
        for threads in (1, 2, 7):
            y, log_q = core.sample(spec, params, points, context, channel, threads, isa)
            gradient, log_back = core.gradient(spec, params, y, upstream, context, channel, threads, isa)
            results.append((y, log_q, gradient, log_back))
        for other in results[1:]:
            for found, expected in zip(other, results[0], strict=True):
                np.testing.assert_array_equal(found, expected)


def tame(spec, channels=1):
    """Parameters of a flow of ordinary strength, and points on which single precision is no limit by itself.

    Wild flows amplify the rounding of a coordinate in block after block, in torch as here; the logit of an affine
    coupling is rough next to 0 and 1.
    """
    params, points, *rest = example(spec, channels=channels, size=0.1)
    return params, np.float32(0.05) + np.float32(0.9) * points, *rest


def test_every_instruction_set_finds_the_same_numbers(spec):
    params, points, upstream, context, channel = tame(spec, 3)
    found = {}
    for isa in core.instruction_sets():
        y, log_q = core.sample(spec, params, points, context, channel, isa=isa)
        _, log_density = core.log_density(spec, params, points, context, channel, isa=isa)
        gradient, log_also = core.gradient(spec, params, points, upstream, context, channel, isa=isa)
        np.testing.assert_array_equal(log_also, log_density)
        found[isa] = (y, log_q, log_density, gradient / np.abs(gradient).max())
    # twice what each may be away from the exact density, see the next test
    for isa, numbers in found.items():
        for one, two, tolerance in zip(numbers, found["generic"], (1e-5, 2e-5, 2e-5, 1e-4), strict=True):
            assert np.all(np.abs(one - two) < tolerance * (1 + np.abs(two))), isa


def test_single_precision_is_good_to_a_hundred_thousandth(spec):
    """The density that events are weighted with, against the float64 kernel."""
    params, points, _, context, channel = tame(spec)
    double = [None if x is None else x.astype(np.float64) for x in (params, points, context)]
    for evaluate in (core.sample, core.log_density):
        _, exact = evaluate(spec, *double, channel)
        for isa in core.instruction_sets():
            _, log_q = evaluate(spec, params, points, context, channel, isa=isa)
            assert np.all(np.abs(log_q - exact) < 1e-5 * (1 + np.abs(exact))), isa
            assert np.median(np.abs(log_q - exact)) < 2e-6, isa


def test_a_point_does_not_depend_on_its_neighbours(spec):
    """Tiles, pieces and channels are bookkeeping: one point alone gives what it gives in any batch."""
    params, points, _, context, channel = example(spec, 200, 4)
    y, log_q = core.sample(spec, params, points, context, channel)
    for k in (0, 31, 32, 33, 199):
        own = slice(k, k + 1)
        one = core.sample(spec, params[channel[k]], points[own], None if context is None else context[own])
        np.testing.assert_array_equal(one[0], y[own])
        np.testing.assert_array_equal(one[1], log_q[own])


def test_no_points_and_channels_without_points(spec):
    params, points, upstream, context, channel = example(spec, 50, 3)
    channel[:] = 1
    gradient, _ = core.gradient(spec, params, points, upstream, context, channel)
    assert np.abs(gradient[1]).max() > 0
    np.testing.assert_array_equal(gradient[[0, 2]], 0)
    none = None if context is None else context[:0]
    y, log_q = core.sample(spec, params, points[:0], none, channel[:0])
    assert y.shape == (0, spec.dim)
    assert log_q.shape == (0,)
    gradient, _ = core.gradient(spec, params, points[:0], upstream[:0], none, channel[:0])
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("isa", core.instruction_sets())
def test_a_point_that_is_no_number_has_a_density_that_is_none(spec, wrong, isa, dtype):
    params, points, upstream, context, channel = example(spec, 100, dtype=dtype)
    for coordinate in range(spec.dim):
        bad = points.copy()
        bad[17, coordinate] = wrong
        for evaluate in (core.sample, core.log_density):
            _, expected = evaluate(spec, params, points, context, channel, isa=isa)
            _, log_q = evaluate(spec, params, bad, context, channel, isa=isa)
            assert np.isnan(log_q[17])
            np.testing.assert_array_equal(np.delete(log_q, 17), np.delete(expected, 17))
        _, log_q = core.gradient(spec, params, bad, upstream, context, channel, isa=isa)
        assert np.isnan(log_q[17])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("isa", core.instruction_sets())
def test_no_parameter_that_is_no_number_goes_unseen(isa, dtype):
    """A training that diverged must be noticed: nan anywhere in the parameters shows in the gradient or the density."""
    spec = core.FlowSpec(2, context=1, hidden=4, bins=3, periodic=(1,))
    params, points, upstream, context, channel = example(spec, 300, dtype=dtype)
    for index in range(spec.parameters):
        bad = params.copy()
        bad[0, index] = np.nan
        gradient, log_q = core.gradient(spec, bad, points, upstream, context, channel, isa=isa)
        _, also = core.log_density(spec, bad, points, context, channel, isa=isa)
        np.testing.assert_array_equal(np.isnan(log_q), np.isnan(also))
        assert np.isnan(log_q).any() or np.isnan(gradient).any() or _unused(spec, index), index
        bad[0, index] = np.inf
        gradient, log_q = core.gradient(spec, bad, points, upstream, context, channel, isa=isa)
        assert not (np.isfinite(log_q).all() and np.isfinite(gradient).all()) or _unused(spec, index), index


def _unused(spec, index):
    """The slope at the last knot of a periodic coordinate, which is that of the first knot."""
    start = 0
    for block in range(spec.count):
        widths = spec.widths(block)
        for layer, (into, out) in enumerate(itertools.pairwise(widths)):
            if start <= index < start + out * (into + 1):
                inside = index - start
                row = inside // into if inside < out * into else inside - out * into
                coordinate = [c for c, moved in enumerate(spec.masks[block]) if moved][row // 10] if layer == 2 else 0
                return layer == 2 and coordinate in spec.periodic and row % 10 == 9
            start += out * (into + 1)
    return False


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"params": np.zeros(3)}, "params must have the shape"),
        ({"points": np.zeros((5, 3))}, r"points must have the shape \(n, 2\)"),
        ({"channel": np.array([0, 1])}, "channel must have the shape"),
        ({"channel": np.full(5, 2)}, "out of range"),
        ({"channel": np.full(5, -1)}, "out of range"),
        ({"isa": "vax"}, "vax"),
    ],
)
def test_arguments_that_do_not_fit_are_named(change, words):
    spec = core.FlowSpec(2)
    arguments = {"params": np.zeros((2, spec.parameters)), "points": np.zeros((5, 2)), "channel": np.zeros(5, np.int64)}
    with pytest.raises(ValueError, match=words):
        core.sample(spec, **{**arguments, **change})


def test_the_peak_of_a_core_is_measured_for_every_instruction_set():
    rates = [core.fma_peak(isa) for isa in core.instruction_sets()]
    assert all(rate > 1e8 for rate in rates)
    assert core.fma_peak() > 1e8
    with pytest.raises(ValueError, match="vax"):
        core.fma_peak("vax")
