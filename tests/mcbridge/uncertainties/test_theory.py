"""sigma_th: scale and PDF weights against integrations with these scales and sets."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.integration import fresh_weights, integrate
from mcbridge.lhe import RunInfo, read, write
from mcbridge.pdfs import load_pdf
from mcbridge.pdfs.grid import GridPdf
from mcbridge.processes.drell_yan import DrellYan
from mcbridge.random import Streams
from mcbridge.samplers import survey
from mcbridge.uncertainties.theory import SCALES, TheoryWeights, pdf_uncertainty, scale_uncertainty
from mcbridge.unweighting import largest_weights, policy_named, unweight

SCALE = 91.188
ENERGIES = (6500.0, 6500.0)
POLICY = policy_named("quantile", quantile=1e-3)


@pytest.fixture(scope="module")
def sample():
    """20,000 events at a fixed scale, and the sampler that drew them."""
    process = DrellYan(scale=SCALE)
    sampler = survey(process, 40_000, Streams(1)).sampler
    trials = fresh_weights(process, sampler, 20_000, Streams(1), purpose="largest weight")
    w_max = largest_weights([trials.event_weights], POLICY, np.random.default_rng(1))
    return sampler, list(unweight(process, sampler, w_max, 20_000, Streams(2)))


def test_the_cross_section_at_other_scales_is_that_of_an_integration_there(sample):
    sampler, chunks = sample
    weights = TheoryWeights(load_pdf(), ENERGIES)
    ratios = np.concatenate([weights.scale_ratios(chunk.batch) for chunk in chunks])
    central = integrate(DrellYan(scale=SCALE), sampler, 40_000, 5, Streams(3))
    for factor in (0.5, 2.0):
        other = integrate(DrellYan(scale=factor * SCALE), sampler, 40_000, 5, Streams(3))
        column = ratios[:, SCALES.index((1.0, factor))]
        error = np.hypot(column.std() / np.sqrt(len(column)), np.hypot(other.error, central.error) / central.mean)
        assert column.mean() == pytest.approx(other.mean / central.mean, abs=4 * error)
        assert abs(column.mean() - 1.0) > 0.01  # there is something to see
    assert np.all(ratios[:, 0] == 1.0)
    # without alpha_s in the amplitude the renormalisation scale does nothing
    assert np.array_equal(ratios[:, SCALES.index((2.0, 2.0))], ratios[:, SCALES.index((1.0, 2.0))])


def test_alpha_s_enters_with_its_power(sample):
    _, chunks = sample
    pdf = load_pdf()
    batch = chunks[0].batch
    found = TheoryWeights(pdf, ENERGIES, power=2).scale_ratios(batch)
    running = (pdf.alpha_s(2 * batch.scale) / pdf.alpha_s(batch.scale)) ** 2
    assert found[:, SCALES.index((2.0, 1.0))] == pytest.approx(running)


def members(folder, factors, kind):
    """A PDF set whose members are the built-in one times a factor."""
    source = load_pdf().folder
    name = "Scaled"
    (folder / name).mkdir()
    shutil.copy(source / f"{source.name}.info", folder / name / f"{name}.info")
    header, *blocks = (source / f"{source.name}_0000.dat").read_text().split("---")
    number = re.compile(r"[-+0-9.eE]+")
    for member, factor in enumerate(factors):
        scaled = []
        for block in blocks[:-1]:
            lines = block.strip("\n").split("\n")
            rows = [number.sub(lambda m, f=factor: f"{f * float(m.group()):.9e}", line) for line in lines[3:]]
            scaled.append("\n" + "\n".join([*lines[:3], *rows]) + "\n")
        (folder / name / f"{name}_{member:04d}.dat").write_text("---".join([header, *scaled, "\n"]))
    return [GridPdf(folder / name, member) for member in range(len(factors))], kind


def test_members_of_a_set_give_their_weights_and_the_uncertainty_of_their_kind(sample, tmp_path):
    _, chunks = sample
    sets, kind = members(tmp_path, (1.0, 1.1, 0.9), "hessian")
    weights = TheoryWeights(sets[0], ENERGIES, members=sets, kind=kind)
    events = list(weights.apply(chunks))
    found = np.concatenate([chunk.ratios["pdf_members"] for chunk in events])
    assert found == pytest.approx(np.tile([1.0, 1.21, 0.81], (len(found), 1)), rel=1e-4)
    scales = np.concatenate([chunk.ratios["scales"] for chunk in events])
    sigma = np.concatenate([chunk.attributes["sigma_th"] for chunk in events])
    assert sigma == pytest.approx(np.hypot(scale_uncertainty(scales), 0.2), rel=1e-3)
    assert weights.as_json()["pdf"] == pytest.approx(0.2, rel=1e-3)
    assert weights.as_json()["scale_envelope"] == pytest.approx(
        0.5 * np.ptp(np.average(scales, axis=0, weights=np.concatenate([chunk.weight for chunk in events]))), rel=1e-6
    )
    info = RunInfo(1.0, 0.1, (2212, 2212), ENERGIES, weight_groups=weights.groups, attributes=("sigma_th",))
    write(tmp_path / "e.lhe", events, info)
    file = read(tmp_path / "e.lhe")
    assert list(file.weight_ids) == ["scales", "pdf_members"]
    loaded = file.load()
    assert loaded.weights["pdf_001"] == pytest.approx(1.21 * loaded.weight, rel=1e-4)
    assert loaded.weights["mur_1_muf_2"] == pytest.approx(scales[:, 3] * loaded.weight, rel=1e-5)


def test_the_prescriptions_of_pdf_sets():
    ratios = np.array([[1.0, 1.1, 0.9, 1.02, 0.96]])
    assert pdf_uncertainty(ratios, "replicas") == pytest.approx(np.std([1.1, 0.9, 1.02, 0.96], ddof=1))
    assert pdf_uncertainty(ratios, "hessian") == pytest.approx(0.5 * np.hypot(0.2, 0.06))
    assert pdf_uncertainty(ratios, "symmhessian") == pytest.approx(np.sqrt(0.01 + 0.01 + 0.0004 + 0.0016))
    with pytest.raises(UserError, match="must be pairs"):
        pdf_uncertainty(ratios[:, :4], "hessian")
    with pytest.raises(UserError, match="error type of the PDF set is 'unknown'"):
        TheoryWeights(load_pdf(), ENERGIES, members=[load_pdf()], kind="unknown")


def test_the_weights_of_a_process_follow_from_what_it_says_of_itself(tmp_path):
    process = DrellYan()
    found = TheoryWeights.of_process(process)
    assert (found.power, found.energies, list(found.members)) == (0, (6500.0, 6500.0), [])
    sets, _ = members(tmp_path, (1.0, 1.1, 0.9), "hessian")
    info = tmp_path / "Scaled" / "Scaled.info"
    text = (
        info.read_text().replace("NumMembers: 1", "NumMembers: 3").replace("ErrorType: unknown", "ErrorType: hessian")
    )
    info.write_text(text)
    process.pdf = GridPdf(tmp_path / "Scaled")
    with_members = TheoryWeights.of_process(process)
    assert [member.member for member in with_members.members] == [0, 1, 2]
    assert [group.combine for group in with_members.groups] == ["envelope", "hessian"]
    assert not TheoryWeights.of_process(process, members=False).members
    del process.pdf
    assert TheoryWeights.of_process(process) is None
    assert len(sets) == 3
