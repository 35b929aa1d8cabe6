"""What is read from a Sherpa run card, and the sentences for what is wrong in it."""

from __future__ import annotations

import pytest

from mcbridge.errors import UserError
from sherpa_interface.card import load_sherpa_card, partonic_processes
from sherpa_interface.paths import absolute_paths, plugin_libraries

MINIMAL = "PROCESSES:\n- 11 -11 -> 13 -13: {}\n"


def load(tmp_path, text):
    path = tmp_path / "Sherpa.yaml"
    path.write_text(text)
    return load_sherpa_card(path)


@pytest.mark.parametrize(("text", "events"), [("", 100), ("EVENTS: 25\n", 25), ("EVENTS: 10k\n", 10_000)])
def test_events(tmp_path, text, events):
    assert load(tmp_path, MINIMAL + text).events == events


def test_every_number_of_jets_is_a_process(tmp_path):
    card = load(tmp_path, "PROCESSES:\n- 93 93 -> 11 -11 93{2}: {Order: {EW: 2}}\n- 11 -11 -> 13 -13\n")
    assert [next(iter(process)) for process in card.processes] == [
        "93 93 -> 11 -11",
        "93 93 -> 11 -11 93",
        "93 93 -> 11 -11 93 93",
        "11 -11 -> 13 -13",
    ]
    assert card.processes[1]["93 93 -> 11 -11 93"] == {"Order": {"EW": 2}}
    assert card.processes[3]["11 -11 -> 13 -13"] is None


def test_a_group_becomes_its_partonic_channels():
    found = partonic_processes({"93 93 -> 11 -11": {"Order": {"EW": 2}}}, [[1, -1, 11, -11], [21, 2, 11, -11, 2]])
    assert found == [{"1 -1 -> 11 -11": {"Order": {"EW": 2}}}, {"21 2 -> 11 -11 2": {"Order": {"EW": 2}}}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("PROCESSES: [\n", "not valid YAML"),
        ("just a text\n", "must hold 'KEY: value' lines"),
        ("EVENTS: 10\n", "PROCESSES must be a list"),
        (MINIMAL + "EVENTS: many\n", "EVENTS is 'many'"),
        (MINIMAL + "ME_GENERATORS: [Amegic]\n", "processes of Comix"),
        (MINIMAL + "INTEGRATOR: Rambo\n", "INTEGRATOR is Rambo"),
        (MINIMAL + "BINNIS: {SAMPLR: flow}\n", "unknown key 'SAMPLR'; did you mean 'SAMPLER'"),
        (MINIMAL + "BINNIS: {SAMPLER: best}\n", "SAMPLER is 'best'"),
        (MINIMAL + "BINNIS: flow\n", "BINNIS is 'flow'"),
    ],
)
def test_mistakes_are_told_in_one_sentence(tmp_path, text, words):
    with pytest.raises(UserError, match=words.replace("(", r"\(")) as told:
        load(tmp_path, text)
    assert "\n" not in str(told.value)
    assert "Sherpa.yaml" in str(told.value)


def test_a_missing_card(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_sherpa_card(tmp_path / "none.yaml")


def test_files_beside_the_card_are_found_from_everywhere(tmp_path, monkeypatch):
    """Sherpa runs in folders of its own: relative paths become absolute, names and what Sherpa writes do not."""
    (tmp_path / "sub" / "grids").mkdir(parents=True)
    (tmp_path / "sub" / "model.dat").write_text("")
    (tmp_path / "sub" / "SM").write_text("")
    (tmp_path / "here.dat").write_text("")
    card = tmp_path / "sub" / "Sherpa.yaml"
    card.write_text(
        "MODEL: SM\nLHAPDF: {GRID_PATH: grids, OTHER: none.dat}\nPARAMETERS: [model.dat, ./model.dat, 3]\n"
        "HERE: here.dat\nRESULT_DIRECTORY: ./grids\nBEAMS: [2212, 2212]\n" + MINIMAL
    )
    monkeypatch.chdir(tmp_path)
    assert absolute_paths(card) == {
        "LHAPDF": {"GRID_PATH": str(tmp_path / "sub" / "grids"), "OTHER": "none.dat"},
        "PARAMETERS": [str(tmp_path / "sub" / "model.dat"), str(tmp_path / "sub" / "model.dat"), 3],
        "HERE": str(tmp_path / "here.dat"),  # not beside the card: the current folder, as for Sherpa itself
    }
    assert absolute_paths(tmp_path / "none.yaml") == {}


@pytest.mark.parametrize(
    ("line", "libraries"),
    [
        ("", ["SherpaBinnis"]),
        ("SHERPA_LDADD: MyScales\n", ["MyScales", "SherpaBinnis"]),
        ("SHERPA_LDADD: [SherpaBinnis, MyScales]\n", ["MyScales", "SherpaBinnis"]),
    ],
)
def test_libraries_of_the_users_own_stay_loaded(tmp_path, line, libraries):
    (tmp_path / "Sherpa.yaml").write_text(line + MINIMAL)
    assert plugin_libraries(tmp_path / "Sherpa.yaml") == libraries
