"""UMAMI libraries: a small one of our own, compiled here, against its closed form and against madspace's loader."""

import gc
import os
import pickle
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import madspace
import numpy as np
import pytest

from benchmarks.cases import umami_library
from mcbridge.amplitudes import UmamiAmplitude
from mcbridge.errors import AmplitudeError, UserError

SOURCE = Path(__file__).with_name("umami_mumu.c")


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


def points(n, energy=200.0, seed=1):
    """e+ e- -> mu+ mu- in the centre of mass, isotropic: momenta (n, 4, 4) and cos theta (n,)."""
    cos, phi = np.random.default_rng(seed).uniform([-1, 0], [1, 2 * np.pi], size=(n, 2)).T
    sin = np.sqrt(1 - cos**2)
    direction = np.stack([sin * np.cos(phi), sin * np.sin(phi), cos], axis=1)
    momenta = np.full((n, 4, 4), energy / 2)
    momenta[:, :2, 1:] = [[0, 0, energy / 2], [0, 0, -energy / 2]]
    momenta[:, 2, 1:], momenta[:, 3, 1:] = direction * energy / 2, -direction * energy / 2
    return momenta, cos


def closed_form(cos, alpha=1 / 137):
    return (4 * np.pi * alpha) ** 2 * (1 + cos**2)


@pytest.mark.parametrize("n", [0, 1, 1000])
def test_the_square_is_the_closed_form(build, n):
    momenta, cos = points(n)
    amplitude = UmamiAmplitude(build())
    assert amplitude.particles == 4
    assert not amplitude.takes_alpha_s
    np.testing.assert_array_equal(amplitude.masses, np.zeros(4))
    np.testing.assert_allclose(amplitude(momenta), closed_form(cos), rtol=1e-12)


def test_it_is_what_madspace_gets_from_the_same_library(build, tmp_path):
    card = tmp_path / "card.dat"
    card.write_text("128.0\n")
    context = madspace.Context(1)
    loaded = context.load_matrix_element(str(build()), str(card))
    element = madspace.MatrixElement(
        loaded.index(),
        loaded.particle_count(),
        [madspace.MatrixElement.MatrixElementInput.momenta_in],
        [madspace.MatrixElement.MatrixElementOutput.matrix_element_out],
        loaded.diagram_count(),
    )
    momenta, cos = points(5000)
    expected = madspace.FunctionRuntime(element.function(), context)(momenta)
    found = UmamiAmplitude(build(), card)(momenta)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(found, closed_form(cos, 1 / 128), rtol=1e-12)


def test_coupling_flavour_and_parameters_reach_the_library(build):
    momenta, cos = points(100)
    running = np.linspace(0.1, 0.3, 100)
    quarks = UmamiAmplitude(build("STRONG"), flavour=1, parameters={"alpha": 0.01})
    assert quarks.takes_alpha_s
    assert quarks.needs_alpha_s
    expected = closed_form(cos, 0.01) * 4 / 3 * (1 + running / np.pi)
    np.testing.assert_allclose(quarks(momenta, running), expected, rtol=1e-12)
    np.testing.assert_allclose(quarks(momenta, 0.2), closed_form(cos, 0.01) * 4 / 3 * (1 + 0.2 / np.pi), rtol=1e-12)


def test_an_old_library_without_queries_is_taken(build):
    momenta, cos = points(10)
    np.testing.assert_allclose(UmamiAmplitude(build("NO_QUERIES"))(momenta), closed_form(cos), rtol=1e-12)


def test_threads_have_instances_of_their_own(build):
    # The library refuses to work where two threads are inside one instance.
    momenta, cos = points(200_000)
    amplitude = UmamiAmplitude(build())
    with ThreadPoolExecutor(4) as pool:
        for result in pool.map(lambda _: amplitude(momenta), range(12)):
            np.testing.assert_allclose(result, closed_form(cos), rtol=1e-12)


