"""2 -> n scattering with UMAMI libraries, compiled here from a source of our own."""

import os
import pickle
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cases import umami_library
from mcbridge.errors import UserError
from mcbridge.events import check_batch
from mcbridge.integrands import EventSource
from mcbridge.pdfs import load_pdf
from mcbridge.processes.custom import CustomProcess
from mcbridge.processes.cuts import Cuts
from mcbridge.processes.umami import UmamiProcess
from mcbridge.uncertainties.theory import SCALES, TheoryWeights
from plugin.card.processes import UmamiCard
from plugin.run.process import build_process

SOURCE = Path(__file__).parents[1] / "amplitudes" / "umami_mumu.c"
PB = 0.3893793721e9
MUONS = (11, -11, 13, -13)


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Compiles the library with switches: build("STRONG") -> its path."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    folder = tmp_path_factory.mktemp("umami")

    def compile_(*switches):
        target = folder / f"lib{'_'.join(('mumu', *switches))}.so"
        if not target.exists():
            flags = [f"-D{switch}" for switch in switches]
            subprocess.run([compiler, "-O2", "-shared", "-fPIC", *flags, str(SOURCE), "-o", str(target)], check=True)
        return target

    return compile_


def photon_exchange(momenta, alpha=1 / 137):
    """2 e^4 (t^2 + u^2)/s^2 for massless momenta (n, 4, 4)."""
    product = lambda i, j: np.sum(momenta[:, i] * momenta[:, j] * [1, -1, -1, -1], axis=1)  # noqa: E731
    return 2 * (4 * np.pi * alpha) ** 2 * (product(0, 2) ** 2 + product(0, 3) ** 2) / product(0, 1) ** 2


def test_muon_pairs_have_the_total_cross_section_of_qed(build):
    process = UmamiProcess(build(), MUONS, 200.0)
    assert isinstance(process, EventSource)
    weight = process(np.random.default_rng(1).random((1_000_000, process.dim)), 0).weight
    expected = 4 * np.pi / (3 * 137**2 * 200.0**2) * PB
    error = weight.std() / np.sqrt(len(weight))
    assert error < 0.002 * expected
    assert abs(weight.mean() - expected) < 4 * error


def test_a_run_card_sets_parameters_of_the_library(build):
    settings = {"library": str(build()), "pdg_ids": [MUONS], "cms_energy": 200.0}
    small, large = (
        build_process(UmamiCard.model_validate({"name": "umami", "parameters": parameters, **settings}))
        for parameters in ({"alpha": 0.01}, {"alpha": 0.02})
    )
    u = np.random.default_rng(2).random((10, small.dim))
    np.testing.assert_allclose(large(u, 0).weight, 4 * small(u, 0).weight)


def test_muon_pairs_within_cuts_and_a_card(build, tmp_path):
    card = tmp_path / "card.dat"
    card.write_text("128\n")
    process = UmamiProcess(build(), MUONS, 200.0, card=card, cuts=Cuts(eta_max=1.0))
    weight = process(np.random.default_rng(2).random((200_000, process.dim)), 0).weight
    c = np.tanh(1.0)
    expected = np.pi / (2 * 128**2 * 200.0**2) * PB * 2 * (c + c**3 / 3)
    error = weight.std() / np.sqrt(len(weight))
    assert error < 0.005 * expected
    assert abs(weight.mean() - expected) < 4 * error


def test_with_pdfs_it_is_the_same_as_a_python_amplitude(build):
    # quarks: charge 2/3 and three colours of the library's flavour 1, the running coupling at the partonic energy
    pdf = load_pdf("builtin")

    def amplitude(momenta):
        total = momenta[:, 0] + momenta[:, 1]
        scale = np.sqrt(np.sum(total**2 * [1, -1, -1, -1], axis=1))
        return photon_exchange(momenta) * 4 / 3 * (1 + pdf.alpha_s(scale) / np.pi)

    cuts = Cuts(mass_min=50.0)
    pairs = [(2, -2), (4, -4)]
    process = UmamiProcess(
        build("STRONG"), [(*pair, 13, -13) for pair in pairs], 13000.0, flavour=1, pdf=pdf, cuts=cuts
    )
    expected = CustomProcess(amplitude, pairs, (13, -13), 13000.0, pdf=pdf, cuts=cuts)
    generator = np.random.default_rng(3)
    u = generator.random((2000, process.dim))
    weight = process(u, 0).weight
    assert np.mean(weight > 0) > 0.01
    np.testing.assert_allclose(weight, expected(u, 0).weight, rtol=1e-10)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(process))(u, 0).weight, weight)
    kept = u[weight > 0]
    batch = process.events(kept, 0, generator.random((len(kept), 2)))
    check_batch(batch)
    np.testing.assert_allclose(batch.alpha_s, pdf.alpha_s(batch.scale))


