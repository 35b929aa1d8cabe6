"""The plug-in inside the real Sherpa, for e+e- -> mu+ mu- gamma."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from binnis import Integrator
from mcbridge import core
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.samplers.cells import CellTable
from sherpa_interface.events import scan_events
from sherpa_interface.integrand import SherpaAmplitude, SherpaIntegrand
from sherpa_interface.output import cross_sections
from sherpa_interface.points import read_points
from sherpa_interface.process import run_sherpa
from tests.sherpa_interface.conftest import NAME, PLUGIN

FROZEN = {"NPOWER": 0, "NOPT": 1, "MAXOPT": 2, "ITMIN": 20_000}


def events_of(folder):
    text = (folder / "events.lhe").read_text()
    return text[text.index("<event") :]


@pytest.fixture(scope="module")
def integrand(program, card, optimised):
    with SherpaIntegrand(card, optimised.results, program) as found:
        yield found


def random_flow(integrand, size=0.2, eps=0.2, dim=None):
    """An untrained flow: a poor density, with which the cross section must come out all the same."""
    table = CellTable.of(integrand.discrete, integrand.dim)
    cells = table.to_core()
    generator = np.random.default_rng(3)
    cells = core.Cells(
        cells.dims, cells.boxes, cells.p_vegas, generator.dirichlet(np.full(len(table), 2.0)), cells.context
    )
    spec = core.FlowSpec(integrand.dim - len(cells.dims), context=cells.context.shape[1], hidden=16, bins=6)
    params = (size * generator.normal(size=spec.parameters)).astype(np.float32)
    return core.ChannelSampler(integrand.dim, cells=cells, spec=spec, params=params, eps=eps)


def write(path, channel, description, name=None, version=None, fingerprint=None):
    values = description["fingerprint"] if fingerprint is None else fingerprint
    entry = f"{version or description['sherpa']};{name or NAME}|0|{','.join(repr(float(v)) for v in values)}"
    core.write_sampler_file(path, [channel], json.dumps({"sampler": {"sherpa": entry}, "active": [True]}), {})
    return path


def with_sampler(program, card, folder, path, base, **overlay):
    settings = {"SAMPLER": "flow", "FILE": str(path), "BASE": str(base), **overlay.pop("BINNIS", {})}
    folder.mkdir()
    return run_sherpa(program, card, {**PLUGIN, "PSI": FROZEN, "BINNIS": settings, **overlay}, folder)


def test_looking_on_changes_nothing(program, card, optimised, tmp_path):
    """Cross section and events of Sherpa without the plug-in are the same, to the last digit."""
    text = run_sherpa(program, card, {}, tmp_path)
    assert cross_sections(text) == cross_sections(optimised.text)
    assert len(cross_sections(text)) == 1
    assert events_of(tmp_path) == events_of(optimised.folder)


def test_the_restored_map_gives_the_recorded_weights(integrand, optimised):
    """The identity: what Sherpa's own channel made of its random numbers is what the plug-in makes of the point."""
    points = read_points(optimised.points, integrand.dim)
    assert len(points) > 5000
    np.testing.assert_allclose(integrand(points.u[:5000]).weight, points.weight[:5000], rtol=1e-8)
    means = points.u[:, 1:].mean(0)
    assert np.all(np.abs(means - 0.5) < 4.0 / np.sqrt(12.0 * len(points)))  # Sherpa's numbers are uniform


def test_the_mean_at_uniform_points_is_the_cross_section(integrand, optimised):
    own = cross_sections(optimised.text)[NAME]
    weight = integrand(np.random.default_rng(1).random((40_000, integrand.dim))).weight
    error = weight.std() / np.sqrt(len(weight))
    assert abs(weight.mean() - own.value) < 4.0 * np.hypot(error, own.error)


def test_it_can_be_integrated_as_any_function(integrand, optimised):
    """Sherpa's integrand under VEGAS, by the integrator of everybody."""
    own = cross_sections(optimised.text)[NAME]
    result = Integrator(integrand.dim * [[0, 1]], sampler="vegas", seed=1)(integrand.function, nitn=5, neval=8000)
    assert abs(result.mean - own.value) < 4.0 * np.hypot(result.sdev, own.error)


