"""The hook in a program with MadEvent's calls: the integral is 100 pb whatever draws the points."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from madgraph_interface.channel_training import RESERVE
from madgraph_interface.directory import read_result
from madgraph_interface.integrand import MadEventIntegrand
from madgraph_interface.records import read_jobs, read_points, read_survey
from mcbridge import core
from mcbridge.samplers import Sampler
from plugin.flows import identity_parameters

TRUTH = 100.0  # pb
REFINE = " 4000 9 3\n -5.0\n 2\n 1\n 0\n 1\n"


def within(result, sigmas=4.0):
    return abs(result.mean - TRUTH) < sigmas * result.error


def grid_numbers(path):
    return np.array(path.read_text().split()[: 3 * 25], dtype=float)


def put(toy, sampler, acceptance=700.0, density=7e-4, grid=None, highest=1e9):
    """A sampler for the channel, as the training leaves it."""
    survey = read_survey(toy.channel)
    (toy.channel.folder / "grid").write_bytes((grid or toy.channel.directory / "ftn26").read_bytes())
    sampler.save(toy.channel.folder / "sampler.mcb")
    (toy.channel.folder / "trained").write_text(f"{survey.fingerprint} {acceptance} {density} {highest}\n")


@pytest.fixture
def surveyed(toy):
    """After a survey; no training is worth it."""
    toy.card(flow_sampler="auto", nevents=10)
    toy.run()
    return toy


def identity(eps=0.3):
    spec = core.FlowSpec(3, hidden=8, bins=4)
    parameters = identity_parameters(spec, 1, np.random.default_rng(1))[0]
    return Sampler([core.ChannelSampler(3, spec=spec, params=parameters, eps=eps)])


def skewed():
    """A flow that is far from the integrand: a poor sampler, but with a known density."""
    spec = core.FlowSpec(3, hidden=8, bins=4)
    parameters = 0.2 * np.random.default_rng(2).normal(size=spec.parameters)
    return Sampler([core.ChannelSampler(3, spec=spec, params=parameters.astype(np.float32), eps=0.2)])


def test_the_survey_of_madevent_is_untouched_and_recorded(surveyed):
    folder = surveyed.channel.directory
    result = read_result(folder / "results.dat")
    assert within(result)
    survey = read_survey(surveyed.channel)
    assert survey.seed == 24
    assert survey.dim == 3
    u, weights, density = read_points(surveyed.channel.folder / "survey.rec")
    assert u.shape == (len(survey.weights), 3)
    assert np.all((u >= 0) & (u <= 1))
    assert np.all(density == 1)
    mean, error = weights.mean(), weights.std() / np.sqrt(len(weights))
    assert abs(mean - TRUTH) < 4 * error
    decision = json.loads((surveyed.channel.folder / "decision.json").read_text())
    assert decision["sampler"] == "madevent", surveyed.log()


@pytest.mark.parametrize("wish", ["vegas", "auto"])
def test_without_a_sampler_the_numbers_are_those_of_the_program_alone(toy, toy_objects, tmp_path, wish):
    (toy.root / "binnis/settings").write_text("nothing\n")  # no Python, no training
    toy.card(flow_sampler=wish)
    toy.run()
    folder = tmp_path / "alone"
    folder.mkdir()
    subprocess.run(["gfortran", *toy_objects, "-o", str(folder / "program")], check=True)
    with (toy.channel.directory / "input.txt").open("rb") as stream:
        subprocess.run(["./program"], cwd=folder, stdin=stream, check=True, capture_output=True)
    for name in ("grid_end", "results.dat"):
        assert (folder / name).read_bytes() == (toy.channel.directory / name).read_bytes()
    assert read_jobs(toy.root)[-1].mode == ("madevent" if wish == "vegas" else "record")


@pytest.mark.parametrize("sampler", [identity(), skewed()], ids=["identity", "skewed"])
def test_the_integral_with_a_flow(surveyed, sampler):
    put(surveyed, sampler)
    said = surveyed.run(REFINE, "G1a0", offset=3)
    assert "the grid is frozen" in said
    result = read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat")
    assert within(result), result
    assert result.events > 0
    job = read_jobs(surveyed.root)[-1]
    assert (job.mode, job.stage, job.directory) == ("flow", "refine", "G1a0")
    assert job.points == int(RESERVE * 5.0 / 7e-4)  # one iteration instead of three


def test_the_grid_stays_frozen(surveyed):
    put(surveyed, identity())
    surveyed.run(REFINE, "G1a0", offset=1)
    before = grid_numbers(surveyed.channel.folder / "grid")
    after = grid_numbers(surveyed.channel.madevent.parent / "G1a0" / "grid_end")
    assert np.array_equal(before, after)
    surveyed.card(flow_sampler="vegas")
    surveyed.run(REFINE, "G1b0", offset=1)
    assert not np.array_equal(before, grid_numbers(surveyed.channel.madevent.parent / "G1b0" / "grid_end"))


def test_jobs_never_share_points_and_can_be_repeated(surveyed):
    put(surveyed, identity())
    results = []
    for name, offset in (("G1a0", 1), ("G1b0", 2), ("G1c0", 1)):
        surveyed.run(REFINE, name, offset)
        results.append((surveyed.channel.madevent.parent / name / "results.dat").read_text())
    assert results[0] == results[2]
    assert results[0] != results[1]


def test_a_sampler_for_other_cards_is_not_used(surveyed):
    put(surveyed, identity())
    (surveyed.root / "Source/param_card.inc").write_text("      MDL_MZ = 9.2D+01\n")
    assert "frozen" not in surveyed.run(REFINE, "G1a0", offset=1)
    assert read_jobs(surveyed.root)[-1].mode == "madevent"


def test_another_number_of_events_is_the_same_integrand(surveyed):
    put(surveyed, identity())
    (surveyed.root / "Source/run_card.inc").write_text("      EBEAM(1) = 6.5D+03\n      NEVENTS = 77\n")
    assert "frozen" in surveyed.run(REFINE, "G1a0", offset=1)


@pytest.mark.parametrize("damage", ["cut", "dimensions"])
def test_a_sampler_that_cannot_be_used_leaves_the_program_as_it_is(surveyed, damage):
    put(surveyed, identity())
    path = surveyed.channel.folder / "sampler.mcb"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    else:
        Sampler([core.ChannelSampler(2)]).save(path)
    said = surveyed.run(REFINE, "G1a0", offset=1)
    assert "binnis:" in said
    assert within(read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat"))


def test_points_that_the_trainer_asks_for(surveyed):
    with MadEventIntegrand(surveyed.channel, surveyed.channel.directory / "ftn26") as integrand:
        assert integrand.dim == 3
        generator = np.random.default_rng(5)
        weights = np.concatenate([integrand(generator.random((n, 3))).weight for n in (1, 7, 4000, 16_000)])
        assert integrand.evaluations == len(weights)
        assert integrand.calls == np.count_nonzero(weights)
        assert integrand.seconds_per_evaluation > 0
        error = weights.std() / np.sqrt(len(weights))
        assert abs(weights.mean() - TRUTH) < 4 * error
        # The mean over the choice of a subprocess at one point is the integrand there.
        u = np.repeat(generator.random((1, 3)), 4000, axis=0)
        values = integrand(u).weight
        assert len(np.unique(values.round(9))) <= 2
    assert not list(surveyed.channel.madevent.parent.glob("binnis_*"))


def test_the_whole_chain_with_a_trained_flow(toy):
    toy.card(flow_sampler="flow", flow_evaluations=6000, nevents=1000)
    toy.run()
    decision = json.loads((toy.channel.folder / "decision.json").read_text())
    assert decision["sampler"] == "flow", toy.log()
    assert decision["figures"]["flow"]["rsd"] < decision["figures"]["frozen"]["rsd"]
    result = toy.channel.result  # of the survey that was done once more
    assert read_jobs(toy.root)[-2].mode == "flow" or read_jobs(toy.root)[-1].mode == "flow"
    assert within(result)
    toy.run(REFINE, "G1a0", offset=1)
    result = read_result(toy.channel.madevent.parent / "G1a0" / "results.dat")
    assert within(result)
    job = read_jobs(toy.root)[-1]
    # Some 1,700 points with a tail up to 15 times the mean: one such point moves the spread by a tenth.
    spread = result.error / result.mean * np.sqrt(job.points)
    assert 0.8 < spread / decision["figures"]["flow"]["rsd"] < 1.25
    assert spread < 0.7 * decision["figures"]["frozen"]["rsd"]
    # A second launch keeps the sampler: its survey uses it, nobody trains again.
    (toy.root / "SubProcesses/randinit").write_text("r=31\n")
    assert "frozen" in toy.run()
    assert toy.log().splitlines()[-1].split(maxsplit=2)[2].startswith("0 evaluations"), toy.log()


def test_the_cross_section_is_that_of_the_first_iteration(surveyed):
    # Later iterations come where the first has too few events: an average over them would depend on its weights.
    put(surveyed, identity(), acceptance=2000.0, density=0.023)
    said = surveyed.run(REFINE, "G1a0", offset=1)
    iterations = [line.split()[1:] for line in said.splitlines() if line.split()[:1] == ["iteration"]]
    assert len(iterations) > 3
    result = read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat")
    assert result.mean == pytest.approx(float(iterations[0][1]), rel=1e-4)
    assert result.error == pytest.approx(float(iterations[0][2]), rel=1e-4)


def test_jobs_that_go_on_or_stop_by_their_events_average_to_the_truth(surveyed):
    put(surveyed, skewed(), acceptance=4000.0, density=2.9e-4)
    means, points = [], []
    for job in range(60):
        surveyed.run(REFINE, "G1a0", offset=1000 + 17 * job)
        means.append(read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat").mean)
        points.append(read_jobs(surveyed.root)[-1].points)
    assert 0.1 < np.mean(np.array(points) > min(points)) < 1.0  # some of them have gone on
    assert abs(np.mean(means) - TRUTH) < 4 * np.std(means) / np.sqrt(len(means))


def test_a_job_that_falls_short_keeps_its_events_and_draws_what_is_missing(surveyed):
    put(surveyed, identity(), density=1.0)
    surveyed.run(REFINE.replace("-5.0", "-20.0"), "G1a0", offset=1)  # 200 points, to learn the yield
    probe = read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat")
    yields = probe.events / (read_jobs(surveyed.root)[-1].evaluations * probe.mean)
    put(surveyed, identity(), density=1.25 * yields)
    said = surveyed.run(REFINE.replace("-5.0", "-20.0"), "G1b0", offset=2)
    iterations = [line for line in said.splitlines() if line.split()[:1] == ["iteration"]]
    result = read_result(surveyed.channel.madevent.parent / "G1b0" / "results.dat")
    job = read_jobs(surveyed.root)[-1]
    first = RESERVE * 20.0 / (1.25 * yields)
    assert len(iterations) > 1
    assert result.events > 20.0 * result.mean
    assert 1.05 * first < job.points < 1.6 * first  # another start with twice as many: 3


def test_no_job_takes_a_larger_weight_than_the_channels_as_its_largest(surveyed):
    largest = {}
    for highest in (1e9, 600.0):
        put(surveyed, skewed(), acceptance=300.0, highest=highest)
        said = surveyed.run(REFINE, "G1a0", offset=1)
        largest[highest] = 300.0 * float(said.split("largest")[-1].split()[0])
        assert within(read_result(surveyed.channel.madevent.parent / "G1a0" / "results.dat"))
    assert largest[1e9] > 650.0
    assert 500.0 < largest[600.0] <= 600.0
