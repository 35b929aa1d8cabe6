"""The training: better than VEGAS, honest, repeatable, and safe where it fails."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from mcbridge.errors import UserError
from mcbridge.integrands import Evaluation
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, fresh_weights, integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from plugin.choice import figures_of_channels
from plugin.training import TrainingConfig, TrainingStatus, estimate_training_seconds, split_budget, train
from plugin.training.buffer import Buffer, Space

FAST = {"steps": 400}


class Toy:
    """An integrand from a function of (u, channel)."""

    def __init__(self, function, dim, channels=1, periodic=(), discrete=None):
        self.name, self.dim, self.channels = "toy", dim, channels
        self.periodic, self.discrete = periodic, discrete or {}
        self.function = function

    def __call__(self, u, channel):
        found = self.function(u)
        return found if isinstance(found, Evaluation) else Evaluation(found)


def gauss(u, centre, width):
    return np.exp(-np.sum((u - centre) ** 2, axis=1) / (2 * width**2)) / (2 * np.pi * width**2) ** (u.shape[1] / 2)


def diagonal(dim=2):
    """Two narrow peaks on the diagonal: VEGAS sees 2^dim of them."""
    return Toy(lambda u: 0.5 * (gauss(u, 0.3, 0.05) + gauss(u, 0.7, 0.05)), dim)


def chain(integrand, evaluations=20_000, seed=3, guard=None, on_progress=None, **settings):
    streams = Streams(seed)
    budget = split_budget(evaluations)
    found = survey(integrand, budget.survey, streams)
    config = TrainingConfig(**{**FAST, **settings})
    result = train(
        integrand, found.sampler, found.samples, config, streams, budget.training, guard=guard, on_progress=on_progress
    )
    return found, result


def figures(integrand, sampler, n=50_000, seed=99):
    fresh = fresh_weights(integrand, sampler, n, Streams(seed), purpose="test")
    weights = [fresh.event_weights[fresh.channel == i] for i in range(integrand.channels)]
    return figures_of_channels(weights, 1e-6)


def test_a_flow_separates_two_peaks_that_vegas_cannot():
    integrand = Metered(diagonal(3))
    seen = []
    found, result = chain(integrand, on_progress=seen.append, steps=1000)
    assert integrand.evaluations == 20_000
    assert result.evaluations == split_budget(20_000).training
    assert not result.diverged
    assert result.sampler.has_flow
    vegas, flow = figures(integrand, found.sampler), figures(integrand, result.sampler)
    assert vegas.rsd > 1.4
    assert flow.rsd < 0.6 * vegas.rsd
    assert flow.efficiency > 1.1 * vegas.efficiency
    assert abs(flow.mean - 1.0) < 4 * flow.error
    assert result.cpu_seconds > 0
    assert result.steps > 0
    assert seen
    assert isinstance(seen[-1], TrainingStatus)
    assert seen[-1].step <= seen[-1].steps
    assert result.sampler.metadata["name"] == found.sampler.metadata["name"]
    assert len(result.samples) == 20_000


def test_the_buffer_estimates_the_integral():
    """Every source alone is exact; together they lie a little low, since flows follow their own points."""
    _, result = chain(diagonal(2), 30_000)
    weights = result.samples.event_weights
    assert abs(weights.mean() - 1.0) < 4 * weights.std() / len(weights) ** 0.5 + 0.03


def test_the_same_seed_gives_the_same_sampler():
    first, second = (chain(diagonal(2), 6_000, steps=100)[1] for _ in range(2))
    other = chain(diagonal(2), 6_000, seed=4, steps=100)[1]
    assert np.array_equal(first.sampler.channels[0].params, second.sampler.channels[0].params)
    assert not np.array_equal(first.sampler.channels[0].params, other.sampler.channels[0].params)


def test_threads_do_not_change_the_result():
    first, second = (chain(diagonal(2), 6_000, steps=60, threads=threads)[1] for threads in (1, 2))
    assert np.array_equal(first.sampler.channels[0].params, second.sampler.channels[0].params)


def test_a_trained_sampler_survives_its_file(tmp_path):
    _, result = chain(diagonal(2), 6_000, steps=60)
    result.sampler.save(tmp_path / "sampler.mcb")
    loaded = Sampler.load(tmp_path / "sampler.mcb")
    u = np.random.default_rng(0).random((1000, 2))
    assert np.allclose(loaded.density(0, u), result.sampler.density(0, u), rtol=1e-6)
    assert loaded.metadata == result.sampler.metadata


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_divergence_gives_vegas_back():
    found, result = chain(diagonal(2), 6_000, learning_rate=1e30)
    assert result.diverged
    assert result.reason
    assert result.sampler is found.sampler
    assert len(result.samples) >= split_budget(6_000).survey


def test_signed_integrands_train_on_their_absolute_value():
    integrand = Toy(lambda u: gauss(u, 0.4, 0.1) - 0.3 * gauss(u, 0.6, 0.1), 2)
    _, result = chain(integrand)
    assert not result.diverged
    flow = integrate(integrand, result.sampler, 40_000, 4, Streams(5))
    assert abs(flow.mean - 0.7) < 4 * flow.error + 1e-3


def test_an_integrand_that_vanishes_almost_everywhere_is_refused_softly():
    found, result = chain(Toy(lambda u: np.zeros(len(u)), 2), 2_000)
    assert result.diverged
    assert "0" in result.reason
    assert result.sampler is found.sampler


def test_no_new_evaluations_are_needed():
    integrand = diagonal(2)
    streams = Streams(1)
    found = survey(integrand, 8_000, streams)
    result = train(integrand, found.sampler, found.samples, TrainingConfig(**FAST), streams, 0)
    assert result.evaluations == 0
    assert not result.diverged
    assert figures(integrand, result.sampler).rsd < figures(integrand, found.sampler).rsd


def test_discrete_choices_join_the_flow_as_cells():
    """Three processes in one coordinate, each with its own peak: VEGAS shares one grid between them."""
    edges = (0.0, 0.2, 0.6, 1.0)
    centres, strengths = np.array([0.25, 0.5, 0.75]), np.array([0.1, 0.3, 0.6])

    def density(u):
        cell = np.clip(np.searchsorted(edges, u[:, 1], side="right") - 1, 0, 2)
        centre = centres[cell][:, None]
        shape = np.exp(-np.sum((u[:, [0, 2]] - centre) ** 2, axis=1) / (2 * 0.06**2)) / (2 * np.pi * 0.06**2)
        return shape * (strengths / np.diff(edges))[cell]

    integrand = Toy(density, 3, discrete={1: edges})
    found, result = chain(integrand, 30_000, steps=1200)
    vegas, flow = figures(integrand, found.sampler), figures(integrand, result.sampler)
    assert flow.rsd < 0.6 * vegas.rsd
    assert abs(flow.mean - 1.0) < 4 * flow.error
    table = np.asarray(result.sampler.channels[0].cells.p_flow)
    assert np.allclose(table.sum(), 1.0)
    assert np.allclose(table, strengths, atol=0.06)


def test_periodic_coordinates_reach_the_flow():
    integrand = Toy(lambda u: np.exp(3 * np.cos(2 * np.pi * (u[:, 0] - u[:, 1]))), 2, periodic=(0, 1))
    found, result = chain(integrand, 20_000, steps=800)
    assert figures(integrand, result.sampler).rsd < 0.5 * figures(integrand, found.sampler).rsd


class Mixed:
    """Two channels, one peak each, with prior weights that share badly and features that can tell."""

    name, dim, channels, periodic = "mixed", 2, 2, ()
    widths = (0.02, 0.1)

    def __init__(self):
        self.discrete = {}

    def map(self, u, channel):
        width = self.widths[channel]
        centre = (0.3, 0.7)[channel]
        low, high = np.arctan((0 - centre) / width), np.arctan((1 - centre) / width)
        return centre + width * np.tan(low + u[:, 0] * (high - low))

    def density(self, x, channel):
        width, centre = self.widths[channel], (0.3, 0.7)[channel]
        low, high = np.arctan((0 - centre) / width), np.arctan((1 - centre) / width)
        return width / ((x - centre) ** 2 + width**2) / (high - low)

    def __call__(self, u, channel):
        x = self.map(u, channel)
        g = np.stack([self.density(x, 0), self.density(x, 1)], axis=1)
        value = (g[:, 0] + 0.5 * g[:, 1]) * (0.5 + u[:, 1])
        prior = np.full((len(u), 2), 0.5)  # as bad as it gets
        return Evaluation(value / g[:, channel], prior, np.stack([4 * x - 2, 2 * u[:, 1] - 1], axis=1))


@pytest.mark.parametrize("loss", ["variance", "stratified_variance", "renyi", "exponential"])
def test_every_loss_improves_on_vegas_in_several_channels(loss):
    integrand = Mixed()
    streams = Streams(4)
    found = survey(integrand, 20_000, streams, increments=(2,))
    config = TrainingConfig(loss=loss, steps=300, fine_tuning_steps=0, learned_channel_weights=False)
    result = train(integrand, found.sampler, found.samples, config, streams, 20_000)
    assert not result.diverged
    assert figures(integrand, result.sampler).rsd < 0.75 * figures(integrand, found.sampler).rsd


class Differentiable(Toy):
    """A ridge along the diagonal that torch can differentiate as well."""

    def __init__(self):
        super().__init__(lambda u: np.exp(-50 * (u[:, 0] - u[:, 1]) ** 2) * (1 + u[:, 0]), 2)

    def tensor(self, u):
        return torch.exp(-50 * (u[:, 0] - u[:, 1]) ** 2) * (1 + u[:, 0])


def test_reverse_kl_trains_with_the_gradient_of_the_integrand():
    found, result = chain(Differentiable(), 20_000, loss="reverse_kl", batch=64, fine_tuning_steps=0)
    assert not result.diverged
    assert result.evaluations == split_budget(20_000).training
    assert {status.stage for status in result.history} == {"reverse density"}
    losses = [status.loss for status in result.history]
    assert losses[-1] < losses[0]
    integrand = Differentiable()
    assert figures(integrand, result.sampler).rsd < 0.7 * figures(integrand, found.sampler).rsd


def test_reverse_kl_needs_an_integrand_that_torch_can_differentiate():
    with pytest.raises(UserError, match=r"needs an integrand with a method tensor\(u\)"):
        chain(diagonal(2), loss="reverse_kl")

    class Broken(Differentiable):
        def tensor(self, u):
            return super().tensor(u.detach())

    found = survey(Broken(), 4000, Streams(1))
    with pytest.raises(UserError, match="without a gradient"):
        train(Broken(), found.sampler, found.samples, TrainingConfig(loss="reverse_kl"), Streams(1), 1000)


def test_a_target_that_few_points_carry_is_flattened_and_approached():
    """A ridge that VEGAS cannot follow, so narrow that few of its points carry it: the exponent rises to one."""
    dim = 5
    integrand = Toy(lambda u: np.exp(-np.sum(np.diff(u, axis=1) ** 2, axis=1) / 2 / 0.09**2), dim)
    found = survey(integrand, 30_000, Streams(2))
    buffer = Buffer(Space(found.sampler, ()), 0.15)
    buffer.add(found.samples, None, np.random.default_rng(1))
    beta = buffer.flatten(0.08)
    assert 0.1 < beta[0] < 0.9
    own = ~buffer.held
    weight = buffer.goal[own] / buffer.density[own]
    assert weight.sum() ** 2 / (weight**2).sum() == pytest.approx(0.08 * buffer.counts[0, 0], rel=0.01)
    assert weight.sum() == pytest.approx((buffer.target[own] / buffer.density[own]).sum(), rel=1e-6)
    assert buffer.flatten(0.0)[0] == 1.0
    assert (buffer.goal == buffer.target).all()
    found, result = chain(integrand, 80_000, steps=None)
    vegas, flow = figures(integrand, found.sampler), figures(integrand, result.sampler)
    assert vegas.rsd > 4
    assert flow.rsd < 0.12 * vegas.rsd


def test_channel_weights_are_learned_from_the_prior_on():
    """Maps of two increments and flows that hardly train: what gains is due to the channel weights."""
    integrand = Mixed()
    streams = Streams(3)
    found = survey(integrand, 20_000, streams, increments=(2,))
    learned, fixed = (
        train(
            integrand,
            found.sampler,
            found.samples,
            TrainingConfig(steps=60, learning_rate=1e-3, fine_tuning_steps=0, learned_channel_weights=wanted, knots=0),
            streams,
            20_000,
        )
        for wanted in (True, False)
    )
    assert learned.sampler.channel_weights is not None
    assert fixed.sampler.channel_weights is None
    with_learned, with_prior = figures(integrand, learned.sampler), figures(integrand, fixed.sampler)
    assert with_learned.rsd < 0.75 * with_prior.rsd
    for measured in (with_learned, with_prior):
        assert abs(measured.mean - 1.5) < 4 * measured.error
    shares = learned.sampler.metadata["allocation"]
    assert len(shares) == 2
    assert min(shares) > 0


def test_integration_with_a_trained_sampler_is_unbiased():
    integrand = diagonal(2)
    _, result = chain(integrand)
    pulls = []
    for seed in range(40):
        found = integrate(integrand, result.sampler, 5_000, 4, Streams(100 + seed))
        pulls.append((found.mean - 1.0) / found.error)
    assert abs(np.mean(pulls)) < 4 / 40**0.5
    assert abs(np.std(pulls) - 1) < 4 / 80**0.5


def test_failures_of_the_integrand_are_counted():
    inner = diagonal(2)
    integrand = Toy(lambda u: np.where(u[:, 0] > 0.9999, np.nan, inner(u, 0).weight), 2)
    guard = Guard(max_failure_fraction=0.5)
    _, result = chain(integrand, 8_000, guard=guard, steps=60)
    assert not result.diverged
    assert guard.log.evaluations == split_budget(8_000).training


def test_wrong_arguments_are_told():
    integrand = diagonal(2)
    streams = Streams(1)
    found = survey(integrand, 2_000, streams)
    with pytest.raises(UserError, match="evaluations"):
        train(integrand, found.sampler, found.samples, TrainingConfig(), streams, -1)
    with pytest.raises(UserError, match="dimension"):
        train(diagonal(3), found.sampler, found.samples, TrainingConfig(), streams, 100)
    for wrong in ({"steps": 0}, {"loss": "forward"}, {"kind": "cubic"}, {"threads": 0}, {"held_out": 0.7}):
        with pytest.raises(UserError, match=next(iter(wrong))):
            TrainingConfig(**wrong)


def test_budgets_add_up():
    for total in (2_000, 30_000, 410_000):
        budget = split_budget(total)
        assert budget.survey + budget.training == total
        assert budget.choice == 0
        assert min(budget.survey, budget.training) >= 400
        whole = split_budget(10 * total, choice=True)
        assert whole.survey + whole.training + 2 * whole.choice < 6.5 * total
    with pytest.raises(UserError, match="too few"):
        split_budget(100)


def test_the_cost_is_estimated_within_a_factor_of_three():
    _, result = chain(diagonal(3), 30_000, steps=None)
    estimate = estimate_training_seconds(3, 30_000)
    assert result.cpu_seconds / 3 < estimate < 4 * result.cpu_seconds
    assert estimate_training_seconds(8, 400_000) > 3 * estimate_training_seconds(2, 20_000) / 2


def test_configuration_and_cost_do_not_import_torch():
    program = (
        "import sys; from plugin.training import TrainingConfig, split_budget;"
        "from plugin.training.cost import estimate_training_seconds; estimate_training_seconds(4, 100000);"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
