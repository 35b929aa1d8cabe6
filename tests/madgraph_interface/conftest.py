"""A process directory of our own making, and a Fortran program with MadEvent's calls in it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from madgraph_interface.directory import Channel
from madgraph_interface.enable import enable

TOY = Path(__file__).parent / "toy"
FILES = {
    "MGMEVersion.txt": "3.5.7\n",
    "Source/make_opts": "MACFLAG=\n#end_of_make_opts_variables\n\nLDFLAGS=$(STDLIB)\nendef",
    "Source/dsample.f": "      call x_to_f_arg(ndim)\n      common /sample_common/ tmean\n",
    "Source/run_card.inc": "      EBEAM(1) = 6.5D+03\n      NEVENTS = 10000\n",
    "Source/param_card.inc": "      MDL_MZ = 9.1D+01\n",
    "SubProcesses/subproc.mg": "P1_toy\n",
    "SubProcesses/randinit": "r=24\n",
    "SubProcesses/proc_characteristics": " loop_induced = False \n",
    "SubProcesses/P1_toy/symfact.dat": "            1            1\n            2           -1\n",
    "SubProcesses/P1_toy/G1/input_app.txt": "  4000 5 3 !Number of events\n 0.02 !Accuracy\n 2\n 1\n 0\n 1\n",
    "Cards/run_card.dat": " tag_1 = run_tag ! name\n 10000 = nevents ! Number of events\n 7 = iseed\n\n",
    "Cards/run_card_default.dat": " tag_1 = run_tag ! name\n 10000 = nevents ! Number of events\n",
    "Cards/me5_configuration.txt": "nb_core = 2\n#run_mode = 2\n",
    "bin/internal/gen_cardhtml-pl": "#!/usr/bin/perl -w\nprint 'page';\n",
    "Events/README": "events\n",
}


def skeleton(root: Path) -> Path:
    """An empty process directory with the files that binnis looks at."""
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (root / "bin/internal/gen_cardhtml-pl").chmod(0o755)
    return root


@pytest.fixture
def directory(tmp_path):
    """A process directory that nobody has enabled."""
    return skeleton(tmp_path / "PROC_toy")


@pytest.fixture(scope="session")
def toy_objects(tmp_path_factory):
    """The Fortran program, not yet linked."""
    if shutil.which("gfortran") is None:
        pytest.skip("gfortran is not installed (Debian: apt install gfortran)")
    folder = tmp_path_factory.mktemp("toy")
    objects = []
    for source in sorted(TOY.glob("*.f90")):
        target = folder / f"{source.stem}.o"
        subprocess.run(["gfortran", "-O2", "-c", str(source), "-o", str(target)], check=True, cwd=folder)
        objects.append(str(target))
    return objects


class Toy:
    """An enabled process directory whose one channel is the Fortran program, linked as make_opts says."""

    def __init__(self, root: Path, objects: list[str]) -> None:
        self.root = root
        self.channel = Channel(root, "P1_toy", "G1")
        enable(root)
        text = (root / "Source/make_opts").read_text(encoding="utf-8")
        options = re.findall(r"^LDFLAGS \+= (.*)$", text, re.MULTILINE)[0].split()
        subprocess.run(["gfortran", *objects, *options, "-o", str(self.channel.madevent)], check=True)

    def card(self, **entries: object) -> None:
        """Change entries of the run card."""
        path = self.root / "Cards/run_card.dat"
        text = path.read_text(encoding="utf-8")
        for name, value in entries.items():
            text = re.sub(rf"^\s*\S+ = {name}\b", f" {value} = {name}", text, flags=re.MULTILINE)
        path.write_text(text, encoding="utf-8")

    def run(self, orders: str | None = None, directory: str = "G1", offset: int | None = None) -> str:
        """One job of MadEvent; its output."""
        folder = self.channel.madevent.parent / directory
        folder.mkdir(exist_ok=True)
        (folder / "moffset.dat").unlink(missing_ok=True)
        if offset is not None:
            (folder / "moffset.dat").write_text(f"{offset}\n")
        (folder / "input.txt").write_text(orders or FILES["SubProcesses/P1_toy/G1/input_app.txt"])
        with (folder / "input.txt").open("rb") as stream:
            done = subprocess.run(
                ["../madevent"], cwd=folder, stdin=stream, capture_output=True, text=True, check=False
            )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def log(self) -> str:
        """What the training said."""
        path = self.root / "binnis/train.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""


@pytest.fixture
def toy(directory, toy_objects):
    """The enabled toy."""
    return Toy(directory, toy_objects)
