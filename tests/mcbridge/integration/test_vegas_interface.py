"""What scripts written for vegas rely on beyond a plain call, with VEGAS+ and with a frozen sampler.

The list of what differs is docs/vegas.md.
"""

import pickle

import gvar
import numpy as np
import pytest
import vegas

import binnis
import mcbridge
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import FunctionIntegrand
from mcbridge.integration import Integrator, restratify
from mcbridge.random import Streams
from mcbridge.samplers import survey

REGION = 3 * [[0, 1]]
WIDTH = 0.1
EXACT = (np.sqrt(2 * np.pi) * WIDTH) ** 3


@vegas.lbatchintegrand
def batch(x):
    return np.exp(-np.sum((x - 0.5) ** 2, axis=1) / 2 / WIDTH**2)


@vegas.rbatchintegrand
def moments(x):
    f = np.exp(-np.sum((x - 0.5) ** 2, axis=0) / 2 / WIDTH**2)
    return {"norm": f, "x": f * x[0]}


@pytest.fixture(scope="module")
def sampler():
    return survey(FunctionIntegrand(batch, REGION), 20_000, Streams(1)).sampler


@pytest.fixture(params=["vegas", "frozen"])
def given(request, sampler):
    return None if request.param == "vegas" else sampler


# ---- names ----

# Imports that vegas' namespace happens to show, and classes that only its own functions make.
_NOT_PUBLIC = {"functools", "numpy", "pickle", "PDFAnalyzer", "restratifyIntegrator", "restratifyPDFIntegrator"}


@pytest.mark.parametrize("module", [binnis, mcbridge])
def test_the_names_of_vegas_are_there(module):
    names = {name for name in dir(vegas) if not name.startswith("_")} - _NOT_PUBLIC
    assert names <= set(dir(module))
    for name in names - {"Integrator", "restratify"}:
        assert getattr(module, name) is getattr(vegas, name)
    assert module.Integrator is not vegas.Integrator
    assert issubclass(module.Integrator, Integrator)


def test_unknown_names_are_refused():
    for module in (binnis, mcbridge):
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            module.nothing  # noqa: B018


def test_expectation_values_come_from_vegas_itself():
    gvar.ranseed(5)
    expectation = binnis.PDFIntegrator(gvar.gvar(["1(2)", "0.5(1)"]))
    expectation(neval=2000, nitn=5)
    found = expectation(lambda p: p[0] * p[1], neval=2000, nitn=5)
    assert abs(found.mean - 0.5) < 4 * found.sdev + 1e-3


# ---- options ----


def test_defaults_are_those_of_vegas_and_may_be_changed(monkeypatch):
    assert {name: getattr(Integrator(REGION), name) for name in ("neval", "nitn", "alpha", "beta")} == {
        name: vegas.Integrator.defaults[name] for name in ("neval", "nitn", "alpha", "beta")
    }
    monkeypatch.setitem(Integrator.defaults, "neval", 1234)
    assert Integrator(REGION).neval == 1234
    assert vegas.Integrator(REGION).neval == 1234


def test_options_that_vegas_has_dropped_are_ignored():
    integrator = Integrator(REGION, nhcube_batch=100)
    integrator.set(max_nhcube=10)
    assert integrator.neval == vegas.Integrator.defaults["neval"]


def test_errors_are_also_those_of_vegas():
    with pytest.raises(AttributeError, match="did you mean 'neval'"):
        Integrator(REGION, nevl=10)
    with pytest.raises(MemoryError, match="max_mem"):
        Integrator(REGION, max_mem=10)
    integrator = Integrator(REGION, max_mem=13_000)
    with pytest.raises(MemoryError) as error:
        integrator.set(neval=100_000)
    assert isinstance(error.value, UserError)


def test_ranseed_of_gvar_makes_results_reproducible(given):
    results = []
    for _ in range(2):
        gvar.ranseed(7)
        results.append(Integrator(REGION, given)(batch, nitn=3, neval=1000).mean)
    assert results[0] == results[1]
    assert Integrator(REGION, given)(batch, nitn=3, neval=1000).mean != results[0]


def test_explicit_strata_stay(given):
    integrator = Integrator(REGION, given, nstrat=[8, 4, 2], seed=1)
    assert integrator.neval == vegas.Integrator(REGION, nstrat=[8, 4, 2]).neval
    integrator(batch, nitn=3)
    assert list(integrator.nstrat) == [8, 4, 2]


def test_settings_are_printed(given):
    integrator = Integrator(REGION, given, neval=2000, nitn=7)
    text = integrator.settings(ngrid=3)
    assert "7 iterations" in text
    assert "2000" in text


