"""On a real MadGraph: skipped where the environment variable MG5_DIR names none (MG5_PYTHON: its Python, with six)."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from benchmarks.madgraph import PROCESSES, launch, mg5, prepare
from madgraph_interface.amplitude import MadGraphAmplitude
from madgraph_interface.enable import disable, status
from mcbridge.lhe import EventFile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("MG5_DIR"), reason="MG5_DIR does not name a MadGraph5_aMC@NLO"),
]


def consistent(first, second, sigmas=3.0):
    difference = first["cross_section_pb"] - second["cross_section_pb"]
    error = np.hypot(first["cross_section_error_pb"], second["cross_section_error_pb"])
    return abs(difference) < sigmas * error


def outgoing(path):
    """Momenta (n, particles, 4) of the outgoing particles, ordered by PDG number, and weights."""
    momenta, weights = [], []
    for block in EventFile(path):
        for index in range(len(block)):
            own = block.status[index] == 1
            order = np.argsort(-block.pdg_ids[index][own], kind="stable")
            momenta.append(block.momenta[index][own][order])
            weights.append(block.weight[index])
    return np.array(momenta), np.array(weights)


def observables(p):
    found = {}
    for i in range(p.shape[1]):
        found[f"pT {i}"] = np.hypot(p[:, i, 1], p[:, i, 2])
        found[f"y {i}"] = np.arctanh(p[:, i, 3] / p[:, i, 0])
    for i, j in itertools.combinations(range(p.shape[1]), 2):
        pair = p[:, i] + p[:, j]
        found[f"m {i}{j}"] = np.sqrt(np.maximum(pair[:, 0] ** 2 - np.sum(pair[:, 1:] ** 2, axis=1), 0))
    total = p.sum(axis=1)
    found["y"] = np.arctanh(total[:, 3] / total[:, 0])
    return found


def distance(a, weights_a, b, weights_b, bins=25):
    """chi2 and degrees of freedom of two weighted samples, shapes only."""
    edges = np.unique(np.quantile(np.concatenate([a, b]), np.linspace(0, 1, bins + 1)))
    parts = []
    for values, weights in ((a, weights_a), (b, weights_b)):
        total = weights.sum()
        heights = np.histogram(values, edges, weights=weights)[0] / total
        parts.append((heights, np.histogram(values, edges, weights=weights**2)[0] / total**2))
    (first, var_first), (second, var_second) = parts
    return float(np.sum((first - second) ** 2 / (var_first + var_second))), len(first) - 1


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("madgraph")


@pytest.fixture(scope="module")
def top(work):
    """gg -> ttbar g: the directory, a run of MadEvent alone and one with flows."""
    directory = prepare(PROCESSES["ttbar+gluon"], work / "top")
    alone = launch(directory, "run_01", "vegas", 20_000, 11)
    flow = launch(directory, "run_02", "flow", 20_000, 12)
    return directory, alone.summary, flow.summary


def test_cross_sections_agree(top):
    _, alone, flow = top
    assert consistent(alone, flow)
    assert flow["events"] == alone["events"] == 20_000
    assert sum(channel["sampler"] == "flow" for channel in flow["training"]["channels"]) >= 5
    assert flow["madevent"]["refine"]["evaluations"] < 0.7 * alone["madevent"]["refine"]["evaluations"]


def test_distributions_agree(top):
    directory, _, _ = top
    samples = [outgoing(directory / f"Events/run_0{k}/unweighted_events.lhe.gz") for k in (1, 2)]
    assert len(observables(samples[0][0])) >= 10
    for name in observables(samples[0][0]):
        (a, wa), (b, wb) = ((observables(momenta)[name], weights) for momenta, weights in samples)
        chi2, dof = distance(a, wa, b, wb)
        assert chi2 < dof + 4.5 * np.sqrt(2 * dof), name


def test_a_second_launch_keeps_the_samplers_and_can_be_larger(top):
    directory, alone, _ = top
    log = (directory / "binnis/train.log").read_text()
    again = launch(directory, "run_03", "auto", 40_000, 13).summary
    assert again["events"] == 40_000
    assert consistent(alone, again)
    said = (directory / "binnis/train.log").read_text()[len(log) :]
    assert " 0 evaluations, " in said


def test_madgraphs_own_parser_reads_the_file(top):
    directory, _, _ = top
    code = (
        f"import sys; sys.path.insert(0, {str(mg5())!r}); import madgraph.various.lhe_parser as parser\n"
        f"events = parser.EventFile({str(directory / 'Events/run_02/unweighted_events.lhe.gz')!r})\n"
        "print(sum(1 for event in events if len(event) == 5))"
    )
    python = os.environ.get("MG5_PYTHON", sys.executable)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "20000"


def test_disable_after_runs(top):
    directory, _, _ = top
    assert all(status(directory).linked.values())
    disable(directory)
    assert "flow_" not in (directory / "Cards/run_card.dat").read_text()
    assert "--wrap" not in (directory / "Source/make_opts").read_text()
    assert not status(directory).enabled
    prepare(PROCESSES["ttbar+gluon"], directory)


def test_a_launch_that_was_killed(work):
    directory = prepare(PROCESSES["drell-yan"], work / "killed")
    lines = [f"launch {directory} -n run_01", "set nevents 10000", "set flow_sampler flow"]
    (work / "killed.txt").write_text("\n".join(lines) + "\n")
    program = [os.environ.get("MG5_PYTHON", sys.executable), str(mg5() / "bin/mg5_aMC"), str(work / "killed.txt")]
    with (work / "killed.log").open("wb") as log:
        killed = subprocess.Popen(program, cwd=work, stdout=log, stderr=log, start_new_session=True)
    deadline = time.time() + 300
    while not (directory / "binnis/lock").exists() and time.time() < deadline:  # the training has begun
        time.sleep(0.2)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    (directory / "RunWeb").unlink(missing_ok=True)
    alone = launch(directory, "run_02", "vegas", 20_000, 6).summary
    flow = launch(directory, "run_03", "flow", 20_000, 7).summary
    assert flow["events"] == 20_000
    assert consistent(alone, flow)


def test_matrix_element_of_ttbar_gluon(work):
    target = work / "standalone"
    script = work / "standalone.txt"
    script.write_text(f"generate g g > t t~ g\noutput standalone {target} --prefix=int\n")
    python = os.environ.get("MG5_PYTHON", sys.executable)
    subprocess.run([python, str(mg5() / "bin/mg5_aMC"), str(script)], cwd=work, check=True, capture_output=True)
    folder = target / "SubProcesses"
    environment = dict(os.environ, SETUPTOOLS_USE_DISTUTILS="stdlib")
    f2py = f"F2PY={sys.executable} -m numpy.f2py"
    subprocess.run(["make", "all_matrix2py.so", f2py], cwd=folder, env=environment, check=True, capture_output=True)
    program = next(folder.glob("P*"))
    subprocess.run(["make", "check"], cwd=program, check=True, capture_output=True)
    said = subprocess.run(["./check"], cwd=program, check=True, capture_output=True, text=True).stdout
    rows = re.findall(r"^ \d +(\S+) +(\S+) +(\S+) +(\S+) +\S+$", said, re.MULTILINE)
    value = float(re.findall(r"Matrix element =\s+(\S+)", said)[0])
    amplitude = MadGraphAmplitude(target, [21, 21, 6, -6, 21])
    found = amplitude(np.array([rows], dtype=float))[0]
    assert value == pytest.approx(5.287584e-4, rel=1e-6)
    assert found == pytest.approx(value, rel=1e-4)  # its momenta are printed with seven digits
