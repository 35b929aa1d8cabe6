"""Check a wheel: what must be inside, and that the main job runs from the installation without a compiler.

In the environment where the wheel is installed::

    python tools/check_wheel.py dist/binnis-...whl examples/drell_yan.yaml
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

INSIDE = (
    r"mcbridge/core/_core\..*\.so",
    r"mcbridge/core/lib/libmcbridge\.so",
    r"mcbridge/core/include/mcbridge\.h",
    r"mcbridge/amplitudes/_gluons\..*\.so",
    r"mcbridge/pdfs/data/.*\.dat",
    r"plugin/report/templates/report\.html",
    r"madgraph_interface/lib/libbinnis_madevent\.a",
    r"sherpa_interface/src/generator\.cpp",
    r"sherpa_interface/src/channels\.hpp",
    r"MG5aMC_PLUGIN/binnis/__init__\.py",
    r"binnis/py\.typed",
    r"binnis-.*\.dist-info/licenses/LICENSE",
)
COMPILERS = ("c++", "g++", "cc", "gcc", "clang", "gfortran")


def missing_parts(wheel: Path) -> list[str]:
    """Patterns of what must be inside the wheel and is not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    return [pattern for pattern in INSIDE if not any(re.fullmatch(pattern, name) for name in names)]


def run_without_compiler(card: Path, events: int) -> str:
    """Run the main job with nothing but the environment's own programs on PATH; what it printed."""
    programs = Path(sys.executable).parent
    path = {name: value for name, value in os.environ.items() if name not in ("PATH", "PYTHONPATH", "CC", "CXX")}
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder) / "bin"
        only.mkdir()
        for name in ("python", "binnis"):
            (only / name).symlink_to(programs / name)
        found = [name for name in COMPILERS if shutil.which(name, path=str(only))]
        if found:
            raise SystemExit(f"compilers are on PATH: {found}")
        done = subprocess.run(
            [only / "binnis", "run", card.resolve(), "--events", str(events), "--output", "run"],
            cwd=folder,
            env={**path, "PATH": str(only)},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0 or not (Path(folder) / "run" / "events.lhe.gz").is_file():
            raise SystemExit(f"the main job failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def main() -> None:
    """Check, and say so."""
    wheel, card = Path(sys.argv[1]), Path(sys.argv[2])
    missing = missing_parts(wheel)
    if missing:
        raise SystemExit(f"{wheel.name} lacks {', '.join(missing)}")
    print(run_without_compiler(card, 1000))
    print(f"{wheel.name}: complete, and the main job runs without a compiler")


if __name__ == "__main__":
    main()
