"""Files from strangers: cards, states and checkpoints are read or refused in a sentence, and never executed."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.samplers import Sampler
from plugin.card import Card, dump_card, override, parse_card, process_names, template
from plugin.run import resume
from plugin.run.status import print_status, read_status
from plugin.training import load_checkpoint
from tests.plugin.run.test_resume import interrupted  # noqa: F401 (fixture)
from tests.plugin.run.test_run import here, pairs  # noqa: F401 (fixtures)

ROOT = Path(__file__).parents[3]
FUZZ = settings(
    max_examples=int(os.environ.get("BINNIS_FUZZ", "40")),
    deadline=None,
    derandomize="BINNIS_FUZZ" not in os.environ,  # the ordinary suite is the same every time
    phases=(Phase.explicit, Phase.generate),  # a smaller example is not worth minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)


def told(function, *arguments):
    """What a function returns, or None where it says in one sentence what is wrong."""
    try:
        return function(*arguments)
    except UserError as error:
        sentence = str(error)
    assert sentence
    assert "\n" not in sentence
    return None


def paths_of(data, prefix=()):
    """All places in a nested mapping."""
    for key, value in data.items():
        yield (*prefix, key)
        if isinstance(value, dict):
            yield from paths_of(value, (*prefix, key))


@FUZZ
@given(st.sampled_from(sorted(process_names())), st.data())
def test_cards_with_any_value_at_any_place(process, data):
    card = json.loads(Card.model_validate({"process": {"name": process}}).model_dump_json())
    path = data.draw(st.sampled_from(list(paths_of(card))))
    section = card
    for key in path[:-1]:
        section = section[key]
    section[path[-1]] = data.draw(VALUES)
    if data.draw(st.booleans()):
        section[data.draw(st.text(max_size=8))] = data.draw(VALUES)
    found = told(parse_card, json.dumps(card))
    if found is not None:
        assert parse_card(dump_card(found)) == found


@FUZZ
@given(st.sampled_from(sorted(process_names())), st.data())
def test_cards_with_any_characters(process, data):
    text = list(template(process))
    for _ in range(data.draw(st.integers(1, 5))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.sampled_from("{}[]:#&*!|>'\"%@`\t\n\x00é-?, 0a"))
    told(parse_card, "".join(text))


@FUZZ
@given(st.dictionaries(st.sampled_from(["events", "seed", "sampler", "scaling", "process"]), VALUES))
def test_overrides_with_any_value(entries):
    told(lambda: override(Card(), **entries))


@pytest.fixture
def copies(interrupted, tmp_path):  # noqa: F811
    """Makes copies of the folder of an interrupted run."""
    number = iter(range(10**6))

    def copy():
        return Path(shutil.copytree(interrupted, tmp_path / f"copy_{next(number)}"))

    return copy


@FUZZ
@given(st.data())
def test_status_of_a_damaged_folder(interrupted, data):  # noqa: F811
    for name in ("state.json", "run.jsonl"):
        path = interrupted / name
        whole = path.read_bytes()
        content = bytearray(whole)
        for _ in range(data.draw(st.integers(0, 4))):
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
        path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
        try:
            status = told(read_status, interrupted)
            if status is not None:
                print_status(status)
        finally:
            path.write_bytes(whole)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_resuming_a_damaged_folder(copies, data):
    folder = copies()
    files = ["state.json", "card.yaml", *(f"checkpoints/{path.name}" for path in (folder / "checkpoints").iterdir())]
    path = folder / data.draw(st.sampled_from(sorted(file for file in files if (folder / file).is_file())))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, min(len(content) - 1, 2000)))] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    told(lambda: resume(folder, quiet=True))
    assert not list(folder.glob(".*.gz.*"))  # no partial output
    shutil.rmtree(folder)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('executed')",)


@pytest.mark.parametrize("read", [Sampler.load, load_checkpoint])
@pytest.mark.parametrize("protocol", [0, 4])
def test_a_pickle_is_no_sampler_file_and_no_checkpoint(tmp_path, read, protocol):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps(Bomb(), protocol))
    assert told(read, path) is None


def test_a_run_folder_with_pickles_executes_nothing(interrupted):  # noqa: F811
    for path in (interrupted / "checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(pickle.dumps(Bomb()))
    assert told(lambda: resume(interrupted, quiet=True)) is None


def test_no_module_reads_pickles():
    """Writing them is harmless (vegas' own format of results is one)."""
    forbidden = {"cloudpickle", "dill", "joblib", "shelve", "marshal"}
    reading = {"load", "loads", "Unpickler"}
    for package in ("mcbridge", "plugin", "binnis", "sherpa_interface", "madgraph_interface"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    assert not {alias.name.split(".")[0] for alias in node.names} & forbidden, path
                elif isinstance(node, ast.ImportFrom):
                    assert (node.module or "").split(".")[0] not in forbidden | {"pickle"}, path
                elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("pickle", "torch", "np"):
                    called = ast.unparse(node)
                    assert node.attr not in reading or called == "np.load", f"{path}: {called}"
                elif isinstance(node, ast.Call):
                    given = {keyword.arg: keyword.value for keyword in node.keywords}
                    safe = isinstance(given.get("allow_pickle"), ast.Constant) and not given["allow_pickle"].value
                    assert safe or "allow_pickle" not in given, path
                    assert safe or ast.unparse(node.func) != "np.load", path
