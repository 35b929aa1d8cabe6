"""The integrator with training and choice, in vegas' place."""

from __future__ import annotations

import subprocess
import sys
import time

import gvar
import numpy as np
import pytest
import vegas

from mcbridge.errors import UserError
from plugin.integrator import Integrator

DIM = 3
WIDTH = 0.06


def density(x):
    near = np.exp(-np.sum((x - 1 / 3) ** 2, axis=1) / (2 * WIDTH**2))
    far = np.exp(-np.sum((x - 2 / 3) ** 2, axis=1) / (2 * WIDTH**2))
    return (near + far) / (2 * (2 * np.pi * WIDTH**2) ** (DIM / 2))


class Counted:
    """The two peaks, with evaluations counted and a price for each of them in CPU time."""

    def __init__(self, seconds=0.0, form=lambda x: density(x)):
        self.evaluations, self.seconds, self.form = 0, seconds, form

    def function(self):
        def inner(x):
            self.evaluations += len(x)
            end = time.process_time() + self.seconds * len(x)
            while time.process_time() < end:
                pass
            return self.form(np.asarray(x))

        return vegas.lbatchintegrand(inner)


@pytest.fixture(scope="module")
def flow():
    integrator = Integrator(DIM * [[0, 1]], sampler="flow", seed=5)
    counted = Counted()
    result = integrator(counted.function(), nitn=10, neval=8000)
    return integrator, counted, result


def test_the_flow_integrates_with_vegas_result_types(flow):
    integrator, _, result = flow
    assert type(result) is vegas.RAvg
    assert abs(result.mean - 1) < 4 * result.sdev
    assert result.sdev < 0.01
    assert len(result.itn_results) == 10
    assert result.dof == 9
    assert integrator.decision.sampler == "flow"
    assert integrator.sampler.has_flow
    assert set(integrator.decision.figures) == {"vegas", "flow"}


def test_a_call_uses_nitn_times_neval_evaluations_training_and_choice_included(flow):
    integrator, counted, result = flow
    assert counted.evaluations == pytest.approx(80_000, rel=0.03)
    assert result.sum_neval == pytest.approx(counted.evaluations, rel=0.01)
    assert integrator.neval == 8000


@pytest.mark.parametrize(("mode", "seconds"), [("auto", 0.0), ("auto", 6e-5), ("vegas", 0.0)])
def test_the_evaluations_are_used_up_whatever_is_chosen(mode, seconds):
    counted = Counted(seconds)
    integrator = Integrator(DIM * [[0, 1]], sampler=mode, seed=1)
    result = integrator(counted.function(), nitn=5, neval=8000)
    assert counted.evaluations == pytest.approx(40_000, rel=0.03)
    assert abs(result.mean - 1) < 5 * result.sdev


def test_weights_of_a_sample_are_one_over_the_density_of_independent_points(flow):
    integrator, _, _ = flow
    weights, x = integrator.sample(nbatch=8000, mode="lbatch")
    np.testing.assert_allclose(1 / (len(weights) * weights), integrator.sampler.density(0, np.asarray(x)), rtol=1e-4)
    terms = len(weights) * weights * density(np.asarray(x))
    assert abs(terms.mean() - 1) < 4 * terms.std() / np.sqrt(len(terms))


def test_a_second_call_goes_on_with_the_flow(flow):
    integrator, counted, _ = flow
    before = counted.evaluations
    result = integrator(integrator._function, nitn=4, neval=5000)
    assert counted.evaluations - before == 20_001  # one to learn the shape of the answer
    assert result.sum_neval == 20_000
    integrator.set(nitn=10, neval=8000)


def test_the_seed_reproduces_the_result():
    values = [
        Integrator(DIM * [[0, 1]], sampler="flow", seed=seed)(Counted().function(), nitn=2, neval=4000).mean
        for seed in (7, 7, 8)
    ]
    assert values[0] == values[1]
    assert values[0] != values[2]


def test_short_calls_go_to_vegas_and_a_longer_one_is_decided_anew():
    counted = Counted(3e-5)
    function = counted.function()
    integrator = Integrator(DIM * [[0, 1]], seed=2)
    result = integrator(function, nitn=10, neval=100)
    assert "too few to train" in integrator.decision.reason
    assert abs(result.mean - 1) < 6 * result.sdev
    integrator(function, nitn=5, neval=2000)
    assert "less than training" in integrator.decision.reason
    assert integrator.sampler is None


def test_an_expensive_integrand_with_two_peaks_gets_the_flow():
    """vegas cannot separate the peaks: it needs twenty times the evaluations of a flow."""
    counted = Counted(2e-4)
    integrator = Integrator(DIM * [[0, 1]], seed=3)
    result = integrator(counted.function(), nitn=10, neval=4000)
    assert integrator.decision.sampler == "flow"
    assert integrator.decision.stage == "after training"
    assert abs(result.mean - 1) < 4 * result.sdev


def test_where_stratification_serves_better_vegas_goes_on_with_it():
    """A smooth function of one variable: VEGAS+ gains with every hypercube, independent points do not."""
    integrator = Integrator([[0, 2]], seed=4)
    burn = Counted(1e-3, lambda x: 1 + x[:, 0])
    result = integrator(burn.function(), nitn=5, neval=1000)
    assert integrator.decision.sampler == "vegas"
    assert integrator.sampler is None
    assert abs(result.mean - 4) < 5 * result.sdev
    assert result.sdev < 0.002