def test_tolerances_hold_for_every_component(given):
    @vegas.lbatchintegrand
    def two(x):
        return np.stack([batch(x), batch(x) * (x[:, 0] > 0.5)], axis=1)

    result = Integrator(REGION, given, seed=1, neval=500)(two, nitn=40, rtol=0.02)
    assert all(value.sdev < 0.02 * value.mean for value in result)
    few = len(Integrator(REGION, given, seed=1, neval=500)(batch, nitn=40, rtol=0.02).itn_results)
    assert few < len(result.itn_results) < 40


# ---- maps and regions ----


def test_a_list_of_grids_is_a_map():
    integrator = Integrator([[0, 0.2, 0.5, 2], [0, 1]], seed=1)
    assert np.allclose(integrator.map.region(), [[0, 2], [0, 1]])
    # Each increment gets the same share of the points.
    weights, x = integrator.sample(nbatch=20_000, mode="lbatch")
    below = np.mean(x[:, 0] < 0.2)
    assert abs(below - 1 / 3) < 4 * np.sqrt(2 / 9 / len(weights))
    result = integrator(lambda x: x[0], nitn=3, neval=1000)
    assert abs(result.mean - 2) < 4 * result.sdev


def test_set_takes_another_region():
    integrator = Integrator([[0, 1]], seed=1, neval=500)
    old = integrator.set(map=[[0, 2], [0, 3]])
    result = integrator(lambda x: x[0] * x[1], nitn=3)
    assert abs(result.mean - 9) < 4 * result.sdev
    assert result.sdev < 0.5
    integrator.set(map=old["map"])
    result = integrator(lambda x: x[0], nitn=3)
    assert abs(result.mean - 0.5) < 4 * result.sdev


def test_a_frozen_sampler_refuses_a_region_of_another_dimension(sampler):
    integrator = Integrator(REGION, sampler)
    with pytest.raises(UserError, match="3 dimensions; the new map has 1"):
        integrator.set(map=[[0, 1]])
    assert integrator.domain.dim == 3


def test_the_map_adapts_to_given_points():
    points = np.random.default_rng(1).normal(0.5, 0.03, (4000, 3))
    points = points[np.all((points > 0) & (points < 1), axis=1)]
    integrator = Integrator(REGION, seed=1)
    integrator.map.adapt_to_samples(points, np.exp(-np.sum((points - 0.5) ** 2, axis=1) / 2 / 0.03**2), nitn=5)
    narrow = vegas.lbatchintegrand(lambda x: np.exp(-np.sum((x - 0.5) ** 2, axis=1) / 2 / 0.03**2))
    adapted = integrator(narrow, nitn=1, neval=2000)
    plain = Integrator(REGION, seed=1)(narrow, nitn=1, neval=2000)
    assert abs(adapted.mean - (np.sqrt(2 * np.pi) * 0.03) ** 3) < 4 * adapted.sdev
    assert adapted.sdev < 0.3 * plain.sdev


def test_a_copy_has_the_map_and_the_options():
    first = Integrator(REGION, neval=3000, alpha=0.25, seed=1)
    first(batch, nitn=5)
    copy = Integrator(first)
    assert (copy.neval, copy.alpha) == (3000, 0.25)
    assert np.allclose(copy.map.extract_grid()[0], first.map.extract_grid()[0])
    first(batch, nitn=5)
    assert not np.allclose(copy.map.extract_grid()[0], first.map.extract_grid()[0])


def test_restratification_moves_the_strata():
    # Only the first coordinate has structure that a product of maps cannot flatten.
    @vegas.lbatchintegrand
    def ridge(x):
        return np.exp(-200 * (x[:, 0] - x[:, 1]) ** 2) * (1 + 0 * x[:, 2])

    integrator = Integrator(REGION, seed=3, neval=4000)
    integrator(ridge, nitn=8)
    before = integrator(ridge, nitn=3, alpha=0, adapt=True)
    other = restratify(integrator, ridge, nitn=3)
    after = other(ridge, nitn=3, alpha=0, adapt=True)
    assert type(other) is Integrator
    assert list(integrator.nstrat) != list(other.nstrat)
    assert other.nstrat[2] <= integrator.nstrat[2]
    assert len(other.weight) == 3
    assert abs(other.I.mean - before.mean) < 4 * (other.I - before).sdev
    assert abs(after.mean - before.mean) < 4 * np.hypot(after.sdev, before.sdev)


def test_restratification_needs_strata_and_an_integrand(sampler):
    with pytest.raises(UserError, match="frozen sampler has no strata"):
        restratify(Integrator(REGION, sampler), batch)
    with pytest.raises(UserError, match="needs the integrand"):
        restratify(Integrator(REGION))
    own = vegas.Integrator(REGION)
    own(batch, nitn=3)
    assert isinstance(restratify(own, batch), vegas.Integrator)


# ---- exceptions of the integrand ----


