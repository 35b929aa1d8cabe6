"""Printing and storing benchmark tables."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = ["print_table", "store"]


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows; numbers are aligned to the right with three significant digits."""
    table = Table(title=title, title_justify="left")
    numeric = [any(isinstance(row[i], int | float) for row in rows) for i in range(len(columns))]
    for name, right in zip(columns, numeric, strict=True):
        table.add_column(name, justify="right" if right else "left")
    for row in rows:
        table.add_row(*(f"{entry:.3g}" if isinstance(entry, float) else str(entry) for entry in row))
    Console(width=140).print(table)


def store(path: str | None, content: dict[str, Any]) -> None:
    """Write figures as JSON, if a file was asked for."""
    if path:
        Path(path).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
