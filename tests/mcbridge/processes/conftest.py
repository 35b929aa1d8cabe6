"""Oracles written apart from the code under test: helicity amplitudes as sums of complex numbers, scipy quadrature."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate as quadrature

from mcbridge.pdfs import GridPdf, available_sets

NNPDF = "NNPDF23_lo_as_0130_qed"
E2 = 0.094835522759998875
SW2 = 0.22224648578577766
M_Z, GAMMA_Z = 91.188, 2.441404
PB = 0.3893793721e9
CHARGES = {1: -1 / 3, 2: 2 / 3, 3: -1 / 3, 4: 2 / 3, 5: -1 / 3}
ISOSPINS = {1: -0.5, 2: 0.5, 3: -0.5, 4: 0.5, 5: -0.5}


def helicity_sums(s: float, quark: int | None, heavy: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """(equal, opposite): sums of |P|^2 s^2 e^-4 over equal and over opposite helicities; quark None for an electron."""
    charge, isospin = (-1.0, -0.5) if quark is None else (CHARGES[quark], ISOSPINS[quark])
    incoming = {"L": isospin - charge * SW2, "R": -charge * SW2}
    lepton = {"L": -0.5 + SW2, "R": SW2}
    equal = opposite = 0.0
    for a, g_a in incoming.items():
        for b, g_b in lepton.items():
            amplitude = complex(-charge / s)
            for mass, width in heavy:
                amplitude += g_a * g_b / (SW2 * (1 - SW2)) / complex(s - mass**2, mass * width)
            strength = abs(amplitude * s) ** 2
            equal, opposite = (equal + strength, opposite) if a == b else (equal, opposite + strength)
    return equal, opposite


class PairOracle:
    """Total cross section and forward-backward difference of pp -> l- l+ [pb] by nested Gauss quadrature."""

    def __init__(self, pdf: GridPdf, flavours: Sequence[int] = (1, 2, 3, 4), energy: float = 13000.0) -> None:
        self.pdf, self.flavours, self.energy = pdf, tuple(flavours), energy
        self.heavy: list[tuple[float, float]] = [(M_Z, GAMMA_Z)]
        self.pt_min, self.eta_max = 0.0, math.inf

    def at_mass(self, mass: float, odd: bool) -> float:
        """d sigma / d log s of one mass; odd: the difference of l- along and against the boost of the pair."""
        s = mass * mass
        y_max = min(math.log(self.energy / mass), self.eta_max)
        total = 0.0
        nodes, weights = np.polynomial.legendre.leggauss(40)
        # panels: the limit of cos theta has a kink
        edges = [0.0, y_max]
        bound = math.sqrt(max(0.0, 1 - 4 * self.pt_min**2 / s))
        if math.isfinite(self.eta_max) and 0 < self.eta_max - math.atanh(min(bound, 1 - 1e-15)) < y_max:
            edges.insert(1, self.eta_max - math.atanh(bound))
        sums = {q: helicity_sums(s, q, self.heavy) for q in self.flavours}
        for low, high in itertools.pairwise(edges):
            y = low + (high - low) * (nodes + 1) / 2
            cos = np.minimum(bound, np.tanh(self.eta_max - y))
            x1, x2 = mass / self.energy * np.exp(y), mass / self.energy * np.exp(-y)
            for quark, (equal, opposite) in sums.items():
                one = self.pdf.xfx(quark, x1, mass) * self.pdf.xfx(-quark, x2, mass)
                two = self.pdf.xfx(-quark, x1, mass) * self.pdf.xfx(quark, x2, mass)
                if odd:
                    value = (one - two) * (equal - opposite) * 2 * cos**2
                else:
                    value = (one + two) * (equal + opposite) * (2 * cos + 2 * cos**3 / 3)
                # y and -y give the same; |M|^2 = e^4/12 [equal (1+cos)^2 + opposite (1-cos)^2]
                total += 2 * float(np.sum(weights * value)) * (high - low) / 2
        return total * E2**2 / 12 * 2 * math.pi / (64 * math.pi**2 * s) * PB

    def integral(self, low: float, high: float, odd: bool = False) -> float:
        """Integral over the masses low to high [GeV]."""
        panels = {low, high}
        for mass, width in self.heavy:
            panels |= {mass + k * width for k in (-30, -8, -2, 0, 2, 8, 30) if low < mass + k * width < high}
        panels |= {mass for mass in (30.0, 150.0, 300.0, 600.0, 1500.0, 4000.0) if low < mass < high}
        edges = sorted(panels)
        return sum(
            float(quadrature.fixed_quad(self._batch(odd), math.log(a**2), math.log(b**2), n=24)[0])
            for a, b in itertools.pairwise(edges)
        )

    def _batch(self, odd: bool) -> Callable[[np.ndarray], np.ndarray]:
        return lambda logs: np.array([self.at_mass(math.exp(value / 2), odd) for value in np.atleast_1d(logs)])


@pytest.fixture(scope="session")
def pair_oracle() -> type[PairOracle]:
    return PairOracle


@pytest.fixture(scope="session")
def helicities() -> Callable[..., tuple[float, float]]:
    return helicity_sums


def _alpha_s(q: float) -> float:
    """One-loop running from alpha_s(m_Z) = 0.130 with thresholds at 1.414, 4.75 and 175 GeV."""

    def run(start: float, low: float, high: float, flavours: int) -> float:
        return start / (1 + start * (33 - 2 * flavours) / (12 * math.pi) * math.log(high**2 / low**2))

    if q > 175:
        return run(run(0.130, 91.1876, 175.0, 5), 175.0, q, 6)
    if q >= 4.75:
        return run(0.130, 91.1876, q, 5)
    bottom = run(0.130, 91.1876, 4.75, 5)
    return run(bottom, 4.75, q, 4) if q >= 1.414 else run(run(bottom, 4.75, 1.414, 4), 1.414, q, 3)


def _write_set(grid: Path, folder: Path) -> Path:
    target = folder / NNPDF
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(grid, target / f"{NNPDF}_0000.dat")
    scales = np.geomspace(1.0, 1.0e4, 60)
    (target / f"{NNPDF}.info").write_text(
        "SetDesc: grid of the pythia8mc source distribution\nSetIndex: 247000\nNumMembers: 1\nFormat: lhagrid1\n"
        "AlphaS_MZ: 0.130\nAlphaS_OrderQCD: 0\nAlphaS_Type: ipol\n"
        f"AlphaS_Qs: [{', '.join(f'{q:.8e}' for q in scales)}]\n"
        f"AlphaS_Vals: [{', '.join(f'{_alpha_s(float(q)):.8e}' for q in scales)}]\n"
    )
    return target


def _cache() -> Path:
    default = Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "binnis-tests"
    return Path(os.environ.get("BINNIS_TEST_CACHE", str(default)))


def _found() -> GridPdf | None:
    folder = available_sets().get(NNPDF, _cache() / NNPDF)
    return GridPdf(folder) if (folder / f"{NNPDF}.info").is_file() else None


@pytest.fixture(scope="session")
def nnpdf23() -> GridPdf:
    """The set behind MadGraph's figures, if it is on LHAPDF_DATA_PATH or in the cache of the tests."""
    found = _found()
    if found is None:
        pytest.skip(f"no {NNPDF} on LHAPDF_DATA_PATH; the slow tests fetch its grid into {_cache()}")
    return found


@pytest.fixture(scope="session")
def nnpdf23_fetched(tmp_path_factory: pytest.TempPathFactory) -> GridPdf:
    """The same set, fetched from the source distribution of pythia8mc if need be."""
    found = _found()
    if found is not None:
        return found
    folder = tmp_path_factory.mktemp("pythia8mc")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary=:all:", "--no-build-isolation"]
    try:
        subprocess.run([*command, "-d", str(folder), "pythia8mc"], check=True, capture_output=True, timeout=900)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        if not list(folder.glob("pythia8mc*")):
            pytest.skip(f"pythia8mc cannot be downloaded ({type(error).__name__})")
    with tarfile.open(next(folder.glob("pythia8mc*.tar.gz"))) as archive:
        member = next(m for m in archive.getmembers() if m.name.endswith(f"pdfdata/{NNPDF}_0000.dat"))
        member.name = "grid.dat"
        archive.extract(member, folder, filter="data")
    return GridPdf(_write_set(folder / "grid.dat", _cache()))
