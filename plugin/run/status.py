"""How far a run is, read from its folder."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from plugin.run.folder import LINES, holder
from plugin.run.progress import per_second
from plugin.run.statefile import STATES, StateFile

__all__ = ["print_status", "read_status"]

_TAIL = 1 << 16


def read_status(folder: str | Path) -> dict[str, Any]:
    """States, progress and figures of a run, for JSON.

    Raises:
        UserError: the folder is none of a run.
    """
    folder = Path(folder)
    file = StateFile.load(folder)
    at_work = holder(folder)
    current = file.current
    lines = _last_lines(folder / LINES)
    progress = [line for line in lines if "done" in line and "total" in line]
    last = progress[-1] if progress else None
    states = {
        name: {
            "status": file.states[name].status if name in file.states else "to come",
            "seconds": file.states[name].seconds if file.done(name) else None,
            "cpu_seconds": file.states[name].cpu_seconds if file.done(name) else None,
        }
        for name in STATES
    }
    errors = [line["message"] for line in lines if line.get("status") == "ended early"]
    return {
        "folder": str(folder),
        "process": file.process,
        "status": "finished" if current is None else "running" if at_work else "interrupted",
        "by": at_work,
        "state": current,
        "resumed": file.resumed,
        "states": states,
        "progress": last if current is not None else None,
        "age_seconds": None if last is None else _age(str(last.get("time", ""))),
        "error": errors[-1] if errors and current is not None and not at_work else None,
    }


def print_status(status: dict[str, Any], console: Console | None = None) -> None:
    """Print the status of a run as a table."""
    console = console or Console()
    table = Table(title=f"{status['process']}: {status['folder']}", title_justify="left")
    for name in ("state", "status"):
        table.add_column(name, no_wrap=True)
    for name in ("time", "CPU time"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, state in status["states"].items():
        shown = "interrupted" if state["status"] == "running" and status["status"] == "interrupted" else state["status"]
        style = {"done": "green", "running": "bold yellow", "interrupted": "bold red"}.get(shown, "dim")
        table.add_row(name, f"[{style}]{shown}[/]", _time(state["seconds"]), _time(state["cpu_seconds"]))
    console.print(table)
    if status["status"] == "finished":
        console.print("finished")
        return
    progress = status["progress"]
    if progress is not None:
        parts = [f"{progress['state']}: {progress['done']:,} of {progress['total']:,}"]
        if progress.get("rate"):
            parts.append(per_second(progress["rate"]))
        if progress.get("remaining") is not None and status["status"] == "running":
            parts.append(f"{_time(progress['remaining'])} left")
        if progress.get("efficiency") is not None:
            parts.append(f"efficiency {progress['efficiency']:.3g}")
        if progress.get("cross_section") is not None:
            parts.append(f"cross section {progress['cross_section']:.6g} +- {progress.get('error') or 0.0:.2g} pb")
        age = status["age_seconds"]
        console.print(", ".join(parts) + ("" if age is None else f" ({_time(age)} ago)"), highlight=False)
    if status["status"] == "running":
        console.print(f"at work: {status['by']}", highlight=False)
        return
    if status["error"]:
        console.print(f"it ended with: {status['error']}", highlight=False, markup=False)
    console.print(f"interrupted; binnis run --resume {status['folder']} goes on", highlight=False)


def _last_lines(path: Path) -> list[dict[str, Any]]:
    """The lines at the end of a log that are whole; none where there is no log."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            size = stream.tell()
            stream.seek(max(0, size - _TAIL))
            text = stream.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # the first of a tail, or one that a killed run did not finish
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _age(stamp: str) -> float | None:
    try:
        then = datetime.strptime(stamp, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
    return max(0.0, time.time() - then)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60.0:
        return f"{seconds:.1f} s"
    minutes, hours = seconds / 60.0, seconds / 3600.0
    return f"{minutes:.1f} min" if minutes < 60.0 else f"{hours:.1f} h"
