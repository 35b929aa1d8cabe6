"""Event files of any origin: read, compared, and told apart."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from mcbridge.errors import UserError
from plugin.report.render import html
from plugin.validate.document import document
from plugin.validate.event_files import read_events
from plugin.validate.files import compare_files
from plugin.validate.generators import find_target, validate_generator_run
from plugin.validate.observables import independent, kinematics

HEAD = """<LesHouchesEvents version="3.0">
<init>
-11 11 5.0e+01 5.0e+01 0 0 0 0 -4 1
{cross_section} {error} 1.0 1
</init>
"""


def event(weight, final):
    """e- e+ into massless particles (PDG id, momentum)."""
    lines = [
        f"{2 + len(final)} 1 {weight:.10e} 100.0 0.0078 0.118",
        "-11 -1 0 0 0 0 0.0 0.0 50.0 50.0 0.0 0. 9.",
        "11 -1 0 0 0 0 0.0 0.0 -50.0 50.0 0.0 0. 9.",
    ]
    for pid, (x, y, z) in final:
        energy = np.sqrt(x * x + y * y + z * z)
        lines.append(f"{pid} 1 1 2 0 0 {x:.10e} {y:.10e} {z:.10e} {energy:.10e} 0.0 0. 9.")
    return "<event>\n" + "\n".join(lines) + "\n</event>\n"


def muons(path, n, seed, weights=None, shape=0.0, cross_section=(5.0, 0.01), jets=0):
    """Muon pairs with the density 1 + shape cos theta; the first ``jets`` of them are quark pairs of some flavour."""
    generator = np.random.default_rng(seed)
    cosine = generator.uniform(-1, 1, 4 * n)
    cosine = cosine[generator.random(4 * n) < (1 + shape * cosine) / 2][:n]
    phi = generator.uniform(-np.pi, np.pi, n)
    directions = np.stack([np.sqrt(1 - cosine**2) * np.cos(phi), np.sqrt(1 - cosine**2) * np.sin(phi), cosine], axis=1)
    weights = np.full(n, cross_section[0]) if weights is None else weights(cosine)
    parts = [HEAD.format(cross_section=cross_section[0], error=cross_section[1])]
    for index, (direction, weight) in enumerate(zip(50.0 * directions, weights, strict=True)):
        flavour = 13 if index >= jets else 1 + index % 4
        parts.append(event(weight, [(flavour, direction), (-flavour, -direction)]))
    text = "".join(parts) + "</LesHouchesEvents>\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def test_files_of_one_distribution_agree_weighted_or_not_plain_or_gzip(tmp_path):
    flat = muons(tmp_path / "a.lhe", 4000, 1)

    def corrected(cosine):  # of either sign: two in ten events have the weight -w
        sign = np.where(np.arange(len(cosine)) % 10 < 2, -1.0, 1.0)
        return 5.0 * sign / (1 + 0.8 * cosine) / 0.6

    weighted = muons(tmp_path / "b.lhe.gz", 6000, 2, corrected, 0.8)
    agreement, samples = compare_files(flat, weighted, classifier=False)
    assert agreement.verdict.agree, agreement.verdict.failures
    assert [sample.events for sample in samples] == [4000, 6000]
    names = {found.name for found in agreement.comparisons if found.p_chi2 is not None}
    assert any(name.startswith("eta(mu") for name in names)
    assert "m(mu+ mu-) [GeV]" not in names  # it is fixed


def test_files_of_two_distributions_are_told_apart_and_the_observable_is_named(tmp_path):
    agreement, _ = compare_files(muons(tmp_path / "a.lhe", 5000, 1), muons(tmp_path / "b.lhe", 5000, 2, shape=0.3))
    assert not agreement.verdict.agree
    assert any("eta(mu" in name or "cos theta*" in name for name in agreement.verdict.disagreeing)
    other, _ = compare_files(
        tmp_path / "a.lhe", muons(tmp_path / "c.lhe", 5000, 3, cross_section=(5.1, 0.01)), classifier=False
    )
    assert other.verdict.disagreeing == ["cross section"]


def test_the_cross_section_is_read_from_any_init_block(tmp_path):
    path = muons(tmp_path / "a.lhe", 300, 1)
    text = path.read_text()
    path.write_text(
        text.replace("<init>", "<header>\na < b & c\n</header>\n<init>")
        .replace(" -4 1\n", " -4 2 # two\n")
        .replace("5.0 0.01 1.0 1\n", "3.0D0 3.0D-2 1.0 1\n1.0 0.04 1.0 2\n<generator name='x'>1 2</generator>\n")
    )
    found = read_events(path)
    assert (found.cross_section, found.error) == pytest.approx((4.0, 0.05))
    assert found.events == 300
    path.write_text(text.replace(" -4 1\n", " -4 7\n"))
    with pytest.raises(UserError, match="<init> block cannot be read"):
        read_events(path)


def test_the_cross_section_of_a_file_with_a_placeholder_comes_from_its_trials(tmp_path):
    """Sherpa's files: 1 +- 1 in <init>, and the number of trials with every event."""
    path = muons(tmp_path / "a.lhe", 1000, 1, cross_section=(1.0, 1.0))
    assert not np.isfinite(read_events(path).cross_section)
    agreement, _ = compare_files(path, muons(tmp_path / "b.lhe", 1000, 2), classifier=False)
    assert "cross section" not in [test.subject for test in agreement.verdict.tests]
    path.write_text(path.read_text().replace("<event>", "<event trials='4' muf2='1.0'>"))
    found = read_events(path)
    assert found.cross_section == pytest.approx(0.25)
    assert found.error == pytest.approx(np.sqrt(1000 * (1 - 0.25)) / 4000)