class TooHotError(Exception):
    """An exception of the caller's own, with an attribute."""

    def __init__(self, temperature):
        super().__init__(f"{temperature} K")
        self.temperature = temperature


@pytest.mark.parametrize(
    ("raised", "caught"),
    [(ZeroDivisionError("x"), ZeroDivisionError), (KeyError("x"), KeyError), (TooHotError(5), TooHotError)],
)
def test_what_the_integrand_raises_can_be_caught(given, raised, caught):
    def function(x):
        raise raised

    with pytest.raises(caught) as error:
        Integrator(REGION, given)(function)
    assert isinstance(error.value, AmplitudeError)
    assert str(error.value).startswith("the integrand function raised")
    assert error.value.__cause__ is raised
    assert getattr(error.value, "temperature", 5) == 5
    copy = pickle.loads(pickle.dumps(error.value))
    assert isinstance(copy, AmplitudeError)
    assert str(copy) == str(error.value)


def test_an_exception_that_does_not_go_together_with_ours_is_the_cause():
    class ParticularError(ValueError):
        def __init__(self, one, two):
            super().__init__(one, two)

    def function(x):
        raise ParticularError(1, 2)

    with pytest.raises(AmplitudeError, match="raised ParticularError") as error:
        Integrator(REGION)(function)
    assert isinstance(error.value.__cause__, ParticularError)


def test_processes_of_mpi_share_the_generator_that_vegas_keeps_in_step():
    integrator = Integrator(REGION, mpi=True)
    integrator(batch, nitn=1, neval=200)
    assert integrator.vegas.ran_array_generator is None
    seeded = Integrator(REGION, mpi=True, seed=1)
    seeded(batch, nitn=1, neval=200)
    assert seeded.vegas.ran_array_generator is not None


# ---- files and processes ----


def test_an_integrator_is_pickled_with_its_map(given):
    integrator = Integrator({"a": (0, 1), "b": [(0, 1), (0, 1)]}, given, seed=1, neval=2000, nitn=3)
    integrator(vegas.lbatchintegrand(lambda x: batch(x.lbatch_buf)))
    copy = pickle.loads(pickle.dumps(integrator))
    assert type(copy) is Integrator
    assert (copy.neval, copy.nitn) == (2000, 3)
    for ours, theirs in zip(integrator.map.extract_grid(), copy.map.extract_grid(), strict=True):
        assert np.allclose(ours, theirs)
    assert np.allclose(copy.vegas.sigf, integrator.vegas.sigf)
    result = copy(vegas.rbatchintegrand(lambda x: np.exp(-((x["a"] - 0.5) ** 2))))
    assert abs(result.mean - 0.92256) < 4 * result.sdev + 1e-5
    assert set(copy.sample(mode="rbatch")[1]) == {"a", "b"}


@pytest.mark.parametrize("as_file", [False, True])
def test_saveall_keeps_result_and_integrator(tmp_path, given, as_file):
    path = tmp_path / "all.pkl"
    integrator = Integrator(REGION, given, seed=1, neval=2000)
    if as_file:
        with path.open("wb") as file:
            result = integrator(moments, nitn=1, saveall=file)
    else:
        result = integrator(moments, nitn=4, save=tmp_path / "result.pkl", saveall=path)
        assert str(pickle.loads((tmp_path / "result.pkl").read_bytes())) == str(result)
    saved, copy = pickle.loads(path.read_bytes())
    assert str(saved) == str(result)
    assert type(copy) is Integrator
    assert copy.settings() == integrator.settings()
    more = copy(moments, nitn=2)
    saved.extend(more)
    assert len(saved.itn_results) == (3 if as_file else 6)
    assert abs(saved["norm"].mean - EXACT) < 4 * saved["norm"].sdev


def test_processes_evaluate_the_integrand(given):
    alone = Integrator(REGION, given, seed=1, neval=2000, nitn=3)(moments)
    shared = Integrator(REGION, given, seed=1, neval=2000, nitn=3, nproc=2)(moments)
    if given is None:  # vegas makes other batches
        assert abs((shared["norm"] - alone["norm"]).mean) < 4 * np.hypot(shared["norm"].sdev, alone["norm"].sdev)
    else:
        assert (shared["norm"].mean, shared["norm"].sdev) == (alone["norm"].mean, alone["norm"].sdev)


def test_what_workers_spend_is_counted():
    from mcbridge.integrands.metered import Metered

    integrator = Integrator(REGION, nproc=2)
    metered = Metered(integrator._shared_out(_slow))
    metered(np.random.default_rng(1).random((200, 3)), 0)
    assert metered.evaluations == 200
    assert metered.cpu_seconds > 0.15


@vegas.lbatchintegrand
def _slow(x):
    import time

    end = time.process_time() + 1e-3 * len(x)
    while time.process_time() < end:
        pass
    return batch(x)
