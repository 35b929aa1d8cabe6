"""The torch flow and the C++ kernel are the same function, and both are what they claim to be."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge import core
from mcbridge.errors import UserError
from plugin.flows import Flow
from plugin.flows.spline import rqs_forward, rqs_inverse

SHAPES = [
    {"dim": 1},
    {"dim": 1, "context": 2, "periodic": (0,), "blocks": 2},
    {"dim": 2, "kind": "affine"},
    {"dim": 4, "periodic": (1, 3), "context": 3},
    {"dim": 5, "hidden": 16, "bins": 7, "layers": 2},
    {"dim": 7, "kind": "affine", "context": 1},
]


def example(shape, channels=1, size=0.3, dtype=torch.float64, n=400, seed=1):
    """A flow with random parameters, points, context and channels."""
    spec = core.FlowSpec(**shape)
    flow = Flow(spec, channels, dtype=dtype)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        noise = torch.randn(flow.parameters_flat.shape, generator=generator, dtype=torch.float64)
        flow.parameters_flat += (size * noise).to(dtype)
    points = torch.rand((n, spec.dim), generator=generator, dtype=torch.float64).to(dtype)
    context = (
        torch.rand((n, spec.context), generator=generator, dtype=torch.float64).to(dtype) if spec.context else None
    )
    channel = torch.randint(0, channels, (n,), generator=generator) if channels > 1 else None
    return spec, flow, points, context, channel


def numpy_of(*tensors):
    return [None if tensor is None else tensor.detach().numpy() for tensor in tensors]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-6)])
def test_torch_and_kernel_agree_in_both_directions(shape, channels, dtype, tolerance):
    spec, flow, points, context, channel = example(shape, channels, 0.1, dtype)
    params, y, c, i = numpy_of(flow.parameters_flat, points, context, channel)
    z_torch, log_torch = numpy_of(*flow.inverse(points, context, channel))
    z_core, log_core = core.log_density(spec, params, y, c, i)
    assert np.abs(z_torch - z_core).max() < tolerance
    assert np.abs(log_torch - log_core).max() < tolerance * (1 + np.abs(log_torch).max())
    y_torch, log_torch = numpy_of(*flow(points, context, channel))
    y_core, log_core = core.sample(spec, params, y, c, i)
    assert np.abs(y_torch - y_core).max() < tolerance
    assert np.abs(log_torch - log_core).max() < tolerance * (1 + np.abs(log_torch).max())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-8)])
@pytest.mark.parametrize("edges", [False, True])
def test_gradients_of_the_kernel_are_those_of_torch(shape, channels, dtype, tolerance, edges):
    spec, flow, points, context, channel = example(shape, channels, 0.1, dtype)
    if edges:  # a third of all coordinates is exactly 0 or exactly 1
        kind = torch.randint(0, 6, points.shape, generator=torch.Generator().manual_seed(6))
        points = torch.where(kind == 0, 0.0, torch.where(kind == 1, 1.0, points)).to(dtype)
    if context is not None:
        context.requires_grad_()
    upstream = torch.rand(len(points), generator=torch.Generator().manual_seed(4)).to(dtype)
    leaves = [flow.parameters_flat] + ([] if context is None else [context])
    plain = torch.autograd.grad((upstream * flow.inverse(points, context, channel)[1]).sum(), leaves)
    assert flow.uses_kernel()
    kernel = torch.autograd.grad((upstream * flow.log_prob(points, context, channel)).sum(), leaves)
    for expected, found in zip(plain, kernel, strict=True):
        assert (expected - found).abs().max() < tolerance * expected.abs().max()
    # every set of instructions, called directly
    arrays = numpy_of(flow.parameters_flat, points, upstream, context, channel)
    for isa in core.instruction_sets():
        found, _ = core.gradient(spec, *arrays, isa=isa)
        assert np.abs(found - plain[0].numpy()).max() < tolerance * plain[0].abs().max()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_new_flow_is_the_identity(shape):
    spec, flow, points, context, _ = example(shape, 1, 0.0)
    z, log_q = flow.inverse(points, context)
    tolerance = 3e-6 if spec.kind == "affine" else 1e-12
    assert (z - points).abs().max() < tolerance
    assert log_q.abs().max() < 1e-9


@given(
    dim=st.integers(1, 20), seed=st.integers(0, 2**20), kind=st.sampled_from(["rqs", "affine"]), circle=st.booleans()
)
@settings(max_examples=25, deadline=None)
def test_forward_and_inverse_compose_to_the_identity(dim, seed, kind, circle):
    shape = {"dim": dim, "kind": kind, "hidden": 8, "bins": 6, "periodic": (0,) if circle and kind == "rqs" else ()}
    # many affine couplings in a row push points to where logits are cut off, and nothing brings them back
    size = 0.2 if kind == "rqs" else 0.05
    _, flow, points, _, _ = example(shape, 1, size, torch.float64, 50, seed)
    points = 0.01 + 0.98 * points
    y, log_q = flow(points)
    z, log_back = flow.inverse(y)
    inside = ((y > 1e-4) & (y < 1 - 1e-4)).all(1)  # nearer to the edge the affine map stops
    distance = (z - points).abs()
    distance = torch.minimum(distance, 1 - distance)
    assert distance[inside].max() < 1e-5 if inside.any() else True
    assert (log_q - log_back)[inside].abs().max() < 1e-4 if inside.any() else True


def test_the_density_integrates_to_one():
    _, flow, _, _, _ = example({"dim": 2, "periodic": (1,)}, 1, 0.3)
    axis = (torch.arange(600, dtype=torch.float64) + 0.5) / 600
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    with torch.no_grad():
        density = torch.exp(flow.inverse(grid)[1])
    assert density.min() > 0
    assert density.max() > 1.5
    assert abs(density.mean() - 1) < 2e-3


def test_sampled_points_follow_the_density():
    _, flow, _, _, _ = example({"dim": 3}, 1, 0.2)
    n = 40_000
    with torch.no_grad():
        y, log_q = flow.sample(n, np.random.default_rng(3))
    weight = torch.exp(-log_q)  # integrates 1 over the cube
    assert abs(weight.mean() - 1) < 4 * weight.std() / n**0.5
    second = (y[:, 0] ** 2 * weight).mean()
    assert abs(second - 1 / 3) < 4 * (y[:, 0] ** 2 * weight).std() / n**0.5


def test_spline_agrees_with_zuko():
    """An independent implementation on [-1, 1]; its boundary slopes are 1 and its minimum sizes differ from ours."""
    from zuko.transforms import MonotonicRQSTransform

    generator = torch.Generator().manual_seed(5)
    bins, slope = 6, 1e-4
    widths, heights = torch.randn((2, bins), generator=generator, dtype=torch.float64)
    # zuko: knots = 2 bound cumsum(softmax) - bound and slopes exp of bounded numbers; take what it made of them
    oracle = MonotonicRQSTransform(widths, heights, torch.zeros(bins - 1, dtype=torch.float64), bound=1.0, slope=slope)
    own_widths, own_heights = (oracle.horizontal.diff() / 2, oracle.vertical.diff() / 2)
    smallest = 1e-9
    raw_slopes = torch.log(torch.expm1(oracle.derivatives.expand(bins + 1) * np.log(2.0)))
    raw = torch.cat([torch.log(own_widths), torch.log(own_heights), raw_slopes])
    x = torch.rand(200, generator=generator, dtype=torch.float64)
    circle = torch.tensor([False])
    found, log_slope = rqs_forward(x[:, None], raw.expand(200, 1, -1), bins, smallest, smallest, circle)
    expected, log_expected = oracle.call_and_ladj(2 * x - 1)
    assert (2 * found[:, 0] - 1 - expected).abs().max() < 1e-6
    assert (log_slope[:, 0] - log_expected).abs().max() < 1e-6
    back, _ = rqs_inverse(found, raw.expand(200, 1, -1), bins, smallest, smallest, circle)
    assert (back[:, 0] - x).abs().max() < 1e-10


def test_periodic_coordinates_join_smoothly():
    _, flow, _, _, _ = example({"dim": 2, "periodic": (0,), "blocks": 4}, 1, 0.4)
    y = torch.tensor([[1e-9, 0.3], [1 - 1e-9, 0.3]], dtype=torch.float64)
    log_q = flow.inverse(y)[1]
    assert abs(log_q[0] - log_q[1]) < 1e-6


def test_wrong_shapes_are_told():
    _, flow, points, context, _ = example({"dim": 4, "context": 2})
    with pytest.raises(UserError, match=r"\(n, 4\)"):
        flow.inverse(points[:, :3], context)
    with pytest.raises(UserError, match="context"):
        flow.inverse(points)
