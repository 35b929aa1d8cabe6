"""Training and choice for an integrand that looks like Sherpa's, without Sherpa."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mcbridge import core
from mcbridge.integrands import Evaluation
from mcbridge.integration import Guard
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.choice import Goal, measured_figures
from sherpa_interface.integrand import SherpaMeter
from sherpa_interface.sampler_file import write_samplers
from sherpa_interface.training import best_mixture, own_mapping, train_process


class Toy:
    """Three discrete channels and two continuous coordinates; the integral is 1. A point costs ``price`` seconds."""

    name = "2_2__toy"
    dim = 3
    channels = 1
    periodic = ()
    discrete = {0: (0.0, 0.2, 0.7, 1.0)}  # noqa: RUF012
    description = {"name": name, "sherpa": "3.0.3", "fingerprint": [1.5, -2.0], "dim": 3}  # noqa: RUF012

    def __init__(self, price):
        self.price, self.cpu_seconds = price, 0.0

    def __call__(self, u, channel=0):
        self.cpu_seconds += self.price * len(u)
        leaf = np.searchsorted([0.2, 0.7], u[:, 0], side="right")
        share = np.array([3.0, 0.4, 2 / 3])[leaf]  # of mean 1 over the leaves
        centre = np.array([0.3, 0.5, 0.7])[leaf]
        width = 0.25
        peak = np.ones(len(u))
        for axis in (1, 2):
            x = np.abs(u[:, axis] - centre)
            peak *= np.maximum(1.0 - x / width, 0.0) / width
        return Evaluation(share * peak)


def trained(price, mode="auto", events=100_000, evaluations=30_000):
    toy = Toy(price)
    return train_process(toy, None, mode, events, evaluations, 10_000, 50_000, Streams(1))


@pytest.fixture(scope="module")
def dear():
    return trained(1e-4)


def test_the_toy_has_the_integral_one():
    w = Toy(0.0)(np.random.default_rng(1).random((200_000, 3))).weight
    assert abs(w.mean() - 1.0) < 4.0 * w.std() / np.sqrt(len(w))


def test_a_dear_integrand_is_drawn_from_the_flow(dear):
    assert dear.decision.sampler == "flow"
    assert dear.sampler.has_flow
    own, flow = dear.decision.figures["vegas"], dear.decision.figures["flow"]
    assert flow.rsd < 0.7 * own.rsd
    assert flow.efficiency > 2.0 * own.efficiency
    assert abs(flow.mean - 1.0) < 4.0 * flow.error
    assert dear.cpu_seconds > dear.evaluations * 1e-4  # Sherpa's time is counted
    assert dear.evaluations == 10_000 + 30_000 + 10_000


def test_a_cheap_integrand_stays_with_sherpas_mapping():
    found = trained(1e-7, events=1000)
    assert found.decision.sampler == "vegas"
    assert found.training is None
    assert not found.sampler.has_flow


def test_what_the_user_asks_for_is_done():
    assert trained(1e-7, mode="flow", evaluations=4000).decision.sampler == "flow"
    assert trained(1.0, mode="vegas").decision.sampler == "vegas"


def test_the_share_of_sherpas_mapping_is_the_best_of_those_tried(dear):
    """A flow that starves a region, drawn with half of Sherpa's mapping: fresh points show what a share would do."""
    toy = SherpaMeter(Toy(1e-6))
    base = own_mapping(toy.integrand)
    goal = Goal(1000, 0)
    own, _ = measured_figures(toy, base, 20_000, Streams(2), "own", Guard())
    sampler = dear.sampler.with_eps(0.5)
    differences = []
    for seed in range(2, 14):
        figures, fresh = measured_figures(toy, sampler, 40_000, Streams(seed), "fresh", Guard())
        chosen, expected = best_mixture(sampler, fresh, figures, own, goal)
        assert goal.seconds(expected, own) <= goal.seconds(figures, own)
        measured, _ = measured_figures(toy, chosen, 40_000, Streams(seed), "check", Guard())
        differences.append([expected.rsd**2 / measured.rsd**2 - 1.0, expected.efficiency / measured.efficiency - 1.0])
    # The few points with large weights make one estimate uncertain by a third.
    error = np.std(differences, axis=0, ddof=1) / np.sqrt(len(differences))
    assert np.all(np.abs(np.mean(differences, axis=0)) < 4.0 * error)
    assert np.all(error < [0.25, 0.05])


def test_sherpas_own_mapping_is_uniform_in_every_leaf():
    sampler = own_mapping(Toy(0.0))
    u, density = sampler.draw(0, 50_000, np.random.default_rng(4))
    np.testing.assert_allclose(density, 1.0)
    counts = np.histogram(u[:, 0], [0.0, 0.2, 0.7, 1.0])[0] / len(u)
    np.testing.assert_allclose(counts, [0.2, 0.5, 0.3], atol=4 * 0.5 / np.sqrt(len(u)))


def test_the_sampler_file_names_every_process(dear, tmp_path):
    path = tmp_path / "sampler.mcb"
    write_samplers(path, [dear, dear], {"seed": 7})
    channels, text, _ = core.read_sampler_file(path)
    content = json.loads(text)["sampler"]
    assert content["sherpa"] == "3.0.3;2_2__toy|0|1.5,-2.0;2_2__toy|1|1.5,-2.0"
    assert content["seed"] == 7
    assert '"sherpa": "3.0.3;' in text  # how the plug-in finds it
    u = np.random.default_rng(1).random((100, 3))
    np.testing.assert_array_equal(channels[1].density(u), dear.sampler.channels[0].density(u))
    assert Sampler.load(path).metadata["processes"][1] == {"name": "2_2__toy", "channel": 1, "sampler": "flow"}
