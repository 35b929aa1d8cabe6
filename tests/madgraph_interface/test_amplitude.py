"""Standalone matrix elements: the interface with a stand-in for the library, the numbers with MadGraph itself."""

from __future__ import annotations

import numpy as np
import pytest

from madgraph_interface import amplitude as module
from madgraph_interface.amplitude import MadGraphAmplitude
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.processes.base import GEV2_PB
from mcbridge.processes.custom import CustomProcess

CARD = "Block sminputs\n  1 1.325e+02 # aEWM1\n  3 1.180000e-01 # aS\nBlock mass\n  3 1.0 # not this one\n"


class Library:
    """What f2py makes of MadGraph's all_matrix.f: |M|^2 = alpha_s times the energy of the last particle."""

    def __init__(self):
        self.card = None

    def initialise(self, path):
        self.card = path

    def get_pdg_order(self):
        return np.array([[21, 21, 6, -6, 21], [2, -2, 6, -6, 0]]), np.array([1, 1])

    def smatrixhel(self, pdgs, process, p, alpha_s, scale2, helicity):
        assert (process, scale2, helicity) == (1, 0.0, -1)
        assert p.shape == (4, len(pdgs))
        return alpha_s * p[0, -1]


@pytest.fixture
def directory(tmp_path, monkeypatch):
    (tmp_path / "Cards").mkdir()
    (tmp_path / "Cards/param_card.dat").write_text(CARD)
    monkeypatch.setattr(module, "_load", lambda root: Library())
    return tmp_path


def test_momenta_and_couplings(directory):
    momenta = np.random.default_rng(1).random((6, 5, 4))
    fixed = MadGraphAmplitude(directory, [21, 21, 6, -6, 21])
    assert fixed(momenta) == pytest.approx(0.118 * momenta[:, 4, 0])
    running = MadGraphAmplitude(directory, [21, 21, 6, -6, 21], alpha_s=lambda p: p[:, 0, 1])
    assert running(momenta) == pytest.approx(momenta[:, 0, 1] * momenta[:, 4, 0])
    assert len(fixed(momenta[:0])) == 0


def test_mistakes_are_told(directory):
    with pytest.raises(UserError, match=r"holds 21 21 6 -6 21, 2 -2 6 -6"):
        MadGraphAmplitude(directory, [21, 21, 5, -5, 21])
    with pytest.raises(UserError, match="alpha_s"):
        MadGraphAmplitude(directory, [2, -2, 6, -6], alpha_s=-1.0)
    with pytest.raises(UserError, match="param_card"):
        MadGraphAmplitude(directory, [2, -2, 6, -6], param_card=directory / "none.dat")
    with pytest.raises(AmplitudeError, match=r"\(n, 4, 4\)"):
        MadGraphAmplitude(directory, [2, -2, 6, -6])(np.zeros((3, 5, 4)))
    (directory / "Cards/param_card.dat").write_text("Block mass\n")
    with pytest.raises(UserError, match="SMINPUTS 3"):
        MadGraphAmplitude(directory, [2, -2, 6, -6])


def test_a_directory_without_the_library(tmp_path):
    (tmp_path / "SubProcesses").mkdir()
    (tmp_path / "param_card.dat").write_text(CARD)
    with pytest.raises(UserError, match=r"make all_matrix2py\.so"):
        MadGraphAmplitude(tmp_path, [2, -2, 6, -6], param_card=tmp_path / "param_card.dat")


def test_it_serves_as_the_amplitude_of_a_process(directory):
    amplitude = MadGraphAmplitude(directory, [2, -2, 6, -6])
    process = CustomProcess(amplitude, (2, -2), (6, -6), cms_energy=1000.0, masses=(173.0, 173.0), identical=1)
    weights = process(np.random.default_rng(2).random((4000, process.dim)), 0).weight
    velocity = np.sqrt(1 - (346.0 / 1000.0) ** 2)
    expected = 0.118 * 500.0 / 2e6 * velocity / (8 * np.pi) * GEV2_PB  # |M|^2 is alpha_s sqrt(s) / 2 everywhere
    assert abs(weights.mean() - expected) < 4 * weights.std() / np.sqrt(len(weights))
