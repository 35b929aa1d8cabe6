"""The real Sherpa, its plug-in, and one optimised process, made once for all tests that need them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mcbridge.errors import UserError
from sherpa_interface.build import build_plugin
from sherpa_interface.install import install_sherpa
from sherpa_interface.locate import find_sherpa
from sherpa_interface.process import Installation, run_sherpa

CARD = """\
BEAMS: [11, -11]
BEAM_ENERGIES: 125
ME_GENERATORS: [Comix]
SHOWER_GENERATOR: None
FRAGMENTATION: None
MI_HANDLER: None
BEAM_REMNANTS: false
ME_QED: {ENABLED: false}
YFS: {MODE: None}
PDF_LIBRARY: None
SCALES: VAR{Abs2(p[0]+p[1])}
ANALYSIS: None
EVENTS: 200
EVENT_GENERATION_MODE: Unweighted
EVENT_OUTPUT: LHEF[events]
PROCESSES:
- 11 -11 -> 13 -13 22:
    Order: {QCD: 0, EW: 3}
SELECTORS:
- [PT, 22, 5, E_CMS]
- [DR, 13, 22, 0.2, 100]
- [DR, -13, 22, 0.2, 100]
- [Mass, 13, -13, 10, E_CMS]
- [Eta, 22, -3, 3]
PSI: {ITMIN: 2000}
"""

NAME = "2_3__e-__e+__mu-__mu+__P"


@pytest.fixture(scope="session")
def program():
    """Sherpa and the compiled plug-in; the tests are skipped where there is no registry or no compiler."""
    try:
        sherpa = find_sherpa()
    except UserError:
        try:
            sherpa = install_sherpa()  # into the user's cache folder: the next run finds it there
        except UserError as reason:
            pytest.skip(f"no Sherpa can be had: {reason}")
    if shutil.which(os.environ.get("CXX", "c++")) is None:
        pytest.skip("no C++ compiler")
    return Installation(sherpa, build_plugin(sherpa))


@pytest.fixture(scope="session")
def card(tmp_path_factory):
    """e+e- -> mu+ mu- gamma at 250 GeV."""
    path = tmp_path_factory.mktemp("card") / "Sherpa.yaml"
    path.write_text(CARD)
    return path


PLUGIN = {"SHERPA_LDADD": "SherpaBinnis", "INTEGRATOR": ["Binnis"]}


class Optimised:
    """A run of Sherpa with the plug-in looking on: its folder, its output, its recorded points."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.text = text
        self.results = folder / "Results.zip"
        self.points = folder / f"points.{NAME}.points"


@pytest.fixture(scope="session")
def optimised(program, card, tmp_path_factory):
    """Sherpa's own optimisation with recorded points."""
    folder = tmp_path_factory.mktemp("optimised")
    return Optimised(folder, run_sherpa(program, card, {**PLUGIN, "BINNIS": {"RECORD": "points"}}, folder))
