"""`binnis annotate`: nothing of the file is lost, and what is added is the uncertainty of the density of its events."""

from __future__ import annotations

import gzip
import json
import os
import re
from pathlib import Path

import numpy as np
import pylhe
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.lhe import read
from plugin.annotate import LearnConfig, Systematic, annotate
from tests.plugin.annotate.event_files import madgraph, muons, sherpa

QUICK = LearnConfig(replicas=8, steps=400, bayesian_steps=400)
INSTANT = LearnConfig(replicas=2, steps=1, bayesian_steps=1)
ADDED = re.compile(
    rb" sigma_(?:stat|syst|th)=\"[^\"]*\"|<wgt id='binn_\d+'>[^\n]*</wgt>\r?\n|<binn>\r?\n.*?</binn>\r?\n"
    rb"|<weightgroup name='binn'.*?</weightgroup>\r?\n",
    re.DOTALL,
)
MADE = re.compile(rb"<initrwgt>\r?\n</initrwgt>\r?\n|<rwgt>\r?\n</rwgt>\r?\n|<header>\r?\n</header>\r?\n")


def write(path, text):
    data = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def content(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def without_additions(data):
    """The bytes of the source, from those of the annotated file."""
    stripped = ADDED.sub(b"", data)
    for _ in range(2):  # an <initrwgt> may leave an empty header behind
        stripped = MADE.sub(b"", stripped)
    return stripped


def header(path):
    block = re.search(rb"<binn>(.*?)</binn>", content(path), re.DOTALL)
    return json.loads(block[1].decode().replace("&gt;", ">").replace("&lt;", "<").replace("&amp;", "&"))


@pytest.fixture(scope="module")
def drell_yan(tmp_path_factory):
    folder = tmp_path_factory.mktemp("annotated")
    source = write(folder / "events.lhe.gz", madgraph(6000))
    result = annotate(source, folder / "out.lhe.gz", QUICK)
    return source, result


def test_every_byte_of_a_madgraph_file_stays_and_every_event_gets_its_numbers(drell_yan):
    source, result = drell_yan
    assert without_additions(content(result.path)) == content(source)
    events = list(pylhe.LHEFile.fromfile(str(result.path)).events)
    assert len(events) == 6000 == result.events
    for event in events[::100]:
        assert list(event.weights) == ["1", "2", *(f"binn_{m:03d}" for m in range(1, 9))]
        ratios = np.array([event.weights[f"binn_{m:03d}"] for m in range(1, 9)]) / event.eventinfo.weight
        assert ratios.mean() == pytest.approx(1.0, abs=1e-5)
        assert float(event.attributes["sigma_stat"]) == pytest.approx(ratios.std(ddof=1), rel=1e-3)
        assert float(event.attributes["sigma_th"]) == pytest.approx(0.1, rel=1e-4)  # half of 1.1 - 0.9
    file = read(result.path)
    assert file.weight_ids["binn"] == tuple(f"binn_{m:03d}" for m in range(1, 9))
    assert file.weight_ids["Central scale variation"] == ("1", "2")


def test_the_header_says_what_was_done_and_that_nothing_was_calibrated(drell_yan):
    found = header(drell_yan[1].path)
    assert found["mode"] == "annotate"
    assert found["replicas"] == 8
    assert found["calibration"].startswith("none")
    (group,) = found["groups"]
    assert group["final_state"] == "e+ e-"
    assert group["events"] == 6000
    assert group["effective_training_events"] == pytest.approx(4800, rel=0.01)
    assert group["coordinates"] == ["cos theta 1 in (12)", "y (12)", "m (12)"]
    assert set(group["held_out"]["raw"]) == {"68", "95"}
    assert found["theory"]["scale_envelope"] == pytest.approx(0.1, rel=1e-4)


def test_replicas_are_normalised_on_the_events(drell_yan):
    """<p_m/p> = 1 for each replica, within the statistical error, since the events follow p."""
    found = read(drell_yan[1].path).load()
    for m in range(1, 9):
        ratio = found.weights[f"binn_{m:03d}"] / found.weight
        # what the flow has not learned of the true density is as large as the spread of the replicas
        error = np.std(ratio) / np.sqrt(len(ratio)) + 0.1 * np.std(ratio)
        assert abs(ratio.mean() - 1.0) < 4.0 * error, (m, ratio.mean(), error)
        assert 0.005 < np.std(ratio) < 1.0


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    source = write(tmp_path / "e.lhe", madgraph(1200))
    first, again = (annotate(source, tmp_path / name, INSTANT).path for name in ("a.lhe", "b.lhe"))
    assert content(first) == content(again)
    other = annotate(source, tmp_path / "c.lhe", INSTANT, seed=2).path
    assert content(first) != content(other)


def test_a_sherpa_file_of_two_multiplicities_gets_a_flow_for_each(tmp_path):
    source = write(tmp_path / "e.lhe", sherpa(4000))
    result = annotate(source, tmp_path / "out.lhe", INSTANT, min_events=500)
    assert [group.state.name for group in result.groups] == ["e+ e- g", "e+ e-"] or [
        group.state.name for group in result.groups
    ] == ["e+ e-", "e+ e- g"]
    assert all(group.density is not None for group in result.groups)
    assert without_additions(content(result.path)) == content(source)
    text = content(result.path).decode()
    assert text.count("sigma_stat=") == 4000
    assert "sigma_th=" not in text  # the file has no weights of other scales
    assert text.count("<initrwgt>") == 1
    for event in pylhe.LHEFile.fromfile(str(result.path)).events:
        assert list(event.weights) == ["binn_001", "binn_002"]
        assert "trials" in event.attributes


def test_a_group_with_too_few_events_gets_nothing_and_the_header_says_so(tmp_path):
    source = write(tmp_path / "e.lhe", sherpa(1500, jets=0.1))
    result = annotate(source, tmp_path / "out.lhe", INSTANT)
    few = next(group for group in header(result.path)["groups"] if group["final_state"] == "e+ e- g")
    assert few["uncertainties"] == "none"
    assert "fewer than 1000 (--min-events)" in few["reason"]
    assert few["events"] == sum(event.count(b"\n       21  1") for event in content(source).split(b"<event"))
    for event in re.findall(rb"<event.*?</event>", content(result.path), re.DOTALL):
        assert (b"binn_001" in event) == (b"sigma_stat" in event) == (b"\n       21  1" not in event)
    assert without_additions(content(result.path)) == content(source)


def test_a_file_without_any_header_and_with_other_line_ends(tmp_path):
    source = write(tmp_path / "e.lhe.gz", muons(1500))
    result = annotate(source, tmp_path / "out.lhe.gz", INSTANT)
    data = content(result.path)
    assert without_additions(data) == content(source)
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert header(result.path)["groups"][0]["coordinates"] == ["cos theta 1 in (12)"]
    assert len(list(pylhe.LHEFile.fromfile(str(result.path)).events)) == 1500


def densities(result, cos):
    """Mean and spread of the density of cos(theta) over the replicas of the only group."""
    group = result.groups[0].density
    momenta = np.zeros((len(cos), 2, 4))
    momenta[..., 0] = 120.0
    momenta[:, 0, 1], momenta[:, 0, 3] = 120.0 * np.sqrt(1 - cos**2), 120.0 * cos
    momenta[:, 1, 1:] = -momenta[:, 0, 1:]
    density, outside = group(momenta, np.zeros((len(cos), 2)))
    assert outside == 0
    volume = (group.chart.high - group.chart.low)[0]
    return density.mean / volume, density.replicas.std(axis=0, ddof=1) / volume


@pytest.mark.parametrize("weighted", [False, True])
def test_the_known_density_lies_within_the_band(tmp_path, weighted):
    """1 + cos^2, from unweighted events, and from events that are flat but for their weights."""

    def flat(cos):
        return 1.0 / (1.0 + cos**2) * (1.0 + 0.5 * cos)

    source = write(tmp_path / "e.lhe", muons(8000, weight=flat if weighted else None))
    result = annotate(source, tmp_path / "out.lhe", LearnConfig(replicas=32, steps=600, bayesian_steps=800))
    cos = np.linspace(-0.9, 0.9, 19)
    mean, sigma = densities(result, cos)
    # slot 0 is the mu+, which flies against the mu-
    truth = 0.5 * (1.0 - 0.5 * cos) if weighted else 0.375 * (1.0 + cos**2)
    pull = (mean - truth) / sigma
    assert np.sqrt(np.mean(pull**2)) < 2.0, pull
    assert np.median(sigma / truth) < 0.1
    # (3/4)^2 over 3/8 (1/2 + 3 pi/8)
    assert result.groups[0].effective == pytest.approx(8000 if not weighted else 7150, rel=0.01)


def signed(share):
    generator = np.random.default_rng(8)
    return lambda cos: np.where(generator.random(len(cos)) < share, -1.0, 1.0)


def test_negative_weights_are_refused_left_out_or_taken_as_absolute_on_demand(tmp_path):
    many = write(tmp_path / "many.lhe", muons(1500, weight=signed(0.1)))
    with pytest.raises(UserError, match=r"of 1500 event weights .* are negative, .* --absolute"):
        annotate(many, tmp_path / "out.lhe", INSTANT)
    assert not (tmp_path / "out.lhe").exists()
    result = annotate(many, tmp_path / "out.lhe", INSTANT, absolute=True)
    assert header(result.path)["learned"] == "density of the absolute weights"
    found = read(result.path).load()
    ratio = found.weights["binn_001"] / found.weight
    assert np.all(ratio > 0.0)  # the sign stays that of the event
    few = write(tmp_path / "few.lhe", muons(4000, weight=lambda cos: np.where(np.arange(4000) == 7, -1.0, 1.0)))
    (group,) = annotate(few, tmp_path / "few_out.lhe", INSTANT).groups
    assert group.negative == 1
    assert group.density is not None


def test_nothing_is_annotated_twice(tmp_path):
    source = write(tmp_path / "e.lhe", muons(1200))
    first = annotate(source, tmp_path / "a.lhe", INSTANT).path
    with pytest.raises(UserError, match=r"declares weights binn_"):
        annotate(first, tmp_path / "b.lhe", INSTANT)
    plain = annotate(source, tmp_path / "c.lhe", INSTANT, weights=False).path
    assert b"<rwgt>" not in content(plain)
    assert content(plain).count(b"sigma_stat=") == 1200
    with pytest.raises(UserError, match=r"event 1 of .* carries uncertainties already"):
        annotate(plain, tmp_path / "d.lhe", INSTANT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lhe", "c.lhe", "e.lhe"]


def test_sigma_th_alone_is_worth_a_file_and_an_own_one_is_kept(tmp_path):
    source = write(tmp_path / "few.lhe", madgraph(50))
    result = annotate(source, tmp_path / "out.lhe", INSTANT)
    data = content(result.path)
    assert data.count(b'sigma_th="0.1"') == 50
    assert b"binn_001" not in data
    assert without_additions(data) == content(source)
    with pytest.raises(UserError, match=r"no event of .* can be given uncertainties: mu"):
        annotate(write(tmp_path / "mu.lhe", muons(50)), tmp_path / "mu_out.lhe", INSTANT)
    own = write(tmp_path / "own.lhe", content(source).replace(b"<event>", b"<event sigma_th='7'>"))
    with pytest.raises(UserError, match="can be given uncertainties"):
        annotate(own, tmp_path / "own_out.lhe", INSTANT)


def test_a_nuisance_parameter_gives_sigma_syst(tmp_path):
    """Factors 1 + a cos, whose mean is 1: half the envelope over a from -0.9 to 0.9 is 0.9 |cos|."""

    def tilt(momenta, flavours, a):
        assert flavours == (-13, 13)
        return 1.0 + a * momenta[:, 0, 3] / momenta[:, 0, 0]

    source = write(tmp_path / "e.lhe", muons(10_000))
    systematic = Systematic(tilt, (-0.9, 0.9), 0.0, "tilt")
    result = annotate(source, tmp_path / "out.lhe", INSTANT, systematic=systematic)
    assert without_additions(content(result.path)) == content(source)
    found = read(result.path).load()
    cos = found.momenta[:, 3, 3] / 120.0
    assert found.attributes["sigma_syst"] == pytest.approx(0.9 * np.abs(cos), abs=0.04)
    assert header(result.path)["systematic"]["span"] == [-0.9, 0.9]
    with pytest.raises(UserError, match="must lie in the span"):
        Systematic(tilt, (1.0, 2.0), 0.0)
    broken = Systematic(lambda momenta, flavours, a: momenta[:, 9], (-0.5, 0.5), 0.0, "my.py:f")
    with pytest.raises(UserError, match=r"--syst: my\.py:f failed for mu"):
        annotate(source, tmp_path / "b.lhe", INSTANT, systematic=broken)


def test_the_sample_that_is_learned_from_is_bounded(tmp_path):
    source = write(tmp_path / "e.lhe", muons(3000))
    result = annotate(source, tmp_path / "out.lhe", INSTANT, training_events=1000, min_events=500)
    (group,) = header(result.path)["groups"]
    assert group["effective_training_events"] == 800
    assert group["effective_events"] == 3000
    assert content(result.path).count(b"sigma_stat=") == 3000


def test_declared_weights_that_no_event_has_are_told(tmp_path):
    text = re.sub(r"<rwgt>.*?</rwgt>\n", "", madgraph(1200), flags=re.DOTALL)
    result = annotate(write(tmp_path / "e.lhe", text), tmp_path / "out.lhe", INSTANT)
    assert "no event has all" in header(result.path)["theory"]["notes"][0]
    assert b"sigma_th" not in content(result.path).split(b"</header>")[1]


@pytest.mark.slow
@pytest.mark.skipif("BINNIS_LHE_FILES" not in os.environ, reason="BINNIS_LHE_FILES names no files of real generators")
def test_files_of_real_generators_come_back_intact(tmp_path):
    """Files of MadGraph, Sherpa, ..., separated as on PATH."""
    for number, name in enumerate(os.environ["BINNIS_LHE_FILES"].split(os.pathsep)):
        source = Path(name)
        result = annotate(source, tmp_path / f"{number}.lhe.gz", INSTANT, jets=True, min_events=100)
        assert without_additions(content(result.path)) == content(source)
        assert any(group.density is not None for group in result.groups)
        events = list(pylhe.LHEFile.fromfile(str(result.path)).events)
        assert len(events) == result.events
        assert any("binn_002" in event.weights for event in events)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_events": 5}, "--min-events is 5"),
        ({"training_events": 5}, "--training-events is 5"),
        ({"seed": -1}, "--seed is -1"),
        ({"pdf_errors": "montecarlo"}, "error type of the PDF set is 'montecarlo'"),
    ],
)
def test_impossible_settings_are_told(tmp_path, options, words):
    source = write(tmp_path / "e.lhe", muons(200))
    with pytest.raises(UserError, match=words):
        annotate(source, tmp_path / "out.lhe", INSTANT, **options)
    with pytest.raises(UserError, match="--replicas is 1"):
        LearnConfig(replicas=1)
    with pytest.raises(UserError, match="exists already"):
        annotate(source, source, INSTANT)
    with pytest.raises(UserError, match="does not exist"):
        annotate(source, tmp_path / "none" / "out.lhe", INSTANT)
    with pytest.raises(UserError, match="cannot be read"):
        annotate(tmp_path / "absent.lhe", tmp_path / "out.lhe", INSTANT)


SMALL = madgraph(150).encode()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    edits=st.lists(
        st.tuples(
            st.integers(0, len(SMALL)),
            st.integers(0, 30),
            st.one_of(
                st.binary(max_size=8),
                st.sampled_from(
                    [b"<event>", b"</event>", b"</rwgt>", b"<!--", b"nan", b"1e999", b"-1", b"\n", b"</init>"]
                ),
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    cut=st.integers(0, len(SMALL)) | st.just(len(SMALL)),
)
def test_a_mutilated_file_gives_a_sentence_or_a_whole_file(tmp_path_factory, edits, cut):
    data = SMALL[:cut]
    for place, length, text in edits:
        data = data[:place] + text + data[place + length :]
    folder = tmp_path_factory.mktemp("fuzz")
    source = write(folder / "e.lhe", data)
    try:
        result = annotate(source, folder / "out.lhe", INSTANT, min_events=100)
    except UserError:
        assert sorted(path.name for path in folder.iterdir()) == ["e.lhe"]
    else:
        assert len(content(result.path)) > len(data)
        assert content(result.path).endswith(data[data.rindex(b"</event>") + 8 :])
