"""HepMC3 files hold what the Les Houches file holds."""

import gzip

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents
from mcbridge.hepmc import lhe_to_hepmc3
from mcbridge.integrands import EventBatch
from mcbridge.lhe import RunInfo, WeightGroup, read, write

pyhepmc = pytest.importorskip("pyhepmc")

N = 50
INFO = RunInfo(
    cross_section=12.5,
    error=0.25,
    beams=(2212, 2212),
    energies=(6500.0, 6500.0),
    weight_groups=(WeightGroup("binn", ("binn_001", "binn_002")),),
    attributes=("sigma_stat",),
)


def batch(n, generator):
    """u u~ -> Z -> e+ e- with the Z as an intermediate particle."""
    mass = 80 + 20 * generator.random(n)
    boost = generator.normal(0, 1, n)
    cosine, phi = 2 * generator.random(n) - 1, 2 * np.pi * generator.random(n)
    sine = np.sqrt(1 - cosine**2)
    direction = np.stack([sine * np.cos(phi), sine * np.sin(phi), cosine], axis=1)
    momenta = np.zeros((n, 5, 4))
    for k, (side, vector) in enumerate(((1, [0, 0, 1]), (-1, [0, 0, 1]))):
        momenta[:, k] = np.outer(mass / 2, [1, 0, 0, side * vector[2]])
    momenta[:, 2, 0] = mass
    for k, side in ((3, 1), (4, -1)):
        momenta[:, k, 0] = mass / 2
        momenta[:, k, 1:] = side * direction * mass[:, None] / 2
    energy, pz = momenta[:, :, 0].copy(), momenta[:, :, 3].copy()
    momenta[:, :, 0] = energy * np.cosh(boost)[:, None] + pz * np.sinh(boost)[:, None]
    momenta[:, :, 3] = pz * np.cosh(boost)[:, None] + energy * np.sinh(boost)[:, None]
    masses = np.zeros((n, 5))
    masses[:, 2] = mass
    colours = np.zeros((n, 5, 2), dtype=np.int64)
    colours[:, 0, 0] = colours[:, 1, 1] = 501
    return EventBatch(
        momenta=momenta,
        pdg_ids=np.tile([2, -2, 23, -11, 11], (n, 1)),
        status=np.array([-1, -1, 2, 1, 1]),
        mothers=np.array([[0, 0], [0, 0], [1, 2], [3, 3], [3, 3]]),
        colours=colours,
        masses=masses,
        scale=mass,
        alpha_s=np.full(n, 0.118),
        alpha_qed=np.full(n, 1 / 132.0),
        process_id=np.full(n, 1),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hepmc")
    generator = np.random.default_rng(1)
    weight = np.where(generator.random(N) < 0.1, -1.0, 1.0)
    ratios = {"binn": np.stack([np.full(N, 0.5), 1 + 0.1 * generator.normal(size=N)], axis=1)}
    events = WeightedEvents(batch(N, generator), weight, {"sigma_stat": generator.random(N)}, ratios)
    write(folder / "events.lhe.gz", [events], INFO)
    assert lhe_to_hepmc3(folder / "events.lhe.gz", folder / "events.hepmc.gz") == N
    with pyhepmc.open(folder / "events.hepmc.gz") as stream:
        return folder, read(folder / "events.lhe.gz").load(), list(stream)


def test_particles_have_momenta_masses_and_status(files):
    _, arrays, events = files
    assert len(events) == N
    for row, event in enumerate(events):
        assert event.event_number == row
        assert event.momentum_unit == pyhepmc.Units.GEV
        assert [p.pid for p in event.particles] == list(arrays.pdg_ids[row])
        assert [p.status for p in event.particles] == [4, 4, 2, 1, 1]
        momenta = [[p.momentum.e, p.momentum.px, p.momentum.py, p.momentum.pz] for p in event.particles]
        assert np.allclose(momenta, arrays.momenta[row], rtol=1e-12, atol=1e-9)
        assert np.allclose([p.generated_mass for p in event.particles], arrays.masses[row])
        assert {p.pid for p in event.beams} == {2, -2}


def test_vertices_are_made_from_the_mothers_and_conserve_momentum(files):
    _, _, events = files
    for event in events:
        first, second = event.vertices
        assert [p.pid for p in first.particles_in] == [2, -2]
        assert [p.pid for p in first.particles_out] == [23]
        assert [p.pid for p in second.particles_in] == [23]
        assert sorted(p.pid for p in second.particles_out) == [-11, 11]
        for vertex in event.vertices:
            for component in ("e", "px", "py", "pz"):
                incoming, outgoing = (
                    sum(getattr(p.momentum, component) for p in side)
                    for side in (vertex.particles_in, vertex.particles_out)
                )
                assert incoming == pytest.approx(outgoing, abs=1e-6)


def test_weights_have_names_and_cross_sections(files):
    _, arrays, events = files
    assert list(events[0].weight_names) == ["nominal", "binn_001", "binn_002"]
    weights = np.array([event.weights for event in events])
    assert np.allclose(weights[:, 0], arrays.weight)
    assert np.allclose(weights[:, 1], arrays.weights["binn_001"])
    assert np.allclose(weights[:, 2], arrays.weights["binn_002"])
    sections = events[0].cross_section
    assert sections.xsec(0) == pytest.approx(12.5)
    assert sections.xsec_err(0) == pytest.approx(0.25)
    assert sections.xsec("binn_001") == pytest.approx(6.25)
    assert sections.xsec("binn_002") == pytest.approx(12.5 * weights[:, 2].sum() / weights[:, 0].sum())
    assert weights[:, 0].mean() == pytest.approx(12.5)


def test_attributes_colours_and_parton_fractions_are_there(files):
    _, arrays, events = files
    for row, event in enumerate(events[:5]):
        attributes = event.attributes
        assert float(attributes["sigma_stat"].astype(float)) == pytest.approx(arrays.attributes["sigma_stat"][row])
        assert float(attributes["event_scale"].astype(float)) == pytest.approx(arrays.scale[row])
        assert float(attributes["alphaQCD"].astype(float)) == pytest.approx(0.118)
        assert int(event.particles[0].attributes["flow1"].astype(int)) == 501
        assert event.pdf_info.x1 == pytest.approx(arrays.momenta[row, 0, 0] / 6500)
        assert event.pdf_info.parton_id2 == -2


def test_the_same_events_give_the_same_bytes(files):
    folder, _, _ = files
    lhe_to_hepmc3(folder / "events.lhe.gz", folder / "again.hepmc.gz")
    lhe_to_hepmc3(folder / "events.lhe.gz", folder / "plain.hepmc")
    assert (folder / "again.hepmc.gz").read_bytes() == (folder / "events.hepmc.gz").read_bytes()
    assert gzip.decompress((folder / "again.hepmc.gz").read_bytes()) == (folder / "plain.hepmc").read_bytes()


def test_nothing_half_written_is_left(files):
    folder, _, _ = files
    broken = folder / "broken.lhe"
    text = gzip.decompress((folder / "events.lhe.gz").read_bytes()).decode()
    broken.write_text(text[: len(text) // 2])
    with pytest.raises(UserError, match="no readable event file"):
        lhe_to_hepmc3(broken, folder / "broken.hepmc")
    assert not list(folder.glob("*broken.hepmc*"))


def test_without_pyhepmc_a_sentence_says_what_to_install(monkeypatch, files):
    folder, _, _ = files
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'binnis\[hepmc\]'"):
        lhe_to_hepmc3(folder / "events.lhe.gz", folder / "no.hepmc")
