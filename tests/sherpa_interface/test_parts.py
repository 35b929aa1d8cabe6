"""The parts around Sherpa that need no Sherpa: finding and building it, its output, its files."""

from __future__ import annotations

import gzip
import os
import struct

import numpy as np
import pylhe
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.errors import UserError
from sherpa_interface import locate
from sherpa_interface.build import build_plugin
from sherpa_interface.card import BINNIS_KEYS
from sherpa_interface.events import _annotated, scan_events
from sherpa_interface.install import install_sherpa
from sherpa_interface.integrand import MOST_CELLS, coarse_edges
from sherpa_interface.locate import Sherpa, find_sherpa
from sherpa_interface.output import cross_sections
from sherpa_interface.points import read_points
from sherpa_interface.process import Installation, dump_settings, error_in_log, run_sherpa

OUTPUT = """\
Starting the calculation at 08:08:22. Lean back and enjoy ... .
0.624738 pb +- ( 0.010429 pb = 1.66934 % ) 5000 ( 8319 -> 60.1 % )
full optimization:  ( 0s elapsed / 7s left ) [08:08:22]
0.612056 pb +- ( 0.000577736 pb = 0.0943927 % ) 480000 ( 590806 -> 83.4 % )
2_3__e-__e+__mu-__mu+__P : 0.612056 pb +- ( 0.000577736 pb = 0.0943927 % )  exp. eff: 1.99524 %
1.6932e+03 pb +- ( 1.4 pb = 0.08 % ) 10 ( 20 -> 50 % )
2_2__j__j__e-__e+ : 1.6932e+03 pb +- ( 1.4 pb = 0.08 % )  exp. eff: 22.2714 %
"""


def installation(folder, version="3.0.3", headers=True):
    """A folder that looks like Sherpa's prefix."""
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "Sherpa"
    program.write_text(f"#!/bin/sh\necho 'Sherpa version {version} (Test)'\n")
    program.chmod(0o755)
    if headers:
        (folder / "include" / "SHERPA-MC" / "ATOOLS" / "Org").mkdir(parents=True)
        (folder / "include" / "SHERPA-MC" / "ATOOLS" / "Org" / "CXXFLAGS.H").write_text("")
    return folder


def test_sherpa_is_found_by_prefix_variable_and_path(tmp_path, monkeypatch):
    found = find_sherpa(installation(tmp_path / "a"))
    assert found.version == "3.0.3"
    monkeypatch.setenv("SHERPA_PREFIX", str(installation(tmp_path / "b")))
    assert find_sherpa().prefix == tmp_path / "b"
    monkeypatch.delenv("SHERPA_PREFIX")
    monkeypatch.setenv("PATH", f"{installation(tmp_path / 'c') / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert find_sherpa().prefix == tmp_path / "c"


@pytest.mark.parametrize("version", ["2.2.16", "3.1.0"])
def test_other_versions_are_refused(tmp_path, version):
    with pytest.raises(UserError, match=rf"is Sherpa {version}; supported are 3\.0\.0 to below 3\.1\.0"):
        find_sherpa(installation(tmp_path / "sherpa", version))


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no bin/Sherpa"):
        find_sherpa(tmp_path)
    with pytest.raises(UserError, match="no headers"):
        find_sherpa(installation(tmp_path / "sherpa", headers=False))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("SHERPA_PREFIX", raising=False)
    monkeypatch.setattr(locate, "default_prefix", lambda: tmp_path / "none")
    with pytest.raises(UserError, match="binnis sherpa install"):
        find_sherpa()


def test_an_installation_is_not_put_on_top_of_something_else(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="is not empty"):
        install_sherpa(tmp_path)
    assert (tmp_path / "file").read_text() == "mine"


def test_build_needs_a_compiler_and_tells_what_failed(tmp_path, monkeypatch):
    sherpa: Sherpa = find_sherpa(installation(tmp_path / "sherpa"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UserError, match="no C\\+\\+ compiler 'no-such-compiler'"):
        build_plugin(sherpa, tmp_path / "out")
    monkeypatch.delenv("CXX")
    with pytest.raises(UserError, match=r"compiling \w+\.cpp with .* failed"):
        build_plugin(sherpa, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_cross_sections_of_all_processes_are_read():
    found = cross_sections(OUTPUT)
    assert list(found) == ["2_3__e-__e+__mu-__mu+__P", "2_2__j__j__e-__e+"]
    first, second = found.values()
    assert (first.value, first.error, first.points) == (0.612056, 0.000577736, 590806)
    assert (second.value, second.points) == (1693.2, 20)


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("x\n\x1b[1mFatal error\x1b[0m thrown:\n\x1b[31mBinnis: no file\x1b[0m\nmore\n", "no file"),
        ("ATOOLS/YAML/yaml-cpp: error at line 1\n", "yaml-cpp: error at line 1"),
        ("Signal \x1b[1m(\x1b[31m11\x1b[0m) caught.\n Abort immediately.\n", "it crashed (signal 11)"),
        ("the last words\n\n", "the last words"),
        ("", "exit code 3"),
    ],
)
def test_errors_of_sherpa_in_one_line(log, sentence):
    assert error_in_log(log, 3) == sentence


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=200))
def test_coarse_edges_are_a_partition_by_given_edges(widths):
    edges = np.concatenate([[0.0], np.cumsum(widths) / np.sum(widths)])
    edges[-1] = 1.0
    edges = np.unique(edges)
    found = coarse_edges(edges)
    assert found[0] == 0.0
    assert found[-1] == 1.0
    assert set(found) <= set(edges.tolist())
    assert len(found) - 1 <= MOST_CELLS
    assert len(found) == 2 or np.min(np.diff(found)) >= 1e-4