def test_instances_are_freed_with_the_amplitude(build):
    amplitude = UmamiAmplitude(build())
    release, idle = amplitude._release, amplitude._idle
    assert len(idle) == 1
    del amplitude
    gc.collect()
    assert not release.alive
    assert idle == []


def test_a_copy_by_pickle_is_the_same(build):
    momenta, _ = points(10)
    amplitude = UmamiAmplitude(build("STRONG"), flavour=1, parameters={"alpha": 0.02})
    copy = pickle.loads(pickle.dumps(amplitude))
    np.testing.assert_array_equal(copy(momenta, 0.1), amplitude(momenta, 0.1))


def test_what_cannot_be_used_is_told_in_a_sentence(build, tmp_path):
    text = tmp_path / "text.so"
    text.write_text("not a library")
    wrong_card = tmp_path / "card.dat"
    wrong_card.write_text("no number")
    cases = [
        (r"there is no file .*missing\.so", lambda: UmamiAmplitude(tmp_path / "missing.so")),
        ("cannot be loaded as a shared library", lambda: UmamiAmplitude(text)),
        ("is not a UMAMI library: it does not export umami_free", lambda: UmamiAmplitude(build("NO_FREE"))),
        ("built for a GPU", lambda: UmamiAmplitude(build("GPU"))),
        ("not given: random number for colour", lambda: UmamiAmplitude(build("NEEDS_COLOUR"))),
        ("there is no file or folder", lambda: UmamiAmplitude(build(), tmp_path / "none.dat")),
        ("refuses the card .*status 1, unspecified error", lambda: UmamiAmplitude(build(), wrong_card)),
        ("refuses the parameter mass", lambda: UmamiAmplitude(build(), parameters={"mass": 1.0})),
        ("flavour is -1", lambda: UmamiAmplitude(build("STRONG"), flavour=-1)),
        ("has no flavour index", lambda: UmamiAmplitude(build(), flavour=0)),
        ("takes no strong coupling", lambda: UmamiAmplitude(build())(points(2)[0], 0.1)),
    ]
    for sentence, mistake in cases:
        with pytest.raises(UserError, match=sentence):
            mistake()
    with pytest.raises(AmplitudeError, match=r"expects \(n, 4, 4\)"):
        UmamiAmplitude(build())(np.zeros((3, 5, 4)))
    with pytest.raises(AmplitudeError, match="failed on a batch of 3 points: status 1, unspecified error"):
        UmamiAmplitude(build())(np.zeros((3, 4, 4)))


@pytest.mark.slow
@pytest.mark.skipif("BINNIS_UMAMI_TTG" not in os.environ, reason="BINNIS_UMAMI_TTG names no g g > t t~ g artifact")
def test_top_pairs_with_a_gluon_have_the_value_of_madgraph():
    # BINNIS_UMAMI_TTG: the artifact of `pyamplicol generate "g g > t t~ g" FOLDER --model built-in-sm
    # --color-accuracy full`, with its library built by `make` in FOLDER/API/umami. The point and the value are those of
    # MadGraph's own check at 1 TeV, with m_t = 173 GeV and alpha_s = 0.118.
    folder = Path(os.environ["BINNIS_UMAMI_TTG"])
    library = umami_library(folder)
    amplitude = UmamiAmplitude(library, folder)
    momenta = np.array(
        [
            [500.0, 0.0, 0.0, 500.0],
            [500.0, 0.0, 0.0, -500.0],
            [457.75889887874393, 156.60521144032262, 350.8681742087422, -178.83104199169597],
            [378.3336036310079, -16.940091495976187, -321.34122637100813, 98.28613926138809],
            [163.90749749024818, -139.66511994434646, -29.526947837734, 80.54490273030792],
        ]
    )
    np.testing.assert_allclose(amplitude(momenta[None]), 5.287584e-4, rtol=1e-6)
    np.testing.assert_allclose(amplitude.masses, [0, 0, 173, 173, 0])
