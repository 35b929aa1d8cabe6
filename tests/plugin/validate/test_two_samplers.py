"""Two samplers of one process: what lies is found and named, what is honest agrees however bad it is."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mcbridge import core
from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from mcbridge.integrands.metered import Metered
from mcbridge.processes.drell_yan import DrellYan, ZPrime
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from plugin.validate.two_samplers import compare_samplers

_spec = importlib.util.spec_from_file_location("faulty_samplers", Path(__file__).with_name("faulty.py"))
faulty = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faulty)

POINTS = 60_000


@pytest.fixture(scope="module")
def drell_yan():
    process = Metered(DrellYan())
    return process, *(survey(process, 40_000, Streams(seed)).sampler for seed in (1, 2))


@pytest.fixture(scope="module")
def zprime():
    process = Metered(DrellYan(lepton="mu", mll=(60, 600), pt_min=10, eta_max=2.5, zprime=ZPrime()))
    return process, *(survey(process, 40_000, Streams(seed)).sampler for seed in (1, 2))


def compared(case, candidate, points=POINTS, seed=3, **options):
    process, reference, _ = case
    return compare_samplers(process, reference, candidate, points, Streams(seed), **{"classifier": False, **options})


def untrained(sampler, seed, size=0.3, eps=0.05):
    """A flow of random parameters in a mixture with VEGAS: bad, and honest about it."""
    generator = np.random.default_rng(seed)
    channels = []
    for channel in sampler.channels:
        spec = FlowSpec(channel.dim, blocks=4, hidden=16, layers=3, bins=8)
        parameters = (size * generator.standard_normal(spec.parameters)).astype(np.float32)
        channels.append(core.ChannelSampler(channel.dim, channel.grid, channel.cells, spec, parameters, eps))
    return Sampler(channels, None, sampler.metadata, sampler.active)


def test_honest_samplers_agree_in_at_least_twenty_distributions(drell_yan):
    found = compared(drell_yan, drell_yan[2], classifier=True)
    assert found.verdict.agree, found.verdict.failures
    kinematic = [c for c in found.comparisons if not c.name.startswith("u") and c.p_chi2 is not None]
    assert len(kinematic) >= 20
    assert {"u1", "u4"} < {c.name for c in found.comparisons}
    assert found.classifier is not None
    assert abs(found.classifier.auc - 0.5) < 4 * found.classifier.error


def test_an_untrained_but_honest_flow_agrees(drell_yan):
    candidate = untrained(drell_yan[2], 5)
    found = compared(drell_yan, candidate)
    weights = found.candidate.weight
    assert np.std(weights) / np.mean(weights) > 0.5  # it is bad
    assert found.verdict.agree, found.verdict.failures


@pytest.mark.parametrize(("axis", "name"), [(0, "m(e+ e-) [GeV]"), (2, "cos theta*(e+)"), (3, "phi(e+)")])
def test_a_density_that_is_off_by_a_slope_is_found_and_named(drell_yan, axis, name):
    found = compared(drell_yan, faulty.tilted(drell_yan[2], axis), points=200_000)
    assert not found.verdict.agree
    assert f"u{axis + 1}" in found.verdict.disagreeing[:3]
    assert name in found.verdict.disagreeing


def test_weights_of_zero_in_a_corner_are_found_and_named(drell_yan):
    process, reference, candidate = drell_yan

    def corner(u, channel):
        return (np.abs(u[:, 1] - 0.45) < 0.05) & (np.abs(u[:, 2] - 0.5) < 0.1)

    u = reference.draw(0, 50_000, np.random.default_rng(1))
    weight = process(u[0], 0).weight / u[1]
    assert weight[corner(u[0], 0)].sum() / weight.sum() == pytest.approx(0.02, abs=0.004)
    found = compared(drell_yan, faulty.with_a_hole(candidate, corner))
    assert not found.verdict.agree
    assert {"cross section", "u2", "y(e+ e-)"} <= set(found.verdict.disagreeing)


@pytest.mark.parametrize("where", ["alpha", "density"])
@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_channel_whose_weight_is_off_is_found_and_named(zprime, channel, where):
    found = compared(zprime, faulty.with_a_wrong_channel(zprime[2], channel, weight=where), points=200_000)
    assert not found.verdict.agree
    assert f"cross section of channel {channel + 1}" in found.verdict.disagreeing
    assert ("sum of the channel weights" in found.verdict.disagreeing) == (where == "alpha")


def test_channels_with_other_channel_weights_agree(zprime):
    """A sampler whose channels share the cross section differently is compared like with like."""

    def alpha(self, evaluation):
        prior = Sampler.alpha(self, evaluation)
        changed = prior * np.array([1.0, 3.0, 0.5])
        return changed / changed.sum(axis=1, keepdims=True)

    found = compared(zprime, faulty.of(zprime[2], alpha=alpha))
    assert found.verdict.agree, found.verdict.failures
    assert "cross section of channel 3" in [test.subject for test in found.verdict.tests]


def test_too_few_points_are_refused(drell_yan):
    with pytest.raises(UserError, match="--points is 500"):
        compared(drell_yan, drell_yan[2], points=500)


@pytest.mark.slow
def test_twenty_honest_comparisons_raise_at_most_two_alarms(drell_yan, zprime):
    alarms = []
    for seed in range(10):
        for case in (drell_yan, zprime):
            candidate = survey(case[0], 40_000, Streams(100 + seed)).sampler
            if seed % 2:
                candidate = untrained(candidate, seed)
            found = compared(case, candidate, points=200_000, seed=200 + seed, classifier=True)
            alarms += [] if found.verdict.agree else [found.verdict.failures]
    assert len(alarms) <= 2, alarms