@pytest.mark.parametrize("scale", [91.188, lambda momenta: np.full(len(momenta), 91.188)])
def test_the_scale_decides_the_coupling(build, scale):
    pdf = load_pdf("builtin")
    settings = {"flavour": 1, "pdf": pdf, "scale": scale, "cuts": Cuts(mass_min=50.0)}
    running = UmamiProcess(build("STRONG"), (2, -2, 13, -13), 13000.0, **settings)
    fixed = UmamiProcess(
        build("STRONG"), (2, -2, 13, -13), 13000.0, alpha_s=float(pdf.alpha_s(np.array([91.188]))[0]), **settings
    )
    u = np.random.default_rng(4).random((2000, running.dim))
    np.testing.assert_allclose(running(u, 0).weight, fixed(u, 0).weight, rtol=1e-12)


def test_the_power_of_alpha_s_is_measured_and_gives_weights_at_other_scales(build):
    """Per point the weight at doubled scales is the central one times the ratio that the event record gives."""
    lines = [[501, 502], [502, 501], [0, 0], [0, 0]]
    settings = {"flavour": 1, "pdf": load_pdf("builtin"), "cuts": Cuts(mass_min=50.0), "colours": lines}
    library, gluons = build("STRONG", "SQUARED"), (21, 21, 13, -13)
    central = UmamiProcess(library, gluons, 13000.0, scale=91.188, **settings)
    doubled = UmamiProcess(library, gluons, 13000.0, scale=2 * 91.188, **settings)
    assert central.alpha_s_power == 2
    generator = np.random.default_rng(5)
    u = generator.random((2000, central.dim))
    weight = central(u, 0).weight
    kept = u[weight > 0.0]
    batch = central.events(kept, 0, generator.random((len(kept), 2)))
    ratios = TheoryWeights.of_process(central).scale_ratios(batch)[:, SCALES.index((2.0, 2.0))]
    np.testing.assert_allclose(doubled(kept, 0).weight, weight[weight > 0.0] * ratios, rtol=1e-9)
    assert np.all(np.abs(ratios - 1.0) > 1e-3)


def test_an_amplitude_that_is_no_power_of_alpha_s_has_none_unless_it_is_stated(build):
    settings = {"flavour": 1, "pdf": load_pdf("builtin"), "cuts": Cuts(mass_min=50.0)}
    mixed = UmamiProcess(build("STRONG"), (2, -2, 13, -13), 13000.0, **settings)
    assert mixed.alpha_s_power is None
    assert TheoryWeights.of_process(mixed) is None
    stated = UmamiProcess(build("STRONG"), (2, -2, 13, -13), 13000.0, alpha_s_power=0, **settings)
    assert TheoryWeights.of_process(stated).power == 0
    assert UmamiProcess(build(), MUONS, 200.0).alpha_s_power is None
    with pytest.raises(UserError, match="alpha_s_power: -1 was given"):
        UmamiProcess(build(), MUONS, 200.0, alpha_s_power=-1)


@pytest.mark.parametrize(
    ("switch", "settings", "sentence"),
    [
        ("", {"pdg_ids": (11, -11, 13)}, "3 particles were given; libmumu.so has 4"),
        ("", {"pdg_ids": "muons"}, "pdg_ids: 'muons' was given"),
        ("", {"pdg_ids": [(1, -1, 13, -13), (2, -2, 11, -11)]}, "must have the same outgoing particles"),
        ("", {"masses": (0.1, 0.1)}, r"masses: \[0.1, 0.1\] was given, but libmumu.so has \[0.0, 0.0\]"),
        ("", {"alpha_s": 0.118}, "takes no strong coupling; use 'card'"),
        ("", {"alpha_s": "run"}, "allowed are a number, 'pdf' and 'card'"),
        ("STRONG", {}, "needs a strong coupling; give a number"),
        ("STRONG", {"alpha_s": "pdf"}, "there are no PDFs"),
        ("STRONG", {"alpha_s": -1.0}, "alpha_s: -1.0 was given"),
        ("", {"cms_energy": -5.0}, "cms_energy: -5.0 was given"),
    ],
)
def test_what_does_not_fit_the_library_is_told_in_a_sentence(build, switch, settings, sentence):
    library = build(*([switch] if switch else []))
    with pytest.raises(UserError, match=sentence):
        UmamiProcess(library, **{"pdg_ids": MUONS, "cms_energy": 200.0, **settings})


@pytest.mark.slow
@pytest.mark.skipif("BINNIS_UMAMI_TTG" not in os.environ, reason="BINNIS_UMAMI_TTG names no g g > t t~ g artifact")
def test_top_pairs_with_a_gluon_integrate_at_fixed_energy():
    # The artifact and its library as in the test of the amplitude; flat phase space, so that 20,000 points say 10%.
    folder = Path(os.environ["BINNIS_UMAMI_TTG"])
    library = umami_library(folder)
    process = UmamiProcess(library, (21, 21, 6, -6, 21), 1000.0, card=folder, cuts=Cuts(pt_min={21: 20.0}))
    assert process.masses == (173.0, 173.0, 0.0)
    weight = process(np.random.default_rng(5).random((20_000, process.dim)), 0).weight
    assert np.all(np.isfinite(weight))
    assert weight.std() / np.sqrt(len(weight)) < 0.1 * weight.mean()
