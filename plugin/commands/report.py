"""``binnis report``: the page of a finished run, once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcbridge.errors import UserError

__all__ = ["command"]


def command(
    folder: Annotated[
        Path, typer.Argument(metavar="RUNDIR", help="Folder of a finished run (binnis, Sherpa, MadGraph).")
    ],
) -> None:
    """Write `report.html` and `report.json` of a finished run anew, from the files in its folder.

    Every `binnis run` ends with this. The page stands alone (no script, nothing from the network), is readable on a
    phone and on paper, and follows the light or dark scheme of the reader.

    Example: `binnis report runs/drell-yan_01`
    """
    from plugin.report.render import write_report
    from plugin.report.run import report_of_folder

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; name the folder of a finished run")
    page, data = write_report(report_of_folder(folder), folder)
    typer.echo(f"{page}\n{data}")