def test_a_random_flow_leaves_the_cross_section_where_it_was(program, card, integrand, optimised, tmp_path):
    """Also the events: their weights over trials, and one recorded point for each accepted trial."""
    path = write(tmp_path / "flow.mcb", random_flow(integrand), integrand.description)
    text = with_sampler(
        program, card, tmp_path / "run", path, optimised.results, BINNIS={"ACCEPTED": "accepted"}, EVENTS=1500
    )
    own, found = cross_sections(optimised.text)[NAME], cross_sections(text)[NAME]
    assert abs(found.value - own.value) < 4.0 * np.hypot(found.error, own.error)
    record = scan_events(tmp_path / "run" / "events.lhe")
    assert record.events == 1500
    assert abs(record.cross_section - own.value) < 4.0 * np.hypot(record.error, own.error)
    accepted = read_points(tmp_path / "run" / f"accepted.{NAME}.points", integrand.dim)
    heads = re.findall(r"trials=['\"]([0-9.]+)['\"]", events_of(tmp_path / "run"))
    assert len(accepted) == sum(float(trials) > 0 for trials in heads)
    # The recorded density is that of the sampler at the recorded point.
    np.testing.assert_allclose(random_flow(integrand).density(accepted.u), accepted.density, rtol=1e-4)


def test_the_identity_sampler_has_sherpas_own_spread(program, card, integrand, optimised, tmp_path):
    table = CellTable.of(integrand.discrete, integrand.dim)
    channel = core.ChannelSampler(integrand.dim, cells=table.to_core())
    path = write(tmp_path / "identity.mcb", channel, integrand.description)
    text = with_sampler(program, card, tmp_path / "run", path, optimised.results, EVENTS=0)
    found = cross_sections(text)[NAME]
    points = read_points(optimised.points, integrand.dim)
    rsd = points.weight.std() / points.weight.mean()
    # Sherpa leaves the first of the three iterations out of its result.
    assert found.error / found.value * np.sqrt(2 / 3 * found.points) == pytest.approx(rsd, rel=0.1)


def test_amplitude_is_that_of_the_closed_form(program, card):
    """e+e- -> mu+ mu- through a photon alone, far below the Z: |M|^2 = 2 e^4 (t^2 + u^2)/s^2 (Peskin, eq. 5.10)."""
    overlay = {"PROCESSES": [{"11 -11 -> 13 -13": {"Order": {"QCD": 0, "EW": 2}}}], "SELECTORS": [], "BEAM_ENERGIES": 1}
    angle = np.array([0.3, 1.2, 2.5])
    momenta = np.zeros((3, 4, 4))
    momenta[:, :, 0] = 1.0
    momenta[:, 0, 3], momenta[:, 1, 3] = 1.0, -1.0
    momenta[:, 2, 1], momenta[:, 2, 3] = np.sin(angle), np.cos(angle)
    momenta[:, 3, 1:] = -momenta[:, 2, 1:]
    with SherpaAmplitude(card, program, overlay) as amplitude:
        found = amplitude(momenta)
        with pytest.raises(UserError, match=r"\(n, 4, 4\)"):
            amplitude(momenta[:, :3])
    shape = 1.0 + np.cos(angle) ** 2
    np.testing.assert_allclose(found / found[0], shape / shape[0], rtol=2e-2)  # the Z interferes below 1%


