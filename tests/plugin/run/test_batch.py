"""Batch systems: jobs that dask-jobqueue hands to `sbatch` do the work; examples are valid; mistakes are told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mcbridge.errors import UserError
from plugin.card import Card, load_card, parse_card
from tests.plugin.run.test_resume import job  # noqa: F401 (fixture)
from tests.plugin.run.test_where import content_hash, done

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "scaling"

SBATCH = """#!/bin/sh
# Starts a job at once, on this machine, and keeps its script.
cp "$1" "{folder}/script.$$"
setsid sh "{folder}/script.$$" > "{folder}/job.$$.log" 2>&1 < /dev/null &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for id in "$@"; do kill -- "-$id" 2> /dev/null || kill "$id" 2> /dev/null; done
exit 0
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """`sbatch` and `scancel` that stand for those of SLURM."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH.format(folder=folder)), ("scancel", SCANCEL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return folder


@pytest.mark.slow
def test_jobs_of_slurm_give_the_same_events(job, slurm, monkeypatch):  # noqa: F811
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(job)
    expected = content_hash(done(job, "here").events)
    options = {"walltime": "00:10:00", "memory": "1GB", "queue": "short", "interface": "lo"}
    found = done(job, "slurm_run", cluster="slurm", workers=2, cluster_options=options)
    assert content_hash(found.events) == expected
    scripts = [path.read_text() for path in slurm.glob("script.*")]
    assert len(scripts) == 2
    for text in scripts:
        assert "#SBATCH -p short" in text
        assert "#SBATCH -t 00:10:00" in text
        assert sys.executable in text
        assert "--nthreads 1" in text


@pytest.mark.parametrize("name", ["slurm", "htcondor"])
def test_the_examples_are_valid_cards(name):
    card = load_card(EXAMPLES / f"{name}.yaml")
    assert (card.scaling.cluster, card.scaling.workers) == (name, 200)


def test_the_example_with_namespaces_is_a_script():
    subprocess.run(["bash", "-n", str(EXAMPLES / "namespaces.sh")], check=True)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of a cluster that was never made
@pytest.mark.skipif(shutil.which("sbatch") is not None, reason="there is a SLURM")
def test_an_option_that_the_cluster_does_not_know_is_told(job, monkeypatch):  # noqa: F811
    pytest.importorskip("dask_jobqueue")
    monkeypatch.chdir(job)
    with pytest.raises(UserError, match=r"the slurm cluster cannot be started with .*qeue"):
        done(job, "out", cluster="slurm", workers=1, cluster_options={"qeue": "short"})
    assert not (job / "out").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("scaling: {workers: 0}", "'scaling.workers'"),
        ("scaling: {cluster: slurm}", "needs the number of its workers"),
        ("scaling: {cluster: slurm, workers: 2, scheduler: 'tcp://a:1'}", "give one of them"),
        ("scaling: {scheduler: 'localhost:8786'}", "'scaling.scheduler'"),
        ("scaling: {cluster: slrum, workers: 2}", "did you mean 'slurm'"),
        ("scaling: {wokers: 2}", "did you mean 'workers'"),
        ("scaling: {time_limit: 0}", "'scaling.time_limit'"),
    ],
)
def test_wrong_entries_are_told(text, words):
    with pytest.raises(UserError, match=words):
        parse_card(text)


def test_without_dask_the_sentence_names_what_to_install(job, monkeypatch):  # noqa: F811
    monkeypatch.setitem(sys.modules, "mcbridge.scaling.cluster", None)
    monkeypatch.chdir(job)
    with pytest.raises(UserError, match=r"needs Dask, which is not installed .*pip install 'binnis\[cluster\]'"):
        done(job, "out", cluster="local", workers=1)


def test_in_process_is_the_default():
    assert Card().scaling.workers is None
    assert Card().scaling.cluster is None
