"""Losses, figures by reweighting, checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from mcbridge.unweighting import Quantile, efficiency
from plugin.flows import Flow
from plugin.training import Checkpoint, load_checkpoint, save_checkpoint
from plugin.training.channel_weights import stratified_loss
from plugin.training.losses import (
    SLOPES,
    exponential,
    forward_kl,
    loss_by_name,
    renyi,
    reverse_kl,
    second_moment,
    stratified,
    stratified_variance,
    third_moment,
    variance,
)
from plugin.training.measures import best_eps, judge
from plugin.training.optimise import Optimiser, slope_of


def normal_pair(n=200_000, shift=0.3):
    """log g/p of points from p = N(0, 1) with g = N(shift, 1)."""
    x = np.random.default_rng(1).normal(size=n)
    return torch.from_numpy(x * shift - shift**2 / 2), torch.ones(n, dtype=torch.float64)


def test_divergences_of_two_normal_densities_have_their_closed_forms():
    log_ratio, weight = normal_pair()
    square = 0.3**2
    assert float(forward_kl(log_ratio, weight)) == pytest.approx(square / 2, rel=0.03)
    assert float(second_moment(log_ratio, weight)) == pytest.approx(np.exp(square), rel=0.01)
    # <(p/g)^2>_p of two Gaussians of unit width: exp(3 distance^2)
    assert float(third_moment(log_ratio, weight)) == pytest.approx(np.exp(3.0 * square), rel=0.05)
    assert float(variance(log_ratio, weight)) == pytest.approx(np.expm1(square), rel=0.03)
    assert float(renyi(log_ratio, weight)) == pytest.approx(square, rel=0.03)
    assert float(exponential(log_ratio, weight)) == pytest.approx(square + square**2 / 4, rel=0.03)
    # by symmetry log g/p of points from g is minus that of points from p
    assert float(reverse_kl(-log_ratio, weight)) == pytest.approx(square / 2, rel=0.03)


@pytest.mark.parametrize("name", ["forward_kl", "variance", "second_moment", "third_moment", "renyi", "exponential"])
def test_losses_are_least_where_the_density_is_the_target(name):
    """Discrete density g = softmax(theta) on 5 cells, exact expectation: the gradient vanishes at g = p."""
    p = torch.tensor([0.1, 0.4, 0.2, 0.25, 0.05], dtype=torch.float64)
    theta = torch.log(p).clone().requires_grad_()
    loss = loss_by_name(name)
    (gradient,) = torch.autograd.grad(loss(torch.log_softmax(theta, 0) - torch.log(p), p), theta)
    assert gradient.abs().max() < 1e-12
    other = torch.log_softmax(theta.detach() + torch.linspace(0, 0.5, 5, dtype=torch.float64), 0) - torch.log(p)
    assert float(loss(other, p)) > float(loss(torch.zeros(5, dtype=torch.float64), p))


@pytest.mark.parametrize("name", sorted(SLOPES))
@pytest.mark.parametrize("eps", [None, 0.05, 1.0])
def test_slopes_without_torch_are_those_of_autograd(name, eps):
    """Of the flow's density and of its mixture with VEGAS, in which the loss weighs the flow by its responsibility."""
    generator = np.random.default_rng(3)
    own, vegas = generator.normal(size=(2, 64))
    variable = torch.from_numpy(own).requires_grad_()
    mixed = variable
    if eps is not None:
        rest = np.log1p(-eps) if eps < 1.0 else -np.inf
        mixed = torch.logaddexp(variable + rest, torch.from_numpy(vegas) + np.log(eps))
    expected = loss_by_name(name)(mixed, torch.ones(64, dtype=torch.float64))
    (gradient,) = torch.autograd.grad(expected, variable)
    value, slope = slope_of(name, own, None if eps is None else vegas, eps or 0.0)
    assert value == pytest.approx(float(expected.detach()), rel=1e-12)
    np.testing.assert_allclose(slope, gradient.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["forward_kl", "variance"])
def test_a_step_by_slopes_is_the_step_by_autograd(name):
    """The kernel with slopes and the flow of torch alone move the parameters alike."""
    generator = np.random.default_rng(4)
    y, offset, vegas = generator.random((256, 3)).astype(np.float32), generator.normal(size=256), np.zeros(256)
    moved = []
    for kernel in ("auto", "off"):
        flow = Flow(FlowSpec(3, hidden=8, bins=4), 1, np.random.default_rng(5), kernel=kernel)
        optimiser = Optimiser(flow, 1e-2, 10, 1e3, 0.9)
        value = optimiser.step(loss_by_name(name), y, None, None, offset, vegas, 0.1)
        moved.append((value, flow.parameters_flat.detach().numpy().copy()))
    assert moved[0][0] == pytest.approx(moved[1][0], rel=1e-5)
    # Adam's first step is the sign of the gradient: only where it is hardly there do the two differ
    assert np.mean(np.abs(moved[0][1] - moved[1][1]) > 1e-5) < 0.01