def with_fault(fault, path, channel, description, results):
    """Write a sampler file with a fault; returns the base that goes with it."""
    if fault in ("damaged", "truncated"):
        write(path, channel, description)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 0xFF
        path.write_bytes(content if fault == "damaged" else content[: len(content) // 2])
    elif fault == "dimension":
        write(path, core.ChannelSampler(3, grid=None), description)
    elif fault == "process":
        write(path, channel, description, name="2_2__e-__e+__mu-__mu+")
    elif fault == "version":
        write(path, channel, description, version="3.0.1")
    elif fault in ("map", "integrand"):
        values = list(description["fingerprint"])
        values[0 if fault == "map" else 1] *= 1.001
        write(path, channel, description, fingerprint=values)
    elif fault == "base":
        write(path, channel, description)
        return path.with_name("nothing.zip")
    return results


FAULTS = [
    ("missing", "cannot be read"),
    ("damaged", "damaged"),
    ("truncated", "is truncated"),
    ("dimension", "dimensions"),
    ("process", r"was made for 2_2__e-__e\+__mu-__mu\+, not for"),
    ("version", "was made with Sherpa 3.0.1"),
    ("base", "no optimised map"),
    ("map", "optimised map"),
    ("integrand", "cuts, scales, couplings"),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_sampler_that_does_not_fit_is_refused(program, card, integrand, optimised, tmp_path, fault, words):
    """SAMPLER: flow ends in one sentence."""
    path = tmp_path / "flow.mcb"
    base = with_fault(fault, path, random_flow(integrand), integrand.description, optimised.results)
    with pytest.raises(UserError, match=words):
        with_sampler(program, card, tmp_path / "run", path, base, EVENTS=0)


@pytest.fixture(scope="module")
def short(program, card, tmp_path_factory):
    """Cross sections of a short run of Sherpa without the plug-in."""
    return cross_sections(run_sherpa(program, card, {"EVENTS": 0, "PSI": FROZEN}, tmp_path_factory.mktemp("short")))


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_auto_falls_back_to_sherpas_own_mapping(program, card, integrand, optimised, short, tmp_path, fault, words):
    """Sherpa says so and does what it does without the plug-in, to the last digit.

    Where the fingerprint tells, Sherpa's optimised map has been restored already and stays.
    """
    path = tmp_path / "flow.mcb"
    base = with_fault(fault, path, random_flow(integrand), integrand.description, optimised.results)
    text = with_sampler(program, card, tmp_path / "run", path, base, EVENTS=0, BINNIS={"SAMPLER": "auto"})
    assert re.search(words, text)
    assert "Sherpa's own mapping is used" in text
    found = cross_sections(text)
    if fault not in ("map", "integrand"):
        assert found == short
        return
    own = cross_sections(optimised.text)[NAME]
    assert abs(found[NAME].value - own.value) < 4.0 * np.hypot(found[NAME].error, own.error)


def test_results_of_another_sampler_are_not_continued(program, card, integrand, optimised, tmp_path):
    path = write(tmp_path / "flow.mcb", random_flow(integrand), integrand.description)
    text = with_sampler(program, card, tmp_path / "run", path, optimised.results, EVENTS=0)
    settings = {"SAMPLER": "flow", "FILE": str(path), "BASE": str(optimised.results)}
    run_sherpa(program, card, {**PLUGIN, "PSI": FROZEN, "BINNIS": settings, "EVENTS": 1000}, tmp_path / "run")
    record, found = scan_events(tmp_path / "run" / "events.lhe"), cross_sections(text)[NAME]
    assert abs(record.cross_section - found.value) < 4.0 * record.error  # the same sampler may go on
    other = write(tmp_path / "other.mcb", random_flow(integrand, size=0.1), integrand.description)
    settings = {"SAMPLER": "flow", "FILE": str(other), "BASE": str(optimised.results)}
    with pytest.raises(UserError, match="another sampler"):
        run_sherpa(program, card, {**PLUGIN, "PSI": FROZEN, "BINNIS": settings}, tmp_path / "run")
    again = {**settings, "FILE": str(path)}
    with pytest.raises(UserError, match="own mapping"):
        run_sherpa(program, card, {**PLUGIN, "PSI": FROZEN, "BINNIS": again}, optimised.folder)


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"SAMPLR": "flow"}, "did you mean 'SAMPLER'"),
        ({"SAMPLER": "flows"}, "must be auto, flow or vegas"),
        ({"SAMPLER": "flow"}, "needs FILE"),
        ({"FILE": "a.mcb"}, "needs BASE"),
        ({"BATCH": 0}, "BATCH is 0"),
    ],
)
def test_wrong_settings_are_told_by_sherpa(program, card, tmp_path, block, words):
    with pytest.raises(UserError, match=words):
        run_sherpa(program, card, {**PLUGIN, "BINNIS": block}, tmp_path)


def test_the_block_of_the_users_card_is_for_the_user(program, card, integrand, optimised, tmp_path):
    """What it asks for does not reach the servers and runs that training needs."""
    path = tmp_path / "Sherpa.yaml"
    path.write_text(card.read_text() + "BINNIS: {SAMPLER: flow, FILE: nothing.mcb, RECORD: points}\n")
    u = np.random.default_rng(7).random((10, integrand.dim))
    with SherpaIntegrand(path, optimised.results, program) as found:
        np.testing.assert_array_equal(found(u).weight, integrand(u).weight)


def test_two_processes_give_the_same_weights(program, card, integrand, optimised):
    u = np.random.default_rng(6).random((1001, integrand.dim))
    with SherpaIntegrand(card, optimised.results, program, workers=2) as found:
        np.testing.assert_array_equal(found(u).weight, integrand(u).weight)
        assert len(found(u[:1]).weight) == 1
        assert found.cpu_seconds > 0.0


def test_a_process_that_dies_is_an_error_in_one_sentence(program, card, optimised):
    with SherpaIntegrand(card, optimised.results, program) as found:
        found._servers[0]._process.kill()
        with pytest.raises(AmplitudeError, match="Sherpa ended with an error"):
            found(np.full((10, found.dim), 0.5))


def test_a_wrong_card_is_told_in_sherpas_words(program, card):
    with pytest.raises(AmplitudeError, match="Sherpa ended with an error"):
        SherpaIntegrand(card, None, program, {"ME_GENERATORS": ["Nobody"]})
