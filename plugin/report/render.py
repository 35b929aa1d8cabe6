"""From the document to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mcbridge.files import write_text
from mcbridge.version import __version__
from plugin.report.document import Report
from plugin.report.figures import draw

__all__ = ["HTML", "JSON", "html", "rendered", "write_report"]

HTML = "report.html"
JSON = "report.json"


def html(report: Report) -> str:
    """The page: no script, no font, no picture from elsewhere."""
    environment = Environment(
        loader=PackageLoader("plugin.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    plots = {
        (place, number): Markup(draw(plot))  # escaped already
        for place, section in enumerate(report.sections)
        for number, plot in enumerate(section.plots)
    }
    return environment.get_template("report.html").render(report=report, plots=plots, version=__version__)


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write ``report.html`` and ``report.json`` into a folder, each whole or not at all.

    Raises:
        UserError: a file cannot be written.
    """
    for name, text in rendered(report).items():
        write_text(folder / name, text)
    return folder / HTML, folder / JSON


def rendered(report: Report) -> dict[str, str]:
    """The texts of both files by their names."""
    content: dict[str, Any] = report.as_json()
    return {JSON: json.dumps(content, indent=1, allow_nan=False) + "\n", HTML: html(report)}
