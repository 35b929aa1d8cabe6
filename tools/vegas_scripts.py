"""Run the example scripts and the test-suite of vegas with the import changed to binnis, and print what differs.

In a copy of a checkout of https://github.com/gplepage/vegas (some want cython, cffi, corner, lsqfit, arviz as well)::

    python tools/vegas_scripts.py CHECKOUT            # example scripts
    python tools/vegas_scripts.py CHECKOUT --tests    # test-suite
    python tools/vegas_scripts.py CHECKOUT --seeds 20 # its test of restratify with other seeds

Scripts that fail with vegas itself (Python 2, a missing package) are named and left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MODULES = ("vegas", "mcbridge", "binnis")
ROOT = Path(__file__).resolve().parents[1]
# The scripts of vegas' documentation import a module of its author's that copies their output into files.
SPLITTER = "def log_stdout(*a, **k): pass\ndef unlog_stdout(*a, **k): pass\n"

SEEDS = """
import os, {module} as suite
passed = 0
for seed in range({number}):
    os.environ["SEED"] = str(seed)
    try:
        suite.TestIntegrator("{name}").debug()
        passed += 1
    except AssertionError:
        pass
print(passed)
"""


def python(command: list[str], folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without a window and on one thread."""
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=seconds
    )


def run_script(script: Path, module: str, seconds: float) -> tuple[str, float]:
    """Run one script with ``import vegas`` changed; an empty string or the last line of its error, and seconds."""
    text = re.sub(r"^import vegas *$", f"import {module} as vegas", script.read_text(), flags=re.MULTILINE)
    changed = script.with_name(f"{script.stem}-{module}.py")
    changed.write_text(text)
    start = time.monotonic()
    try:
        done = python([changed.name], script.parent, seconds)
    except subprocess.TimeoutExpired:
        return f"not done after {seconds:g} s", seconds
    error = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return ("" if done.returncode == 0 else error), time.monotonic() - start


def scripts(checkout: Path, seconds: float) -> None:
    """Run every script that makes an integrator."""
    (checkout / "doc/source/outputsplitter.py").write_text(SPLITTER)
    found = sorted(path for folder in ("examples", "doc/source") for path in (checkout / folder).glob("*.py"))
    found = [path for path in found if re.search(r"vegas\.(PDF)?Integrator\(", path.read_text())]
    print(f"{'script':32}" + "".join(f"{module:>12}" for module in MODULES))
    for script in found:
        row, messages = f"{script.relative_to(checkout)!s:32}", []
        for module in MODULES:
            message, spent = run_script(script, module, seconds)
            row += f"{'fails' if message else f'{spent:.1f} s':>12}"
            messages += [f"    {module}: {message}"] if message else []
            if message and module == "vegas":
                break
        print("\n".join([row, *messages]), flush=True)


def tests(checkout: Path, seconds: float) -> None:
    """Run the test-suite with ``Integrator`` and ``restratify`` from elsewhere."""
    folder = checkout / "tests"
    text = (folder / "test_vegas.py").read_text()
    for module in MODULES:
        line = "from vegas import *"
        changed = text.replace(line, f"{line}\nfrom {module} import Integrator, restratify", 1)
        (folder / f"test_{module}.py").write_text(changed)
        done = python(["-m", "pytest", "-q", "-p", "no:cacheprovider", f"test_{module}.py"], folder, seconds)
        failed = [line.split("::")[-1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")]
        print(f"{module:10} {done.stdout.strip().splitlines()[-1]}  {' '.join(failed)}", flush=True)


def seeds(checkout: Path, number: int, seconds: float) -> None:
    """Run the test of ``restratify``, which asserts a ratio that fluctuates, with other seeds than its own."""
    folder, name = checkout / "tests", "test_restratify_integrator"
    text = (folder / "test_vegas.py").read_text()
    start = text.index(f"def {name}")
    for module in MODULES:
        changed = [text[:start], text[start:].replace("ranseed(123)", "ranseed(int(os.environ['SEED']))", 1)]
        lines = "".join(changed).replace(
            "from vegas import *", f"from vegas import *\nfrom {module} import Integrator, restratify", 1
        )
        (folder / f"test_{module}.py").write_text(lines)
        done = python(["-c", SEEDS.format(module=f"test_{module}", name=name, number=number)], folder, seconds)
        print(f"{module:10} {name}: passes for {done.stdout.strip() or done.stderr} of {number} seeds", flush=True)


def main() -> None:
    """Work in a copy of the checkout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=Path, help="a checkout of vegas")
    parser.add_argument("--tests", action="store_true", help="the test-suite instead of the scripts")
    parser.add_argument("--seeds", type=int, metavar="N", help="the test of restratify with N seeds")
    parser.add_argument("--seconds", type=float, default=600.0, help="longest time of one script")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "vegas"
        shutil.copytree(arguments.checkout, copy)
        shutil.rmtree(copy / "src", ignore_errors=True)
        if arguments.seeds:
            seeds(copy, arguments.seeds, arguments.seconds)
        else:
            (tests if arguments.tests else scripts)(copy, arguments.seconds)


main()