def test_channels_add_up_by_their_standard_deviations():
    """Two channels with I = 1 and 3 and sigma_i = I_i sqrt(exp(s_i^2) - 1): (sigma_1 + sigma_2)^2 / I^2."""
    first, second = normal_pair(shift=0.3)[0], normal_pair(shift=0.1)[0]
    log_ratio = torch.cat((first, second))
    channel = torch.cat((torch.zeros(len(first), dtype=torch.int64), torch.ones(len(second), dtype=torch.int64)))
    loss = stratified(stratified_variance, channel, torch.tensor([1.0, 3.0]))
    expected = ((np.sqrt(np.expm1(0.09)) + 3 * np.sqrt(np.expm1(0.01))) / 4) ** 2
    assert float(loss(log_ratio, torch.ones_like(log_ratio))) == pytest.approx(expected, rel=0.02)


def test_unknown_losses_name_the_nearest():
    with pytest.raises(UserError, match="did you mean 'variance'"):
        loss_by_name("varience")


def test_reweighted_figures_agree_with_a_direct_measurement():
    """Target x^2 on the unit interval; points drawn with density q, judged for g = (1 + x)/1.5."""
    generator = np.random.default_rng(2)
    n = 200_000
    drawn = np.sqrt(generator.random(n))  # q = 2x
    found = judge(drawn**2, 2 * drawn, (1 + drawn) / 1.5, n)
    x = -1 + np.sqrt(1 + 3 * generator.random(n))  # from g
    weight = x**2 / ((1 + x) / 1.5)
    assert found.mean == pytest.approx(1 / 3, rel=0.01)
    assert found.second == pytest.approx(np.mean(weight**2), rel=0.02)
    assert found.sigma == pytest.approx(weight.std(), rel=0.02)
    direct = efficiency(weight, Quantile(1e-3)(weight, generator))
    assert found.efficiency == pytest.approx(direct, rel=0.05)


def test_eps_is_large_where_the_flow_starves_a_region():
    generator = np.random.default_rng(3)
    x = generator.random(50_000)
    ones = np.ones_like(x)
    good = best_eps(ones, ones, ones, ones * (1 + 0.01 * np.sin(9 * x)), len(x), (0.01, 0.1, 0.3))[0]
    starving = np.where(x < 0.3, 1e-6, 1 / 0.7)
    bad = best_eps(ones, ones, ones, starving, len(x), (0.01, 0.1, 0.3))[0]
    assert good == pytest.approx(0.3) or good == pytest.approx(0.01) or good == pytest.approx(0.1)
    assert bad == 0.3


def test_stratified_loss_is_the_square_of_summed_deviations():
    generator = np.random.default_rng(4)
    values = [np.abs(generator.normal(2, 1, 50_000)) + 0.1, np.abs(generator.normal(1, 0.2, 50_000)) + 0.1]
    channel = torch.from_numpy(np.repeat([0, 1], 50_000))
    value = torch.from_numpy(np.concatenate(values))
    ones = torch.ones(100_000, dtype=torch.float64)
    found = stratified_loss(ones, value, ones, ones, channel, torch.tensor([50_000.0, 50_000.0], dtype=torch.float64))
    assert float(found) == pytest.approx((values[0].std() + values[1].std()) ** 2, rel=0.01)


def test_checkpoints_come_back_and_damage_is_told(tmp_path):
    spec = FlowSpec(3, hidden=8, bins=5, periodic=(1,))
    parameters = np.random.default_rng(0).normal(size=(2, spec.parameters)).astype(np.float32)
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, Checkpoint(spec, parameters, [np.array([0.25, 0.75]), np.ones(1)], 17, {"eps": [0.1]}))
    found = load_checkpoint(path)
    assert found.spec == spec
    assert found.step == 17
    assert found.metadata == {"eps": [0.1]}
    assert np.array_equal(found.parameters, parameters)
    assert np.array_equal(found.tables[0], [0.25, 0.75])
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UserError, match="damaged"):
        load_checkpoint(path)
    with pytest.raises(UserError, match="cannot be read"):
        load_checkpoint(tmp_path / "missing.safetensors")
    with pytest.raises(UserError, match="cannot be written"):
        save_checkpoint(tmp_path / "no" / "folder", found)
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.safetensors"]
