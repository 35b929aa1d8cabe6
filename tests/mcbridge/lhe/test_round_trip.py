"""What is written is read back, by pylhe itself and as arrays."""

import json

import numpy as np
import pylhe
import pytest

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents
from mcbridge.lhe import RunInfo, WeightGroup, read, write
from mcbridge.random import Streams
from mcbridge.unweighting import unweight
from tests.mcbridge.unweighting.toys import Power, Wedge, lepton_pairs

CARD = 'process:\n  name: wedge  # a < b & c > d ]]> "quoted" --> <init>\n  mll: [66, 116]\n'


def info(**changes):
    given = {"cross_section": 5.0, "error": 0.01, "beams": (11, -11), "energies": (50.0, 50.0), "seed": 7}
    return RunInfo(**{**given, **changes})


def sample(n=600, seed=1, negative=0.0, w_max=20.0):
    return unweight(Wedge(negative=negative), Power(0.3), [w_max], n, Streams(seed))


def pairs(n, seed=0):
    generator = np.random.default_rng(seed)
    return lepton_pairs(generator.random((n, 2)), generator.integers(1, 3, n))


@pytest.mark.parametrize("name", ["events.lhe", "events.lhe.gz"])
def test_pylhe_reads_every_number_of_every_event(tmp_path, name):
    chunks = list(sample())
    write(tmp_path / name, chunks, info())
    momenta = np.concatenate([chunk.batch.momenta for chunk in chunks])
    file = pylhe.LHEFile.fromfile(str(tmp_path / name))
    events = list(file.events)
    assert file.version == "3.0"
    assert len(events) == 600
    assert file.init.initInfo.weightingStrategy == -4
    for event, expected in zip(events, momenta, strict=True):
        found = [[p.e, p.px, p.py, p.pz] for p in event.particles]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert [p.id for p in event.particles] == [-11, 11, 13, -13]
        assert [(p.status, p.mother1, p.mother2) for p in event.particles] == [(-1, 0, 0)] * 2 + [(1, 1, 2)] * 2
        assert event.eventinfo.aqcd == 0.118
        assert event.eventinfo.aqed == pytest.approx(1 / 132.507, rel=1e-10)
    assert pylhe.LHEFile.count_events(str(tmp_path / name)) == 600


