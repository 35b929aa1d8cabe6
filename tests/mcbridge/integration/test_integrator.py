"""The integrator in place of ``vegas.Integrator``: same calls, same types, same meaning."""

import gvar
import numpy as np
import pytest
import vegas

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands import FunctionIntegrand
from mcbridge.integration import Integrator
from mcbridge.maps import VegasMap
from mcbridge.random import Streams
from mcbridge.samplers import survey

REGION = 3 * [[0, 1]]
WIDTH = 0.1
EXACT = (np.sqrt(2 * np.pi) * WIDTH) ** 3  # both tails are beyond 5 sigma: 1e-6


def plain(x):
    return np.exp(-np.sum((np.asarray(x) - 0.5) ** 2) / 2 / WIDTH**2)


@vegas.lbatchintegrand
def batch(x):
    return np.exp(-np.sum((x - 0.5) ** 2, axis=1) / 2 / WIDTH**2)


@vegas.rbatchintegrand
def rbatch(x):
    return np.exp(-np.sum((x - 0.5) ** 2, axis=0) / 2 / WIDTH**2)


@vegas.lbatchintegrand
def array(x):
    f = batch(x)
    return np.stack([f, f * x[:, 0]], axis=1)


@vegas.rbatchintegrand
def dictionary(x):
    f = rbatch(x)
    return {"norm": f, "x": [f * x[0], f * x[1]]}


@pytest.fixture(scope="module")
def sampler():
    return survey(FunctionIntegrand(batch, REGION), 20_000, Streams(1)).sampler


@pytest.fixture(params=["vegas", "frozen"])
def integrator(request, sampler):
    return Integrator(REGION, sampler=None if request.param == "vegas" else sampler, seed=3, nitn=5, neval=4000)


@pytest.mark.parametrize("function", [plain, batch, rbatch])
def test_scalars_give_an_average_of_vegas(integrator, function):
    result = integrator(function, neval=2000)
    assert type(result) is vegas.RAvg
    assert abs(result.mean - EXACT) < 4 * result.sdev
    assert result.sdev < 0.01 * EXACT
    assert len(result.itn_results) == 5
    assert result.dof == 4
    assert 0 <= result.Q <= 1
    assert "chi2/dof" in result.summary()
    assert str(result)


def test_arrays_give_an_array_of_averages(integrator):
    result = integrator(array)
    assert type(result) is vegas.RAvgArray
    assert result.shape == (2,)
    ratio = result[1] / result[0]
    assert abs(ratio.mean - 0.5) < 4 * ratio.sdev
    assert abs(gvar.evalcorr(np.array(result))[0, 1]) > 0.3


def test_dictionaries_give_a_dictionary_of_averages(integrator):
    result = integrator(dictionary)
    assert type(result) is vegas.RAvgDict
    assert list(result) == ["norm", "x"]
    assert result["x"].shape == (2,)
    assert abs(result["norm"].mean - EXACT) < 4 * result["norm"].sdev
    assert "norm" in result.summary(extended=True)


def test_regions_of_dictionaries(integrator):
    @vegas.rbatchintegrand
    def volume(x):
        return x["r"] ** 2 * np.sin(x["angle"][0])

    region = {"r": (0, 1), "angle": [(0, np.pi), (0, 2 * np.pi)]}
    own = Integrator(region, seed=1)
    if integrator.sampler is not None:
        own.use(VegasMap(3 * [[0, 1]]).sampler())
    result = own(volume, nitn=5, neval=4000)
    assert abs(result.mean - 4 * np.pi / 3) < 4 * result.sdev
    weights, points = own.sample()
    estimate = np.sum(weights * volume(points))
    assert abs(estimate / (4 * np.pi / 3) - 1) < 0.1


def test_a_call_uses_nitn_times_neval_evaluations(integrator):
    counted = [0]

    @vegas.lbatchintegrand
    def function(x):
        counted[0] += len(x)
        return batch(x)

    for neval in (1000, 3000, 10_000, 1e5, 123_456):
        counted[0] = 0
        result = integrator(function, nitn=4, neval=neval)
        assert abs(counted[0] / (4 * neval) - 1) < 0.01
        assert abs(result.sum_neval / (4 * neval) - 1) < 0.01
        assert integrator.neval == int(neval)


@pytest.mark.parametrize("dim", [1, 2, 5, 8, 12])
def test_vegas_uses_up_its_evaluations_in_every_dimension(dim):
    function = vegas.lbatchintegrand(lambda x: np.exp(-20 * np.sum((x - 0.5) ** 2, axis=1)))
    integrator = Integrator(dim * [[0, 1]], seed=1)
    for neval in (1000, 12_345):
        for adapt in (True, False):
            assert abs(integrator(function, nitn=6, neval=neval, adapt=adapt).sum_neval / (6 * neval) - 1) < 0.03