def record(path, rows, dim):
    path.write_bytes(b"MCBRECD1" + struct.pack("<q", dim) + np.asarray(rows, dtype=np.float64).tobytes())
    return path


def test_recorded_points_are_read_and_a_torn_last_one_left_out(tmp_path):
    rows = [[0, 0.1, 0.2, 5.0, 1.0], [0, 0.3, 0.4, 0.0, 2.0]]
    path = record(tmp_path / "points", rows, 2)
    with path.open("ab") as stream:
        stream.write(b"12345678" * 3)
    found = read_points(path, 2)
    np.testing.assert_array_equal(found.u, [[0.1, 0.2], [0.3, 0.4]])
    np.testing.assert_array_equal(found.weight, [5.0, 0.0])
    np.testing.assert_array_equal(found.density, [1.0, 2.0])


def test_other_files_are_no_recorded_points(tmp_path):
    (tmp_path / "text").write_text("not a record, but long enough to be one")
    with pytest.raises(UserError, match="no file of recorded points"):
        read_points(tmp_path / "text", 2)
    with pytest.raises(UserError, match="have 3 dimensions, the process has 2"):
        read_points(record(tmp_path / "points", [], 3), 2)
    with pytest.raises(UserError, match="cannot be read"):
        read_points(tmp_path / "none", 2)


def event(trials, weight, px=1.0):
    momentum = f"{px} 0 0 {abs(px)} 0 0 9"
    return (
        f"<event trials='{trials}' muf2='1' mur2='1'>\n 3 1 {weight} 9.1e1 -1 0.1\n"
        f" 11 -1 0 0 0 0 {momentum}\n -11 -1 0 0 0 0 {momentum}\n 23 1 1 2 0 0 {momentum}\n</event>\n"
    )


HEAD = (
    "<LesHouchesEvents version='1.0'>\n<header>\n</header>\n<init>\n 11 -11 125 125 0 0 -1 -1 3 1\n 1 1 1 1\n</init>\n"
)


def test_cross_section_of_an_event_file_is_weights_over_trials(tmp_path):
    """An event with no trial is the one before again, since its weight was too large for one event."""
    path = tmp_path / "events.lhe"
    path.write_text(HEAD + event(3, 2.0) + event(0, 2.0) + event(1, 2.0) + "</LesHouchesEvents>\n")
    found = scan_events(path)
    assert (found.events, found.trials, found.weight) == (3, 4.0, 2.0)
    assert found.cross_section == pytest.approx(6.0 / 4.0)
    assert found.efficiency == pytest.approx(3 / 4)
    assert found.overweight == pytest.approx(1 / 3)
    (tmp_path / "empty").write_text(HEAD)
    with pytest.raises(UserError, match="holds no event"):
        scan_events(tmp_path / "empty")
    (tmp_path / "torn").write_text(HEAD + "<event trials='1'>\n</event>\n")
    with pytest.raises(UserError, match="damaged at event"):
        scan_events(tmp_path / "torn")


def test_annotated_events_are_read_by_pylhe(tmp_path):
    path, out = tmp_path / "events.lhe", tmp_path / "events.lhe.gz"
    card = "<SHRunCard>\nX: a < b & c\n</SHRunCard>\n</header>"  # Sherpa copies the card, which need not be XML
    path.write_text(HEAD.replace("</header>", card) + event(1, 2.0) + event(1, 2.0) + "</LesHouchesEvents>\n")
    ratios = [np.array([0.9, 1.1, 1.0]), None]
    with gzip.open(out, "wt") as stream:
        stream.writelines(_annotated(path, ratios, 3, (1.5, 0.1), scan_events(path)))
    file = pylhe.LHEFile.fromfile(str(out))
    events = list(file.events)
    assert [dict(entry.weights) for entry in events] == [
        {"binn_001": 1.8, "binn_002": 2.2, "binn_003": 2.0},
        {"binn_001": 2.0, "binn_002": 2.0, "binn_003": 2.0},
    ]
    assert float(events[0].attributes["sigma_stat"]) == pytest.approx(0.1)
    assert float(events[0].attributes["trials"]) == 1
    assert file.init.procInfo[0].xSection == pytest.approx(1.5)


def test_settings_for_sherpa_have_no_anchors():
    order = {"Order": {"EW": 2}}
    text = dump_settings({"PROCESSES": [{"1 -1 -> 11 -11": order}, {"2 -2 -> 11 -11": order}]})
    assert "&" not in text
    assert yaml.safe_load(text)["PROCESSES"][1] == {"2 -2 -> 11 -11": order}


def test_plugin_and_python_know_the_same_settings():
    source = (build_plugin.__globals__["_SOURCES"] / "settings.cpp").read_text()
    for key in BINNIS_KEYS:
        assert f'"{key}"' in source


def test_sherpa_is_given_the_files_of_a_card_by_absolute_paths(tmp_path):
    """A card in another folder names a file beside it; here the program only shows its cards."""
    prefix = installation(tmp_path / "sherpa")
    sherpa = find_sherpa(prefix)
    (prefix / "bin" / "Sherpa").write_text('#!/bin/sh\ncat "$@"\n')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.dat").write_text("")
    card = tmp_path / "sub" / "Sherpa.yaml"
    card.write_text("PARAMETER_FILE: model.dat\n")
    (tmp_path / "run").mkdir()
    text = run_sherpa(Installation(sherpa, tmp_path / "lib.so"), card, {"EVENTS": 3}, tmp_path / "run")
    assert text == f"PARAMETER_FILE: model.dat\nPARAMETER_FILE: {tmp_path}/sub/model.dat\nEVENTS: 3\n"
