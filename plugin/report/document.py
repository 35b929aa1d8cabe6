"""What a report consists of: sections with text, tables and plots, all of it plain data.

``report.json`` holds the document as it is; the HTML page is drawn from it and from nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Cell", "Number", "Panel", "Plot", "Report", "Section", "Series", "Table", "format_number"]

SCHEMA = 1


@dataclass(frozen=True)
class Number:
    """A number with its standard error, if it has one.

    Attributes:
        value: may be None where there is none.
        error: standard error.
        unit: for instance ``"pb"``.
    """

    value: float | None
    error: float | None = None
    unit: str = ""

    def __str__(self) -> str:
        return format_number(self.value, self.error, self.unit)


Cell = str | Number


def format_number(value: float | None, error: float | None = None, unit: str = "") -> str:
    """``1324.17 ± 0.11 pb``: as many digits as the error has two of; four digits without an error."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    tail = f" {unit}" if unit else ""
    if error is None or not math.isfinite(error) or error <= 0.0:
        if float(value).is_integer() and abs(value) < 1e15:
            return f"{int(value):,}{tail}"
        return f"{value:,.0f}{tail}" if 1e3 <= abs(value) < 1e15 else f"{value:.4g}{tail}"
    exponent = math.floor(math.log10(error))
    scale = max(math.floor(math.log10(abs(value))) if value else exponent, exponent)
    if scale >= 6 or scale < -4:
        digits = max(0, scale - exponent + 1)
        return f"({value / 10**scale:.{digits}f} ± {error / 10**scale:.{digits}f})e{scale:+d}{tail}"
    digits = max(0, 1 - exponent)
    return f"{value:.{digits}f} ± {error:.{digits}f}{tail}"


@dataclass
class Table:
    """Rows under column names; the first column names the row."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    folded: bool = False


@dataclass
class Series:
    """One thing drawn in a panel.

    Attributes:
        kind: ``"steps"`` (histogram: x are edges, y one fewer), ``"points"`` (x, y, error), ``"line"`` (x, y),
            ``"band"`` (x are edges, y and error give its middle and half width), ``"level"`` (a line at y[0]).
        colour: 0 for the colour of text, from 1 on one of the page's palette.
    """

    kind: Literal["steps", "points", "line", "band", "level"]
    x: Sequence[float]
    y: Sequence[float | None]
    error: Sequence[float | None] | None = None
    label: str = ""
    colour: int = 1
    dashed: bool = False


@dataclass
class Panel:
    """One pair of axes."""

    y: str
    series: Sequence[Series]
    log: bool = False
    limits: tuple[float, float] | None = None
    height: float = 1.0


@dataclass
class Plot:
    """Panels above one another with a common horizontal axis.

    Attributes:
        title: above it.
        x: label of the horizontal axis.
        panels: from above.
        text: what it says in words, for those who cannot see it.
        categories: names of the bins, where these are classes.
        log: whether the horizontal axis is logarithmic.
    """

    title: str
    x: str
    panels: Sequence[Panel]
    text: str = ""
    categories: Sequence[str] = ()
    log: bool = False


@dataclass
class Section:
    """A part of the page.

    Attributes:
        title: heading.
        text: paragraphs.
        tables, plots: in this order.
    """

    title: str
    text: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)


@dataclass
class Report:
    """The whole page.

    Attributes:
        title: of the page.
        headline: the one line that matters.
        status: ``"good"``, ``"bad"`` or ``"neutral"``: colour of the headline.
        command: what makes this report again.
        facts: names and numbers under the headline.
        sections: the rest.
        data: what else programs may want, and what the report was made from.
    """

    title: str
    headline: str
    status: Literal["good", "bad", "neutral"]
    command: str
    facts: list[tuple[str, Cell]] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The document for ``report.json``; numbers that are not finite become null."""
        content: dict[str, Any] = _plain({"schema": SCHEMA, **asdict(self)})
        return content


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