def test_the_seed_reproduces_the_result(sampler):
    for given in (None, sampler):
        first, same, other = (Integrator(REGION, given, seed=s)(batch, nitn=3, neval=2000) for s in (1, 1, 2))
        assert (first.mean, first.sdev) == (same.mean, same.sdev)
        assert first.mean != other.mean
    assert isinstance(Integrator(REGION).seed, int)


def test_calls_with_the_same_object_are_independent(sampler):
    integrator = Integrator(REGION, sampler, seed=1, nitn=2, neval=2000)
    assert integrator(batch).mean != integrator(batch).mean
    restarted = integrator(batch)
    integrator.set(seed=1)
    integrator(batch), integrator(batch)
    assert integrator(batch).mean == restarted.mean


def test_adapted_grids_are_kept_between_calls_as_in_vegas():
    integrator = Integrator(REGION, seed=1)
    early = integrator(batch, nitn=2, neval=5000)
    integrator(batch, nitn=5)
    late = integrator(batch, nitn=2, adapt=False)
    assert late.sdev < early.sdev
    again = Integrator(integrator, seed=2, nitn=2, neval=5000)(batch, adapt=False)
    assert again.sdev < early.sdev


def test_weights_of_a_sample_are_one_over_the_density(sampler):
    integrator = Integrator([[0, 2], [-1, 1], [0, 1]], sampler, seed=5, neval=3000)
    weights, points = integrator.sample()
    assert weights.shape == (3000,)
    assert points.shape == (3, 3000)
    u = (points.T - [0, -1, 0]) / [2, 2, 1]
    np.testing.assert_allclose(len(weights) * weights, 4.0 / sampler.density(0, u), rtol=1e-4)
    weights, points = integrator.sample(nbatch=7000, mode="lbatch")
    assert weights.shape == (9000,)
    assert points.shape == (9000, 3)
    total = weights.sum()
    assert abs(total - 4.0) < 4 * np.sqrt(len(weights)) * weights.std()


def test_samples_integrate_the_function(integrator):
    integrator(batch)
    weights, points = integrator.sample(nbatch=20_000)
    assert abs(np.sum(weights * rbatch(points)) / EXACT - 1) < 0.02
    weights, points = integrator.sample(mode="lbatch")
    assert points.shape == (len(weights), 3)


def test_batches_have_the_columns_of_vegas(integrator):
    integrator(batch)
    for columns in ({}, {"yield_y": True}, {"yield_hcube": True}, {"yield_hcube": True, "yield_y": True}):
        ours = list(integrator.random_batch(**columns))
        theirs = next(vegas.Integrator(REGION).random_batch(**columns))
        assert len(ours[0]) == len(theirs)
        for mine, yours in zip(ours[0], theirs, strict=True):
            assert mine.ndim == yours.ndim
            assert mine.dtype.kind == yours.dtype.kind
        assert abs(sum(len(part[0]) for part in ours) / integrator.neval - 1) < 0.12
    estimate = sum(float(wgt * plain(x)) for x, wgt in integrator.random())
    assert abs(estimate / EXACT - 1) < 0.1


def test_latent_points_belong_to_the_map(sampler):
    integrator = Integrator([[0, 2], [0, 1], [0, 1]], sampler, seed=1, neval=500)
    x, y, _ = next(integrator.random_batch(yield_y=True))
    np.testing.assert_allclose(integrator.map(y), x, atol=1e-6)


def test_unweighted_points_follow_the_function(integrator):
    integrator(batch, neval=10_000)
    weight, points = integrator.unweight(20_000)
    assert points.shape == (20_000, 3)
    assert np.all(weight >= 1)
    assert np.mean(weight > 1) < 0.05
    spread = np.average((points - 0.5) ** 2, weights=weight, axis=0)
    assert np.all(np.abs(spread / WIDTH**2 - 1) < 4 * np.sqrt(2 / 20_000) + 1e-3)


def test_samplers_are_saved_and_loaded(tmp_path, integrator):
    integrator(batch)
    integrator.save(tmp_path / "sampler.mcb")
    loaded = Integrator(REGION, seed=1, nitn=3, neval=5000)
    loaded.load(tmp_path / "sampler.mcb")
    result = loaded(batch)
    assert abs(result.mean - EXACT) < 4 * result.sdev
    assert loaded.result.rsd < 1
    assert type(loaded.map) is vegas.AdaptiveMap


def test_a_frozen_sampler_is_not_changed_by_a_call(sampler):
    integrator = Integrator(REGION, sampler, seed=1)
    before = [knots.copy() for knots in sampler.channels[0].grid]
    integrator(batch, nitn=3, neval=1000, alpha=0.5, beta=0.75, adapt=True, maxinc_axis=50)
    for old, new in zip(before, integrator.sampler.channels[0].grid, strict=True):
        np.testing.assert_array_equal(old, new)


