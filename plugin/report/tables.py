"""Tables of a report for a terminal and for a notebook."""

from __future__ import annotations

import html

import rich.table
from rich import box
from rich.markup import escape

from plugin.report.document import Table

__all__ = ["as_html", "as_rich"]


def as_rich(table: Table, title: str = "") -> rich.table.Table:
    """For a terminal."""
    made = rich.table.Table(
        title=escape(title or table.title) or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    for place, name in enumerate(table.columns):
        made.add_column(escape(name), justify="left" if place == 0 else "right")
    for row in table.rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    if table.note:
        made.caption, made.caption_justify = escape(table.note), "left"
    return made


def as_html(table: Table) -> str:
    """For a notebook."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<{tag} style="text-align:{side}">{html.escape(str(cell))}</{tag}>'
            for cell, tag, side in zip(row, ["th"] + ["td"] * len(row), ["left"] + ["right"] * len(row), strict=False)
        )
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(table.title)}</caption>" if table.title else ""
    note = f"<p>{html.escape(table.note)}</p>" if table.note else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{note}"
