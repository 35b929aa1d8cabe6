"""Tables of a report for a terminal and for a notebook."""

from __future__ import annotations

import rich.table

from mcbridge.tables import html_table, rich_table
from plugin.report.document import Table

__all__ = ["as_html", "as_rich"]


def as_rich(table: Table, title: str = "") -> rich.table.Table:
    """For a terminal."""
    return rich_table(title or table.title, table.columns, [list(map(str, row)) for row in table.rows], table.note)


def as_html(table: Table) -> str:
    """For a notebook."""
    return html_table(table.title, table.columns, [list(map(str, row)) for row in table.rows], table.note)
