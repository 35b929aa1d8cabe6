"""Fresh points of a sampler: the share of the grid, and as many points as the events are worth."""

from __future__ import annotations

import numpy as np
import pytest

from madgraph_interface.measurement import AFFORDABLE, MOST, SHARES, TRUNCATION, measure
from mcbridge import core
from mcbridge.integrands import Evaluation
from mcbridge.integration import Guard, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.unweighting import Quantile, efficiency
from plugin.flows import identity_parameters


class Target:
    """``weight(u)`` as an integrand; counts its points."""

    name, dim, channels = "target", 3, 1
    seconds_per_evaluation = 1e-5

    def __init__(self, weight):
        self.weight, self.evaluations = weight, 0

    def __call__(self, u, channel=None):
        self.evaluations += len(u)
        return Evaluation(weight=self.weight(u))


def skewed(scale=0.1):
    """A flow that is far from uniform, with a density that is known."""
    spec = core.FlowSpec(3, hidden=8, bins=4)
    change = scale * np.random.default_rng(2).normal(size=spec.parameters)
    parameters = identity_parameters(spec, 1, np.random.default_rng(1))[0] + change.astype(np.float32)
    return Sampler([core.ChannelSampler(3, spec=spec, params=parameters, eps=0.3)])


def test_a_flow_that_fits_gets_little_of_the_grid_and_its_figures_are_those_of_fresh_points():
    sampler = skewed()
    target = Target(lambda u: 7.0 * (sampler.channels[0].densities(u)[1] + 0.05))  # the flow, and a little of the grid
    found = measure(target, sampler, 6000, 100.0, Streams(1), Guard())
    assert target.evaluations == 6000
    assert found.sampler.channels[0].eps == pytest.approx(0.05)
    assert found.figures.mean == pytest.approx(7.35, abs=4 * found.figures.error)
    weights = fresh_weights(target, found.sampler, 100_000, Streams(2), purpose="again").event_weights
    largest = Quantile(TRUNCATION)(weights, np.random.default_rng(0))
    assert found.figures.efficiency == pytest.approx(efficiency(weights, largest), rel=0.03)
    assert found.largest == pytest.approx(largest, rel=0.03)
    assert found.figures.rsd == pytest.approx(weights.std() / weights.mean(), abs=0.03)
    assert found.highest >= found.largest
    assert found.live == pytest.approx(1.0, abs=0.01)


def test_a_flow_that_misses_everything_gets_all_of_the_grid_that_is_allowed():
    found = measure(Target(lambda u: np.ones(len(u))), skewed(2.0), 6000, 100.0, Streams(1), Guard())
    assert found.sampler.channels[0].eps == SHARES[-1]


def test_the_probe_grows_with_what_the_events_cost():
    def spiked(u):
        return np.where(u[:, 0] < 2e-4, 300.0, 1.0)  # one point of 5000 has 6% of the integral

    points = {}
    for events in (10.0, 3000.0, 1e7):
        target = Target(spiked)
        found = measure(target, skewed(0.0), 6000, events, Streams(3), Guard())
        assert found.figures.points == target.evaluations
        points[events] = found.figures.points
        if events == 3000.0:  # about 250 points an event
            wanted = AFFORDABLE * events / found.figures.efficiency
            assert 0.75 * wanted < found.figures.points < 1.3 * wanted
    assert points[10.0] == 6000
    assert 6000 < points[3000.0] < points[1e7] == MOST
