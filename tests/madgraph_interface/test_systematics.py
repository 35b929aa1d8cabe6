"""MadGraph's own systematics weights give sigma_th; on a real MadGraph (see test_madgraph.py).

MadGraph computes the weights with the Python module of LHAPDF. A stand-in that reads the same grids takes its place.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fixed_scale import nn23lo1
from benchmarks.madgraph import PROCESSES, launch, prepare
from mcbridge.lhe.declared import declared_groups, weights_of_event
from mcbridge.lhe.raw import RawFile
from mcbridge.uncertainties.theory import scale_uncertainty

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MG5_DIR"), reason="MG5_DIR does not name a MadGraph5_aMC@NLO"),
]
HERE = Path(__file__).parent


@pytest.fixture
def lhapdf(tmp_path, monkeypatch):
    """What MadGraph needs to find LHAPDF: ``lhapdf-config``, the module, and the set nn23lo1."""
    python = os.environ.get("MG5_PYTHON", sys.executable)
    code = "import sys; print(*sys.version_info[:2])"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    if found != [str(number) for number in sys.version_info[:2]]:
        pytest.skip("MG5_PYTHON has another version than this Python")
    nn23lo1(tmp_path / "pdf")
    (tmp_path / "pdf/pdfsets.index").write_text("247000 NNPDF23_lo_as_0130_qed 1\n")
    script = tmp_path / "bin/lhapdf-config"
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\ncase "$1" in\n--version) echo 6.5.4;;\n--libdir) echo {tmp_path};;\n'
        f"--datadir) echo {tmp_path}/pdf;;\nesac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path / "pdf"))
    monkeypatch.setenv("BINNIS_STAND_IN", os.pathsep.join(entry for entry in [os.getcwd(), *sys.path] if entry))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE / "stand_in"), os.environ.get("PYTHONPATH", "")]))


@pytest.mark.usefixtures("lhapdf")
def test_scale_weights_of_madgraph_give_sigma_th(tmp_path):
    directory = prepare(PROCESSES["drell-yan"], tmp_path / "systematics")
    arguments = "['--mur=0.5,1,2', '--muf=0.5,1,2', '--pdf=central']"
    found = launch(
        directory, "run_01", "flow", 5000, 41, use_syst=True, systematics_program="systematics",
        systematics_arguments=arguments,
    )  # fmt: skip
    file = RawFile(directory / "Events/run_01/unweighted_events.lhe.gz")
    scales = [
        weight.id
        for group in declared_groups(file.preamble)
        for weight in group.weights
        if weight.attributes.get("muf") in ("0.5", "2.0") and "dyn_scale" not in weight.attributes
    ]
    assert len(scales) == 6  # three values of mu_R each, which do not matter here
    theory = found.summary["annotation"]["header"]["theory"]
    assert found.summary["annotation"]["annotated"]
    assert theory
    checked = 0
    for block in file:
        for event in block.events:
            head = event[: event.index(b">")]
            weights = dict(weights_of_event(event))
            own = float(event.split(b"\n", 1)[1].split()[2])
            ratios = np.array([[1.0, *(float(weights[name.encode()]) / own for name in scales)]])
            value = float(head.split(b'sigma_th="')[1].split(b'"')[0])
            # |M|^2 has no alpha_s: the seven-point envelope is that of the two factorisation scales
            assert value == pytest.approx(float(scale_uncertainty(ratios)[0]), rel=1e-3, abs=1e-6)
            checked += 1
    assert checked == 5000
