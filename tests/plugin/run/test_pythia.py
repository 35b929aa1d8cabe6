"""Pythia 8 reads the annotated event files, with their weights by name, and showers the events.

BINNIS_PYTHIA names a Python that has pythia8mc; without it, that of the tests is taken if it has the module. Or
BINNIS_PYTHIA_FLAGS says how a C++ program is compiled and linked with Pythia 8 (``pythia8-config --cxxflags --libs``).
docs/contributing.md says how to get either.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest

from mcbridge.lhe.declared import weights_of_event
from mcbridge.lhe.raw import RawFile
from plugin.card import parse_card
from plugin.run import run

PYTHON = os.environ.get("BINNIS_PYTHIA") or (sys.executable if importlib.util.find_spec("pythia8mc") else "")
FLAGS = os.environ.get("BINNIS_PYTHIA_FLAGS", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON and not FLAGS, reason="no pythia8mc, nor BINNIS_PYTHIA or BINNIS_PYTHIA_FLAGS"),
]
EVENTS = 200
CARD = """
process: {name: drell-yan}
sampler: flow
events: 300
survey: {evaluations: 20000}
training: {evaluations: 5000, steps: 100, fine_tuning_steps: 50}
choice: {evaluations: 5000}
integration: {evaluations: 20000}
uncertainties: {replicas: 8, steps: 200}
"""
WITH_PYTHON = """
import sys
import pythia8mc
path, number, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
pythia = pythia8mc.Pythia("", False)
for setting in ("Beams:frameType = 4", "Beams:LHEF = " + path, "Print:quiet = on"):
    assert pythia.readString(setting)
assert pythia.init()
for event in range(number):
    assert pythia.next()
    info = pythia.infoPython()
    print("event", pythia.event.size(), info.weight(), *(info.getWeightsDetailedValue(name) for name in names))
"""
WITH_CPP = """
#include <cstdio>
#include "Pythia8/Pythia.h"
int main(int arguments, char** argument) {
  Pythia8::Pythia pythia("", false);
  pythia.readString("Beams:frameType = 4");
  pythia.readString(std::string("Beams:LHEF = ") + argument[1]);
  pythia.readString("Print:quiet = on");
  if (!pythia.init()) return 1;
  for (int event = 0; event < atoi(argument[2]); ++event) {
    if (!pythia.next()) return 1;
    printf("event %d %.10g", pythia.event.size(), pythia.info.weight());
    for (int k = 3; k < arguments; ++k) printf(" %.10g", pythia.info.getWeightsDetailedValue(argument[k]));
    printf("\\n");
  }
}
"""


def read(path, names, folder):
    """Number of particles, nominal weight and named weights of the first events, as Pythia has them."""
    plain = folder / "plain.lhe"
    with gzip.open(path) as source, plain.open("wb") as copy:
        shutil.copyfileobj(source, copy)
    if FLAGS:
        (folder / "reader.cc").write_text(WITH_CPP)
        compile_ = ["g++", "-std=c++11", "-w", "reader.cc", "-o", "reader", *shlex.split(FLAGS)]
        subprocess.run(compile_, cwd=folder, check=True)
        command = ["./reader"]
    else:
        command = [PYTHON, "-c", WITH_PYTHON]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command += [str(plain), str(EVENTS), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return np.array([line.split()[1:] for line in done.stdout.splitlines() if line.startswith("event ")], dtype=float)


def check(path, folder):
    """All events are there, showered, with the nominal weight and every replica of the file."""
    events = [event for block in RawFile(path) for event in block.events][:EVENTS]
    lines = [event.split(b"\n", 1)[1].split() for event in events]
    weights = [weights_of_event(event) for event in events]
    replicas = sorted(name for name in weights[0] if name.startswith(b"binn_"))
    assert len(replicas) >= 8
    found = read(path, [name.decode() for name in replicas], folder)
    assert len(found) == EVENTS
    assert np.all(found[:, 0] > [2 * int(line[0]) for line in lines])
    own = np.array([float(line[2]) for line in lines])
    np.testing.assert_allclose(found[:, 1] / found[0, 1], own / own[0], rtol=1e-6)  # in pb, or in mb
    expected = np.array([[float(of_event[name]) for name in replicas] for of_event in weights])
    np.testing.assert_allclose(found[:, 2:], expected, rtol=1e-6)


def test_pythia_reads_the_events_of_a_run(tmp_path):
    check(run(parse_card(CARD), tmp_path / "run", quiet=True).events, tmp_path)


@pytest.mark.skipif(not os.environ.get("MG5_DIR"), reason="MG5_DIR does not name a MadGraph5_aMC@NLO")
def test_pythia_reads_the_annotated_events_of_madgraph(tmp_path):
    from benchmarks.madgraph import PROCESSES, launch, prepare

    directory = prepare(PROCESSES["drell-yan"], tmp_path / "process")
    found = launch(directory, "run_01", "flow", 3000, 21)
    assert found.summary["annotation"]["annotated"]
    check(directory / "Events/run_01/unweighted_events.lhe.gz", tmp_path)
