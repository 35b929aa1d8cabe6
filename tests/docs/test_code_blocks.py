"""Every Python block of README and docs runs, page by page, each page in a folder and a namespace of its own.

The comment ``<!-- test: slow -->`` before a block leaves it to the slow tests. Of a block that imports an interface to
a generator the imports alone run: what it needs is no package, but a MadGraph directory or a Sherpa. A block whose
first line is a comment with a file name is written to that file as well.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"(?:<!-- test: (?P<mark>[a-z]+) -->\n)?```(?P<language>[a-z]+)\n(?P<code>.*?)```", re.DOTALL)
GENERATOR = re.compile(r"^from (sherpa|madgraph)_interface", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block: its page, its line, its text, its mark."""

    page: Path
    line: int
    code: str
    mark: str | None


def blocks(page, language="python"):
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        if match["language"] == language:
            line = text.count("\n", 0, match.start("code"))
            found.append(Block(page, line, match["code"], match["mark"]))
    return found


def prepared_run(folder):
    """The run that docs/uncertainties.md reads: Drell-Yan events with replica weights, on a small budget."""
    from binnis import run
    from plugin.card import parse_card

    card = """
    process: {name: drell-yan, mll: [66, 116]}
    sampler: vegas
    events: 500
    survey: {evaluations: 10000}
    integration: {evaluations: 10000}
    uncertainties: {enabled: true, replicas: 4, steps: 30}
    """
    run(parse_card(card), output=folder / "runs" / "drell-yan_01", quiet=True)


PREPARE = {"uncertainties.md": prepared_run}
NEEDS = {"uncertainties.md": ("mplhep",), "event_files.md": ("pyhepmc",)}


def execute(page, folder, slow):
    namespace = {"__name__": "documentation"}
    for block in blocks(page):
        assert block.mark in (None, "slow"), f"{page.name}: unknown mark {block.mark}"
        if block.mark == "slow" and not slow:
            continue
        named = re.match(r"# (\S+\.py)\n", block.code)
        if named:
            (folder / named[1]).write_text(block.code)
        tree = ast.parse(block.code)
        if GENERATOR.search(block.code):
            tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        ast.increment_lineno(tree, block.line)
        exec(compile(tree, str(page), "exec"), namespace)


def run_page(page, tmp_path, monkeypatch, slow):
    for name in NEEDS.get(page.name, ()):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    if page.name in PREPARE:
        PREPARE[page.name](tmp_path)
    execute(page, tmp_path, slow)


WITH_BLOCKS = [page for page in PAGES if blocks(page)]
WITH_SLOW = [page for page in WITH_BLOCKS if any(block.mark == "slow" for block in blocks(page))]


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: page.name)
def test_the_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch, slow=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_SLOW, ids=lambda page: page.name)
def test_all_python_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    run_page(page, tmp_path, monkeypatch, slow=True)


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
def test_the_program_of_the_c_interface_integrates(tmp_path):
    import mcbridge.core
    from mcbridge.maps import VegasMap

    folder = Path(mcbridge.core.__file__).parent
    (program,) = [block for block in blocks(ROOT / "docs/c_interface.md", "c") if "int main" in block.code]
    (tmp_path / "integrate.c").write_text(program.code)
    VegasMap([[0.0, 0.3, 0.6, 1.0], [0.0, 0.5, 1.0]]).sampler().save(tmp_path / "sampler.mcb")
    subprocess.run(
        ["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "integrate.c", f"-I{folder}/include", f"-L{folder}/lib",
         "-lmcbridge", f"-Wl,-rpath,{folder}/lib", "-lm", "-o", "integrate"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    done = subprocess.run(["./integrate", "sampler.mcb"], cwd=tmp_path, check=True, capture_output=True, text=True)
    mean, error = map(float, done.stdout.split())
    assert abs(mean - 0.25) < 4 * error
    assert error < 0.01
    wrong = subprocess.run(["./integrate", "nothing.mcb"], cwd=tmp_path, capture_output=True, text=True)
    assert wrong.returncode == 1
    assert "nothing.mcb" in wrong.stderr


def test_the_run_card_reference_names_every_entry():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "docs")])}
    done = subprocess.run(
        [sys.executable, "-c", "from run_card_tables import tables; print(tables())"],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    from plugin.card import Card, process_names

    sections = [Card, *process_names().values()]
    sections += [field.annotation for field in Card.model_fields.values() if hasattr(field.annotation, "model_fields")]
    entries = {name for section in sections for name in section.model_fields} - {"name"}
    entries -= {name for name, field in Card.model_fields.items() if name == "process" or name in done.stdout}
    missing = {name for name in entries if f"| `{name}` |" not in done.stdout}
    assert not missing
    assert "PydanticUndefined" not in done.stdout
    assert "`zprime` of drell-yan" in done.stdout
    assert np.all([f"`process: {{name: {name}}}`" in done.stdout for name in process_names()])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert not missing