def test_an_analyzer_sees_every_iteration(integrator, capsys):
    integrator(batch, analyzer=vegas.reporter())
    assert integrator.set(analyzer=None)["analyzer"] is not None
    assert capsys.readouterr().out.count("all itn's") == 5


def test_tolerances_end_a_call_early(integrator):
    assert integrator(batch, rtol=0.5).nitn == 1
    assert integrator(batch, rtol=0, atol=0).nitn == 5


def test_results_are_saved_after_every_iteration(tmp_path, integrator):
    import pickle

    result = integrator(batch, save=str(tmp_path / "result.pkl"))
    stored = pickle.loads((tmp_path / "result.pkl").read_bytes())
    assert stored.mean == pytest.approx(result.mean)
    assert stored.nitn == result.nitn


def test_correlations_can_be_left_out(integrator):
    result = integrator(array, correlate_integrals=False)
    assert gvar.evalcorr(np.array(result))[0, 1] == 0


def test_old_options_come_back_from_set(integrator):
    old = integrator.set(nitn=7, threads=2)
    assert old == {"nitn": 5, "threads": 1}
    integrator.set(old)
    assert integrator.nitn == 5
    assert integrator.threads == 1
    assert "iterations" in integrator.settings()


def test_vegas_pulls_are_those_of_vegas():
    pulls = []
    for seed in range(100):
        integrator = Integrator(REGION, seed=seed)
        integrator(batch, nitn=4, neval=2000)
        result = integrator(batch, nitn=5, adapt=False)
        pulls.append((result.mean - EXACT) / result.sdev)
    assert abs(np.mean(pulls)) < 4 / np.sqrt(100)
    assert abs(np.std(pulls) - 1) < 4 / np.sqrt(200)


def fails(x):
    raise RuntimeError("no amplitude")


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (fails, "raised RuntimeError: no amplitude"),
        (lambda x: np.nan, "not finite"),
        (lambda x: np.inf, "not finite"),
        (lambda x: x[:, 0], "lbatchintegrand"),
        (vegas.lbatchintegrand(lambda x: x[:5, 0]), "wrong number of values"),
    ],
)
def test_failing_functions_are_told_in_a_sentence(integrator, function, words):
    with pytest.raises(AmplitudeError) as error:
        integrator(function)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_rare_failures_are_counted(integrator):
    @vegas.lbatchintegrand
    def sometimes(x):
        return np.where(x[:, 0] < 1e-4, np.nan, 1.0)

    fresh = Integrator(REGION, seed=1, nitn=5, neval=20_000)
    if integrator.sampler is not None:
        fresh.use(VegasMap(3 * [[0, 1]]).sampler())
    result = fresh(sometimes)
    assert 0 < fresh.guard.log.failures < 100
    assert abs(result.mean - 1) < 1e-3
    with pytest.raises(AmplitudeError, match="1e-06"):
        fresh(sometimes, max_failure_fraction=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"nitnn": 3}, "did you mean 'nitn'"),
        ({"nevals": 3}, "did you mean 'neval'"),
        ({"xyz": 1}, "options are adapt"),
        ({"neval": "many"}, "neval is 'many'"),
        ({"nitn": 0}, "nitn is 0"),
        ({"neval": float("nan")}, "neval is nan"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"nstrat": [1]}, "nstrat"),
    ],
)
def test_wrong_options_are_named(integrator, options, words):
    with pytest.raises(UserError) as error:
        integrator(batch, **options)
    assert words in str(error.value)


def test_wrong_options_are_named_by_the_constructor():
    with pytest.raises(UserError, match="did you mean 'nitn'"):
        Integrator(REGION, nitm=3)
    with pytest.raises(UserError, match="lower limit must be below"):
        Integrator([[1, 0]])


def test_samplers_that_do_not_fit_are_refused(sampler):
    with pytest.raises(UserError, match="3 dimensions; the region has 2"):
        Integrator([[0, 1], [0, 1]], sampler)
    from mcbridge.samplers import Sampler

    with pytest.raises(UserError, match="2 channels"):
        Integrator(REGION, Sampler(2 * sampler.channels))
    with pytest.raises(UserError, match="uses_jac"):
        Integrator(REGION, sampler, uses_jac=True)(batch)
    with pytest.raises(UserError, match="mode"):
        Integrator(REGION, sampler).sample(mode="x")
    with pytest.raises(UserError, match="unweight needs the function"):
        Integrator(REGION, sampler).unweight(10)


def test_the_jacobian_of_vegas_reaches_the_function():
    def function(x, jac=None):
        return 1 / jac[0]

    result = Integrator([[0, 2]], seed=1, uses_jac=True)(function, nitn=3, neval=500)
    assert result.mean == pytest.approx(1.0, rel=1e-6)
