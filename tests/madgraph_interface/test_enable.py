"""Switching on and off restores every byte, and what cannot be supported is refused in one sentence."""

from __future__ import annotations

import os

import pytest

from madgraph_interface import enable as module
from madgraph_interface.enable import disable, enable, status
from madgraph_interface.run_card import add_entries, read_settings, remove_entries
from mcbridge.errors import UserError


def everything(root):
    """Content, mode and time of every file."""
    found = {}
    for path in sorted(root.rglob("*")):
        state = path.stat()
        content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (content, state.st_mode, state.st_mtime_ns if path.is_file() else 0)
    return found


def test_disable_restores_every_byte(directory):
    program = directory / "SubProcesses/P1_toy/madevent"
    program.write_bytes(b"\x7fELF a program without the hook")
    program.chmod(0o755)
    before = everything(directory)
    enable(directory)
    assert not program.exists()  # make has to link it anew
    assert "--wrap=ntuple_" in (directory / "Source/make_opts").read_text()
    assert status(directory).enabled
    disable(directory)
    assert everything(directory) == before


def test_enabling_twice_is_enabling_once(directory):
    before = everything(directory)
    enable(directory)
    first = (directory / "Source/make_opts").read_text(), (directory / "Cards/run_card.dat").read_text()
    enable(directory)
    assert ((directory / "Source/make_opts").read_text(), (directory / "Cards/run_card.dat").read_text()) == first
    disable(directory)
    assert everything(directory) == before


def test_changes_of_the_user_survive_disable(directory):
    before = everything(directory)
    enable(directory)
    card = directory / "Cards/run_card.dat"
    card.write_text(card.read_text().replace("10000 = nevents", "777 = nevents").replace("auto = flow", "flow = flow"))
    options = directory / "Source/make_opts"  # MadGraph writes variables at its top, without a newline at its end
    options.write_text("PYTHIA8_PATH=NotInstalled\n" + options.read_text().rstrip("\n"))
    disable(directory)
    assert card.read_bytes() == before["Cards/run_card.dat"][0].replace(b"10000", b"777")
    assert options.read_bytes() == b"PYTHIA8_PATH=NotInstalled\n" + before["Source/make_opts"][0]


def test_programs_linked_with_the_hook_go_away(directory):
    enable(directory)
    program = directory / "SubProcesses/P1_toy/madevent"
    program.write_bytes(b"... hook_survey_done ...")
    assert status(directory).linked == {"P1_toy": True}
    disable(directory)
    assert not program.exists()


def test_a_failure_changes_nothing(directory, monkeypatch):
    before = everything(directory)

    def fails(*arguments):
        raise OSError("the disk is full")

    monkeypatch.setattr(module, "_settings", fails)
    with pytest.raises(UserError, match="the disk is full"):
        enable(directory)
    assert everything(directory) == before


def make_nlo(root):
    (root / "bin/aMCatNLO").touch()
    (root / "SubProcesses/MGVersion.txt").write_text("3.5.7")


def make_gridpack(root):
    (root / "bin/gridrun").touch()


def wrap(root):
    path = root / "Source/make_opts"
    path.write_text(path.read_text() + "\nLDFLAGS += -Wl,--wrap=matrix_\n")


def write(name, text):
    return lambda root: (root / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (make_nlo, "NLO"),
        (make_gridpack, "gridpack"),
        (wrap, "another plug-in"),
        (write("bin/internal/launch_plugin.py", ""), "another plug-in"),
        (write("SubProcesses/makefile", "include cudacpp.mk"), "cudacpp"),
        (write("MGMEVersion.txt", "3.6.2\n"), r"3\.6\.2"),
        (write("MGMEVersion.txt", ""), "unknown version"),
        (write("Source/dsample.f", "      call other\n"), "dsample.f"),
        (write("SubProcesses/proc_characteristics", " loop_induced = True \n"), "loop-induced"),
        (lambda root: (root / "SubProcesses/subproc.mg").unlink(), "no process directory"),
    ],
)
def test_refusals(directory, change, words):
    change(directory)
    before = everything(directory)
    with pytest.raises(UserError, match=words) as said:
        enable(directory)
    assert "\n" not in str(said.value)
    assert everything(directory) == before


def test_what_is_no_directory(tmp_path):
    with pytest.raises(UserError, match="no directory"):
        enable(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no process directory"):
        enable(tmp_path)


def test_disable_needs_enable(directory):
    with pytest.raises(UserError, match="not enabled"):
        disable(directory)


def test_run_card_entries_come_and_go():
    text = "#***\n 10000 = nevents ! Number\n"
    for given in (text, text.rstrip("\n"), ""):
        added = add_entries(given)
        assert add_entries(added) == added
        assert remove_entries(added).rstrip("\n") == given.rstrip("\n")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("flo = flow_sampler", "did you mean 'flow'"),
        ("10 = flow_evaluations", "2000"),
        ("x = flow_uncertainties", "True"),
    ],
)
def test_wrong_entries_are_told(directory, entry, words):
    enable(directory)
    path = directory / "Cards/run_card.dat"
    name = entry.split()[-1]
    lines = [line for line in path.read_text().splitlines() if f" = {name}" not in line]
    path.write_text("\n".join([*lines, entry]) + "\n")
    with pytest.raises(UserError, match=words):
        read_settings(path)


def test_a_card_without_the_entries_leaves_madevent_as_it_is(directory):
    assert read_settings(directory / "Cards/run_card.dat").sampler == "vegas"


def test_the_script_after_a_run_still_runs_madgraphs_own(directory):
    enable(directory)
    script = directory / "bin/internal/gen_cardhtml-pl"
    assert os.access(script, os.X_OK)
    assert "binnis/original/bin/internal/gen_cardhtml-pl" in script.read_text()
