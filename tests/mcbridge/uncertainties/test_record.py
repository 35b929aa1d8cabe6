"""Replica weights and sigma_stat in the event file; XWGTUP stays what it was."""

from __future__ import annotations

import json

import numpy as np
import pylhe
import pytest

from mcbridge import core
from mcbridge.lhe import RunInfo, read, write
from mcbridge.random import Streams
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import bayesian_density, header_block, weight_group, with_uncertainties
from mcbridge.unweighting import unweight
from tests.mcbridge.unweighting.toys import Wedge

M = 5


def sampler():
    generator = np.random.default_rng(1)
    spec = core.FlowSpec(2, hidden=8, bins=5)
    own = (0.1 * generator.normal(size=spec.parameters)).astype(np.float32)
    spread = (0.05 * generator.normal(size=(M, 1, spec.parameters))).astype(np.float32)
    source = core.ChannelSampler(2, None, None, spec, own, 0.2)
    return Sampler([source], replicas=Replicas(spec, own + spread, {"prior": 1.0}))


def info(**changes):
    given = {"cross_section": 5.0, "error": 0.01, "beams": (11, -11), "energies": (50.0, 50.0), "seed": 7}
    return RunInfo(**{**given, **changes})


@pytest.fixture
def chunks():
    return list(unweight(Wedge(), sampler(), [20.0], 400, Streams(1)))


def test_the_file_carries_the_replica_weights_and_their_spread(tmp_path, chunks):
    source = sampler()
    events = with_uncertainties(chunks, source)
    block = header_block("exact", source.replicas, None, {"note": "a test"})
    write(
        tmp_path / "e.lhe.gz",
        events,
        info(weight_groups=(weight_group(M),), attributes=("sigma_stat",), blocks={"binn": block}),
    )
    file = read(tmp_path / "e.lhe.gz")
    assert file.weight_ids == {"binn": ("binn_001", "binn_002", "binn_003", "binn_004", "binn_005")}
    header = json.loads(file.header["binn"])
    assert (header["mode"], header["replicas"], header["prior"]) == ("exact", M, 1.0)
    found = file.load()
    u = np.concatenate([chunk.u for chunk in chunks])
    p = source.replica_densities(0, u)
    mean = p.mean(axis=0)
    for m in range(M):
        assert found.weights[f"binn_00{m + 1}"] == pytest.approx(found.weight * p[m] / mean, rel=1e-6)
    assert found.attributes["sigma_stat"] == pytest.approx(p.std(axis=0, ddof=1) / mean, rel=1e-5)
    assert found.attributes["sigma_stat"].min() > 0.0
    events = list(pylhe.LHEFile.fromfile(str(tmp_path / "e.lhe.gz")).events)
    assert len(events[0].weights) == M
    assert float(events[0].attributes["sigma_stat"]) > 0.0


def test_everything_else_in_the_file_is_as_without_uncertainties(tmp_path, chunks):
    write(tmp_path / "plain.lhe", chunks, info())
    with_spread = with_uncertainties(chunks, sampler(), weights=False)
    write(tmp_path / "sigma.lhe", with_spread, info(attributes=("sigma_stat",)))
    write(
        tmp_path / "full.lhe",
        with_uncertainties(chunks, sampler()),
        info(attributes=("sigma_stat",), weight_groups=(weight_group(M),)),
    )
    plain, sigma, full = (read(tmp_path / f"{name}.lhe").load() for name in ("plain", "sigma", "full"))
    for other in (sigma, full):
        assert np.array_equal(other.weight, plain.weight)
        assert np.array_equal(other.momenta, plain.momenta)
    assert not sigma.weights
    size = [(tmp_path / f"{name}.lhe").stat().st_size / 400 for name in ("sigma", "full")]
    assert 35 * M < size[1] - size[0] < 60 * M  # bytes an event


def test_the_density_of_an_event_does_not_depend_on_its_chunk(chunks):
    source = sampler()
    everything = np.concatenate([chunk.u for chunk in chunks])
    at_once = bayesian_density(source, everything, np.zeros(len(everything), dtype=np.int64)).relative
    parts = np.concatenate([part.attributes["sigma_stat"] for part in with_uncertainties(chunks, source)])
    assert np.array_equal(at_once, parts)
