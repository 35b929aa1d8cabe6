"""Peak memory and speed of `binnis run` and `binnis annotate` against the number of events.

Each measurement is a process of its own, whose largest resident set the operating system reports. The run is Drell-Yan
with a flow and 32 replicas; its event file without the replica weights is what is annotated.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.table import print_table, store

__all__ = ["add_arguments", "peak", "run", "without_uncertainties"]

EVENTS = (10_000, 100_000, 1_000_000)
_ROOT = Path(__file__).parents[1]
_COMMAND = "from plugin.commands.main import main; main()"
_TAG = re.compile(r' sigma_(?:stat|th)="[^"]*"')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--events", type=int, action="append", help=f"numbers of events (repeatable) {list(EVENTS)}")
    parser.add_argument("--seed", type=int, default=1, help="seed [1]")
    parser.add_argument("--folder", metavar="DIR", help="where the files go [a temporary folder]")


def peak(*arguments: str) -> tuple[float, float]:
    """Peak resident set [MB] and CPU time [s] of a command line ``binnis ...`` in a process of its own.

    Raises:
        RuntimeError: the command failed.
    """
    path = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])
    # A child's largest resident set begins with that of its parent, which is small: a shell.
    script = 'exec "$0" -c "$1" "${@:2}"'
    process = subprocess.Popen(
        ["bash", "-c", script, sys.executable, _COMMAND, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"binnis {' '.join(arguments)} failed: {errors[-500:]}")
    return usage.ru_maxrss / 1024.0, usage.ru_utime + usage.ru_stime


def without_uncertainties(source: Path, target: Path) -> None:
    """Copy an event file of a run without replica weights, ``sigma_stat`` and ``sigma_th``."""
    inside = False
    with gzip.open(source, "rt") as lines, gzip.open(target, "wt", compresslevel=1) as copy:
        for line in lines:
            if line.startswith("<wgt id='binn_"):
                continue
            inside = inside or (line.lstrip().startswith("<weightgroup") and "binn" in line)
            if not inside:
                copy.write(_TAG.sub("", line) if line.startswith("<event") else line)
            elif "</weightgroup>" in line:
                inside = False


def run(arguments: argparse.Namespace) -> None:
    """Measure and print the table."""
    numbers = sorted(arguments.events or EVENTS)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.folder or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows: list[list[Any]] = []
        content: dict[str, Any] = {}
        for number in numbers:
            card = folder / f"card_{number}.yaml"
            card.write_text(
                f"process: drell-yan\nsampler: flow\nevents: {number}\nseed: {arguments.seed}\n", encoding="utf-8"
            )
            made, plain = folder / f"run_{number}", folder / f"plain_{number}.lhe.gz"
            found = {"run": peak("run", str(card), "-q", "-o", str(made))}
            without_uncertainties(made / "events.lhe.gz", plain)
            out = folder / f"annotated_{number}.lhe.gz"
            start = time.perf_counter()
            found["annotate"] = peak("annotate", str(plain), "-q", "-o", str(out))
            seconds = time.perf_counter() - start
            size = out.stat().st_size / number
            content[str(number)] = {
                name: {"peak_mb": memory, "cpu_seconds": cpu} for name, (memory, cpu) in found.items()
            } | {"annotate_seconds": seconds, "bytes_per_event": size}
            rows.append([number, *found["run"], *found["annotate"], size])
            for path in (plain, out, made / "events.lhe.gz"):
                path.unlink()
    first = rows[0]
    growth = [100.0 * (max(row[column] for row in rows) / first[column] - 1.0) for column in (1, 3)]
    columns = ["events", "run: MB", "run: CPU s", "annotate: MB", "annotate: CPU s", "annotated: bytes/event"]
    print_table("Peak resident memory", columns, [[f"{r[0]:,}", *(round(v, 1) for v in r[1:])] for r in rows])
    print(f"growth from {numbers[0]:,} events: run {growth[0]:.1f}%, annotate {growth[1]:.1f}%")
    store(arguments.json, {**content, "growth_percent": {"run": growth[0], "annotate": growth[1]}})
