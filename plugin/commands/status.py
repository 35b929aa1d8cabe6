"""``binnis status``: how far a run is, from another terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run that goes on, or of any other.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Show how far a run is: its states, rate, remaining time, efficiency and cross section so far.

    Reads `state.json` and the last lines of `run.jsonl`; the run does not notice.

    Example: `binnis status runs/drell-yan_01`
    """
    from plugin.run.status import print_status, read_status

    status = read_status(folder)
    if as_json:
        typer.echo(json.dumps(status, indent=1))
    else:
        print_status(status)