def test_the_arrays_are_those_that_were_written(tmp_path):
    batch = pairs(500)
    batch.pdg_ids[:, 2:] = np.where(batch.process_id == 1, 13, 15)[:, None] * [1, -1]
    batch.pdg_ids[:, :2] = [2, -2]
    batch.colours[:, 0, 0] = batch.colours[:, 1, 1] = 501 + np.arange(500) % 3
    write(tmp_path / "e.lhe", [WeightedEvents(batch, np.ones(500))], info())
    found = read(tmp_path / "e.lhe", block=64).load()
    for name in ("pdg_ids", "colours", "process_id"):
        np.testing.assert_array_equal(getattr(found, name), getattr(batch, name))
    for name in ("momenta", "masses", "scale", "alpha_s", "alpha_qed"):
        np.testing.assert_allclose(getattr(found, name), getattr(batch, name), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("w_max", [35.0, 8.0], ids=["no overweights", "many overweights"])
def test_the_mean_weight_is_the_cross_section(tmp_path, w_max):
    written = write(tmp_path / "e.lhe", sample(w_max=w_max), info(cross_section=4.9))
    weights = read(tmp_path / "e.lhe").load().weight
    assert np.mean(weights) == pytest.approx(4.9, rel=1e-9) == written.mean_weight
    assert (np.max(weights) > np.min(weights) * 1.001) == (w_max == 8.0)


def test_the_mean_weight_of_signed_events_is_the_cross_section(tmp_path):
    write(tmp_path / "e.lhe", sample(negative=0.5), info(cross_section=3.75))
    weights = read(tmp_path / "e.lhe").load().weight
    assert np.any(weights < 0.0)
    assert np.mean(weights) == pytest.approx(3.75, rel=1e-9)


def test_with_the_absolute_integral_the_mean_is_the_cross_section_within_its_error(tmp_path):
    write(tmp_path / "e.lhe", sample(4000, negative=0.5), info(cross_section=3.75, absolute=5.0))
    weights = read(tmp_path / "e.lhe").load().weight
    assert np.mean(np.abs(weights)) == pytest.approx(5.0, rel=1e-9)
    assert abs(np.mean(weights) - 3.75) < 4.0 * np.std(weights) / np.sqrt(4000)


def test_the_density_survives_the_file(tmp_path):
    """<u_0> = 2/3 and <u_1> = 3/4 of the wedge, recovered from scale and polar angle of the events read back."""
    write(tmp_path / "e.lhe.gz", sample(8000, w_max=10.0), info())
    found = read(tmp_path / "e.lhe.gz").load()
    for values in (found.scale - 2 / 3, (found.momenta[:, 2, 3] / 50.0 + 1.0) / 2.0 - 3 / 4):
        assert abs(np.sum(found.weight * values)) < 4.0 * np.sqrt(np.sum((found.weight * values) ** 2))


def test_init_has_a_line_for_each_subprocess_and_they_add_up(tmp_path):
    write(
        tmp_path / "e.lhe",
        sample(4000),
        info(processes={1: "a", 2: "b", 9: "never"}, beams=(2212, 2212), pdf_ids=(247000, 247000)),
    )
    file = read(tmp_path / "e.lhe")
    lines = {line.procId: line for line in file.init.procInfo}
    assert sorted(lines) == [1, 2, 9]
    assert lines[9].xSection == 0.0
    assert file.cross_section == pytest.approx(5.0)
    assert file.error == pytest.approx(0.01)
    assert abs(lines[1].xSection / 5.0 - 0.25) < 4.0 * np.sqrt(0.25 * 0.75 / 4000)
    found = file.load()
    assert lines[2].unitWeight == pytest.approx(np.max(found.weight[found.process_id == 2]))
    first = file.init.initInfo
    assert (first.beamA, first.beamB, first.energyA, first.PDFsetA, first.numProcesses) == (2212, 2212, 50.0, 247000, 3)


def test_the_header_keeps_the_card_and_the_figures_whatever_they_contain(tmp_path):
    write(
        tmp_path / "e.lhe",
        sample(),
        info(card=CARD, figures={"efficiency": 0.25}, versions={"binnis": "0.1.0"}, blocks={"binn": "mode: exact"}),
    )
    file = read(tmp_path / "e.lhe")
    assert file.header["card"] == CARD.strip()
    assert file.header["binn"] == "mode: exact"
    assert file.figures["figures"] == {"efficiency": 0.25}
    assert file.figures["seed"] == 7
    assert file.figures["events"] == 600
    assert file.figures["cross_section_pb"] == 5.0
    text = (tmp_path / "e.lhe").read_text()
    # Readers that look for tags line by line must not meet one inside the card.
    assert text.count("<init>") == 1
    assert "]]&gt;" in text


def test_attributes_and_weight_groups_of_events_are_read_back(tmp_path):
    generator = np.random.default_rng(5)
    n = 300
    ratios = {"binn": generator.normal(1.0, 0.1, (n, 4)), "scale_variation": generator.normal(1.0, 0.2, (n, 2))}
    attributes = {"sigma_stat": generator.random(n), "sigma_th": np.full(n, 0.05)}
    groups = (
        WeightGroup("binn", tuple(f"binn_{m:03d}" for m in range(1, 5)), combine="replicas"),
        WeightGroup("scale_variation", ("MUF=0.5", "MUF=2.0"), ("muF/2", "2 muF"), "envelope"),
    )
    weight = np.where(np.arange(n) % 3 == 0, -1.0, 1.0)
    events = WeightedEvents(pairs(n), weight, attributes, ratios)
    write(tmp_path / "e.lhe.gz", [events], info(weight_groups=groups, attributes=("sigma_stat", "sigma_th")))
    file = read(tmp_path / "e.lhe.gz", block=100)
    assert file.weight_ids == {group.name: group.ids for group in groups}
    found = file.load()
    np.testing.assert_allclose(found.attributes["sigma_stat"], attributes["sigma_stat"], rtol=1e-5)
    for group in groups:
        for index, weight_id in enumerate(group.ids):
            expected = ratios[group.name][:, index]
            np.testing.assert_allclose(found.weights[weight_id] / found.weight, expected, rtol=1e-6)
    event = next(iter(pylhe.LHEFile.fromfile(str(tmp_path / "e.lhe.gz")).events))
    assert set(event.weights) == {"binn_001", "binn_002", "binn_003", "binn_004", "MUF=0.5", "MUF=2.0"}
    assert float(event.attributes["sigma_th"]) == 0.05


def test_events_of_different_multiplicity_share_a_file(tmp_path):
    four = pairs(20)
    two = lepton_pairs(np.full((5, 2), 0.25), np.ones(5, dtype=np.int64))
    single = type(two)(
        momenta=np.concatenate([two.momenta[:, :2], np.sum(two.momenta[:, :2], axis=1, keepdims=True)], axis=1),
        pdg_ids=np.tile([-11, 11, 23], (5, 1)),
        status=np.array([-1, -1, 1]),
        mothers=np.array([[0, 0], [0, 0], [1, 2]]),
        colours=np.zeros((5, 3, 2), dtype=np.int64),
        masses=np.tile([0.0, 0.0, 100.0], (5, 1)),
        scale=two.scale,
        alpha_s=two.alpha_s,
        alpha_qed=two.alpha_qed,
        process_id=two.process_id,
    )
    chunks = [WeightedEvents(four, np.ones(20)), WeightedEvents(single, np.ones(5)), WeightedEvents(four, np.ones(20))]
    write(tmp_path / "e.lhe", chunks, info())
    file = read(tmp_path / "e.lhe")
    assert [block.momenta.shape[:2] for block in file] == [(20, 4), (5, 3), (20, 4)]
    assert sum(block.weight.sum() for block in file) / 45 == pytest.approx(5.0)
    with pytest.raises(UserError, match=r"\[3, 4\] particles"):
        file.load()


def test_a_file_of_another_program_is_read_without_our_header(tmp_path):
    write(tmp_path / "e.lhe", sample(50), info())
    text = (tmp_path / "e.lhe").read_text()
    start, end = text.index("<header>"), text.index("</header>") + len("</header>")
    (tmp_path / "other.lhe").write_text(text[:start] + text[end:])
    file = read(tmp_path / "other.lhe")
    assert len(file.load()) == 50
    assert file.header == {}
    with pytest.raises(UserError, match="no header block <binnis>"):
        _ = file.figures


def test_header_json_is_plain_json(tmp_path):
    write(tmp_path / "e.lhe", sample(50), info(figures={"numbers": [1, 2.5, None]}))
    assert json.loads(read(tmp_path / "e.lhe").header["binnis"])["figures"]["numbers"] == [1, 2.5, None]