def test_several_final_states_are_compared_in_their_shares_and_one_by_one(tmp_path):
    first = muons(tmp_path / "a.lhe", 4000, 1, jets=1000)
    same = muons(tmp_path / "b.lhe", 4000, 2, jets=1010)
    more = muons(tmp_path / "c.lhe", 4000, 3, jets=1400)
    agreement, _ = compare_files(first, same, classifier=False)
    assert agreement.verdict.agree, agreement.verdict.failures
    assert {"eta(j1) in j j", "eta(mu+) in mu+ mu-"} <= {found.name for found in agreement.comparisons}
    assert compare_files(first, more, classifier=False)[0].verdict.disagreeing == ["final state"]


def test_what_cannot_be_compared_is_refused_in_a_sentence(tmp_path):
    first = muons(tmp_path / "a.lhe", 1000, 1)
    with pytest.raises(UserError, match="100 events; a comparison needs at least 200"):
        compare_files(first, muons(tmp_path / "b.lhe", 100, 1))
    with pytest.raises(UserError, match="no final state in common"):
        compare_files(first, muons(tmp_path / "c.lhe", 1000, 1, jets=1000))
    with pytest.raises(UserError, match="does not exist"):
        find_target(tmp_path / "absent")
    with pytest.raises(UserError, match="no run folder"):
        find_target(tmp_path / "..")


def sherpa_run(folder, own=(5.0, 0.02), flow=(5.01, 0.005), sampler="flow"):
    folder.mkdir()
    process = {"name": "2_2__e-__e+__mu-__mu+"}
    content = {"sampler": sampler, "matrix_element_calls": {}, "processes": [process, {**process, "name": "other"}]}
    for entry in (content, *content["processes"]):
        entry["own_cross_section_pb"], entry["own_cross_section_error_pb"] = own
        entry["cross_section_pb"], entry["cross_section_error_pb"] = flow
    content["cross_section_of_the_events_pb"], content["cross_section_of_the_events_error_pb"] = flow[0], 0.01
    (folder / "summary.json").write_text(json.dumps(content))
    return folder


def test_a_run_with_sherpa_is_compared_with_sherpas_own_mapping(tmp_path):
    good = validate_generator_run(find_target(sherpa_run(tmp_path / "good")), None, "binnis validate")
    assert good.agree
    assert len(good.agreement.verdict.tests) == 4
    page = html(document(good))
    assert "Cross sections" in page
    assert "Weights" not in page  # no events were compared
    bad = validate_generator_run(find_target(sherpa_run(tmp_path / "bad", (5.0, 0.005), (5.05, 0.005))), None, "")
    assert not bad.agree
    assert "cross section of other" in bad.agreement.verdict.disagreeing
    muons(tmp_path / "good" / "events.lhe.gz", 1000, 1)
    reference = muons(tmp_path / "reference.lhe", 1000, 2)
    both = validate_generator_run(find_target(tmp_path / "good"), reference, "")
    assert both.agree
    assert len(both.agreement.verdict.tests) > 8


def test_a_run_of_madgraph_needs_a_reference(tmp_path):
    run = tmp_path / "DIR" / "Events" / "run_02"
    run.mkdir(parents=True)
    (tmp_path / "DIR" / "binnis").mkdir()
    (tmp_path / "DIR" / "binnis" / "summary.json").write_text(json.dumps({"run": "run_02"}))
    muons(run / "unweighted_events.lhe.gz", 1000, 1)
    target = find_target(tmp_path / "DIR")
    assert (target.kind, target.path) == ("madgraph", run)
    with pytest.raises(UserError, match="--reference"):
        validate_generator_run(target, None, "")
    assert validate_generator_run(target, muons(tmp_path / "a.lhe", 1000, 2), "").agree


def test_observables_that_repeat_each_other_are_left_out():
    generator = np.random.default_rng(1)
    momenta = np.zeros((1000, 2, 4))
    momenta[:, 0, 1:] = generator.normal(size=(1000, 3))
    momenta[:, 1, 1:] = -momenta[:, 0, 1:]
    momenta[:, :, 0] = np.linalg.norm(momenta[:, :, 1:], axis=2)
    found = kinematics(momenta, ["a", "b"])
    kept = independent(found)
    assert "pT(a) [GeV]" in kept
    for name in ("pT(b) [GeV]", "HT [GeV]", "largest pT [GeV]", "m(a) [GeV]", "|Delta phi|(a b)"):
        assert name in found
        assert name not in kept
