"""Tables of results for a notebook (HTML) and for a terminal (rich)."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import rich.table

__all__ = ["html_table", "rich_table"]

Rows = Sequence[Sequence[str]]


def html_table(title: str, columns: Sequence[str], rows: Rows, note: str = "") -> str:
    """A table for a notebook; the first column names the row, numbers stand on the right.

    Arguments:
        title: above it; none if empty.
        columns: names; no head if all are empty.
        rows: texts, each as long as ``columns``.
        note: below it; none if empty.
    """

    def line(cells: Sequence[str], tag: str) -> str:
        parts = []
        for place, cell in enumerate(cells):
            kind, side = ("th", "left") if place == 0 else (tag, "right")
            parts.append(f'<{kind} style="text-align:{side}">{html.escape(cell)}</{kind}>')
        return f"<tr>{''.join(parts)}</tr>"

    caption = f"<caption>{html.escape(title)}</caption>" if title else ""
    head = f"<thead>{line(columns, 'th')}</thead>" if any(columns) else ""
    body = "".join(line(row, "td") for row in rows)
    below = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<table>{caption}{head}<tbody>{body}</tbody></table>{below}"


def rich_table(title: str, columns: Sequence[str], rows: Rows, note: str = "") -> rich.table.Table:
    """The same for a terminal: ``rich.print`` shows it."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=escape(title) or None,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_header=any(columns),
        caption=escape(note) or None,
        caption_justify="left",
    )
    for place, name in enumerate(columns):
        table.add_column(escape(name), justify="left" if place == 0 else "right")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    return table
