"""The mean-field posterior: its KL divergence, its ELBO on weighted events, its gradients, and what it refuses."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mcbridge import core
from mcbridge.errors import UserError
from plugin.bayesian import BayesianFlow
from plugin.bayesian.layers import output_mask
from plugin.flows import Flow, identity_parameters

SPEC = core.FlowSpec(2, hidden=8, bins=4)
CONDITIONED = core.FlowSpec(3, hidden=8, bins=4, context=2)


def posterior(spec=SPEC, channels=1, sigma=0.05, seed=3, **options):
    generator = np.random.default_rng(seed)
    start = identity_parameters(spec, channels, generator)
    start += (0.1 * generator.normal(size=start.shape)).astype(np.float32)
    return BayesianFlow(spec, start, initial_sigma=sigma, **options)


def events(spec, channels, n=120, seed=5):
    generator = np.random.default_rng(seed)
    y = torch.from_numpy(generator.random((n, spec.dim), dtype=np.float32))
    weight = torch.from_numpy(generator.exponential(size=n).astype(np.float32))
    context = torch.from_numpy(generator.random((n, spec.context), dtype=np.float32)) if spec.context else None
    channel = torch.from_numpy(generator.integers(0, channels, n)) if channels > 1 else None
    return y, weight, context, channel


@pytest.mark.parametrize("width", [0.3, 1.0, 4.0])
def test_the_kl_divergence_is_that_of_normal_distributions(width):
    flow = posterior(prior_width=width, sigma=0.2)
    ours = torch.distributions.Normal(flow.mean, flow.sigma)
    prior = torch.distributions.Normal(torch.zeros_like(flow.mean), width)
    expected = torch.distributions.kl_divergence(ours, prior).sum(dim=1)
    assert flow.kl().detach().numpy() == pytest.approx(expected.detach().numpy(), rel=1e-5)
    exact = BayesianFlow(SPEC, np.zeros((1, SPEC.parameters)), prior_width=width, initial_sigma=width)
    assert abs(float(exact.kl().detach())) < 1e-3


@pytest.mark.parametrize(("spec", "channels"), [(SPEC, 1), (SPEC, 3), (CONDITIONED, 2)])
def test_the_loss_is_the_weighted_likelihood_of_the_draws_plus_kl_over_n(spec, channels):
    """Every draw against torch's own flow with these parameters, one event at a time."""
    flow = posterior(spec, channels)
    y, weight, context, channel = events(spec, channels)
    draws = 4
    noise = torch.from_numpy(np.random.default_rng(1).standard_normal((draws, channels, spec.parameters), np.float32))
    n_train = torch.arange(1, channels + 1) * 100.0
    sets = flow.draw(noise).detach()
    expected = float((flow.kl() / n_train).sum().detach())
    for index in range(channels):
        own = np.arange(len(y)) if channel is None else np.flatnonzero(channel.numpy() == index)
        total = 0.0
        for event in own:
            single = Flow(spec, 1, kernel="off")
            with torch.no_grad():
                single.parameters_flat.copy_(sets[event % draws, index][None])
                condition = None if context is None else context[event : event + 1]
                total += float(weight[event] * single.inverse(y[event : event + 1], condition)[1])
        expected -= total / float(weight[own].sum())
    found = float(flow.loss(y, weight, n_train, noise, context, channel).detach())
    assert found == pytest.approx(expected, rel=2e-5)


def test_the_scale_of_the_weights_drops_out():
    flow = posterior()
    y, weight, _, _ = events(SPEC, 1)
    noise = torch.zeros((1, 1, SPEC.parameters))
    n_train = torch.tensor([50.0])
    first = float(flow.loss(y, weight, n_train, noise).detach())
    assert float(flow.loss(y, 1e4 * weight, n_train, noise).detach()) == pytest.approx(first, rel=1e-5)


def test_gradients_of_means_and_widths_are_those_of_torch_alone():
    """The kernel with draws as parameter sets, against autograd through the torch flow."""
    flow = posterior(sigma=0.05)
    y, weight, _, _ = events(SPEC, 1, 64)
    noise = torch.from_numpy(np.random.default_rng(2).standard_normal((4, 1, SPEC.parameters), np.float32))
    flow.loss(y, weight, torch.tensor([500.0]), noise).backward()
    found = flow.mean.grad.clone(), flow.log_sigma.grad.clone()
    mean, log_sigma = flow.mean.detach().clone().requires_grad_(), flow.log_sigma.detach().clone().requires_grad_()
    torch_flow = Flow(SPEC, 1, kernel="off")
    loss = torch.zeros(())
    for draw in range(4):
        theta = mean[0] + torch.exp(log_sigma[0]) * noise[draw, 0]
        own = slice(draw, None, 4)
        log_q = torch_flow._blocks(y[own], None, theta, sampling=False)[1]
        loss = loss - (weight[own] * log_q).sum() / weight.sum()
    sigma = torch.exp(log_sigma)
    loss = loss + ((sigma**2 - 1 + mean**2) / 2 - log_sigma).sum() / 500.0
    expected = torch.autograd.grad(loss, [mean, log_sigma])
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours - theirs).abs().max() < 1e-3 * theirs.abs().max()


def test_only_output_layers_are_random_where_the_scope_says_so():
    flow = posterior(scope="output")
    replicas = flow.replicas(5, np.random.default_rng(1))
    moved = np.any(replicas != replicas[0], axis=0)[0]
    start = 0
    for block in range(SPEC.count):
        for layer, (into, out) in enumerate(itertools.pairwise(SPEC.widths(block))):
            own = slice(start, start + out * (into + 1))
            assert moved[own].all() == (layer == SPEC.layers - 1)
            assert moved[own].any() == (layer == SPEC.layers - 1)
            start = own.stop
    assert output_mask(SPEC).sum() == moved.sum()
    assert float(flow.kl().detach()) < float(posterior(scope="all").kl().detach())


def test_replicas_scatter_around_the_mean_by_sigma():
    flow = posterior(sigma=0.2)
    replicas = flow.replicas(4000, np.random.default_rng(7))
    deviation = (replicas.mean(axis=0) - flow.mean.detach().numpy()) / (0.2 / np.sqrt(4000))
    assert abs(deviation.mean()) < 4 / np.sqrt(deviation.size)
    assert deviation.std() == pytest.approx(1.0, abs=4 / np.sqrt(2 * deviation.size))
    assert replicas.std() > 0.2


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        ([1.0, -1.0, 2.0], "1 of 3 event weights are negative"),
        ([1.0, np.nan, 2.0], "1 of 3 event weights are not finite"),
        ([0.0, 0.0, 0.0], "all 3 event weights are zero"),
    ],
)
def test_weights_that_are_no_likelihood_are_refused(weight, words):
    flow = posterior()
    with pytest.raises(UserError, match=words):
        flow.loss(torch.rand(3, 2), torch.tensor(weight), torch.tensor([3.0]), torch.zeros((1, 1, SPEC.parameters)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prior_width": 0.0}, "prior_width is 0.0"),
        ({"scope": "last"}, "scope is 'last'"),
        ({"sigma": -1.0}, "initial_sigma"),
    ],
)
def test_impossible_settings_are_told(options, words):
    with pytest.raises(UserError, match=words):
        posterior(**options)
    with pytest.raises(UserError, match="it must be at least 2"):
        posterior().replicas(1, np.random.default_rng(1))
    with pytest.raises(UserError, match=r"must be \(channels, "):
        BayesianFlow(SPEC, np.zeros((1, 3)))