def test_arrays_and_dictionaries_adapt_to_their_first_component():
    def both(x):
        f = density(x)
        return np.stack([f, f * x[:, 0]], axis=1)

    result = Integrator(DIM * [[0, 1]], sampler="flow", seed=6)(Counted(form=both).function(), nitn=4, neval=6000)
    assert type(result) is vegas.RAvgArray
    ratio = result[1] / result[0]
    assert abs(gvar.mean(ratio) - 0.5) < 4 * gvar.sdev(ratio)


def test_regions_other_than_the_unit_cube():
    region = [[-1, 3], [0, 0.5]]

    @vegas.lbatchintegrand
    def function(x):
        return np.exp(-((x[:, 0] - 1) ** 2) / 0.02 - ((x[:, 1] - 0.25) ** 2) / 0.001)

    result = Integrator(region, sampler="flow", seed=7)(function, nitn=5, neval=4000)
    assert abs(result.mean - np.pi * np.sqrt(0.02 * 0.001)) < 4 * result.sdev


def test_a_function_that_vanishes_gives_zero():
    result = Integrator(2 * [[0, 1]], sampler="flow", seed=8)(
        Counted(form=lambda x: np.zeros(len(x))).function(), nitn=2, neval=3000
    )
    assert result.mean == 0.0


def test_wrong_arguments_are_told():
    with pytest.raises(UserError, match="did you mean 'flow'"):
        Integrator(2 * [[0, 1]], sampler="flwo")
    with pytest.raises(UserError, match="too few to train a flow"):
        Integrator(2 * [[0, 1]], sampler="flow")(Counted().function(), nitn=2, neval=100)
    with pytest.raises(UserError, match="no option 'nevl'"):
        Integrator(2 * [[0, 1]])(Counted().function(), nevl=100)


def test_a_decision_for_vegas_does_not_import_torch():
    program = (
        "import sys, vegas, numpy as np\n"
        "from binnis import Integrator\n"
        "f = vegas.lbatchintegrand(lambda x: x[:, 0])\n"
        "r = Integrator(2 * [[0, 1]], seed=1)(f, nitn=5, neval=10000)\n"
        "assert abs(r.mean - 0.5) < 5 * r.sdev and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_constant_goes_to_vegas():
    burn = Counted(1e-3, lambda x: np.full(len(x), 2.5))
    integrator = Integrator(2 * [[0, 1]], seed=9)
    result = integrator(burn.function(), nitn=2, neval=2500)
    assert abs(result.mean - 2.5) < 5 * result.sdev
    assert integrator.decision.sampler == "vegas"
    assert "inf" not in integrator.decision.reason


def test_options_that_leave_no_room_for_a_flow_go_to_vegas():
    def by_jacobian(x, jac):
        return 1 / np.prod(jac)

    integrator = Integrator(2 * [[0, 2.0]], seed=1)
    result = integrator(by_jacobian, nitn=2, neval=200, uses_jac=True)
    assert abs(result.mean - 1) < 1e-6
    assert "takes the Jacobian" in integrator.decision.reason
    with pytest.raises(UserError, match="sampler='flow' does not go with uses_jac=True"):
        Integrator(2 * [[0, 2.0]], sampler="flow", uses_jac=True)(by_jacobian)
    frozen = Integrator(DIM * [[0, 1]], seed=1)
    frozen(Counted().function(), nitn=2, neval=60_000, adapt=False)
    assert "nothing is to be adapted" in frozen.decision.reason
    assert all(np.allclose(np.diff(knots), np.diff(knots)[0]) for knots in frozen.map.extract_grid())


def test_the_survey_starts_from_the_grid_that_is_there():
    # A peak that 20,000 uniform points hardly see: their survey would find next to nothing.
    width, dim = 0.003, 4
    centre = np.full(dim, 0.7123)

    @vegas.lbatchintegrand
    def narrow(x):
        return np.exp(-np.sum((x - centre) ** 2, axis=1) / (2 * width**2)) / (2 * np.pi * width**2) ** (dim / 2)

    integrator = Integrator(dim * [[0, 1]], sampler="flow", seed=2)
    points = np.random.default_rng(1).normal(centre, width, (20_000, dim))
    integrator.map.adapt_to_samples(points, narrow(points), nitn=5)
    result = integrator(narrow, nitn=5, neval=6000)
    assert abs(result.mean - 1) < 4 * result.sdev
    assert result.sdev < 0.02


def test_strata_that_were_chosen_stay_over_a_call():
    integrator = Integrator(DIM * [[0, 1]], seed=1, nstrat=[16, 2, 2], neval=2000)
    result = integrator(Counted().function(), nitn=4)
    assert list(integrator.nstrat) == [16, 2, 2]
    assert integrator.neval == 2000
    assert abs(result.sum_neval / 8000 - 1) < 0.05


def test_a_new_map_asks_anew_and_a_pickle_keeps_the_flow(flow):
    import pickle

    integrator, _, _ = flow
    copy = pickle.loads(pickle.dumps(integrator))
    assert copy.decision.sampler == "flow"
    assert copy.sampler.has_flow
    x = np.random.default_rng(3).random((100, DIM))
    ours, theirs = (one.sampler.density(0, x) for one in (integrator, copy))
    assert np.array_equal(ours, theirs)
    counted = Counted()
    result = copy(counted.function(), nitn=2, neval=2000)
    assert counted.evaluations == pytest.approx(4000, abs=5)  # nothing is trained again
    assert copy.sampler.has_flow
    assert abs(result.mean - 1) < 4 * result.sdev
    copy.set(map=[[0, 2]])
    assert copy.decision is None
    assert copy.sampler is None
    result = copy(lambda x: x[0], nitn=2, neval=4000)
    assert abs(result.mean - 2) < 4 * result.sdev
