"""Plots as SVG that takes its colours from the page: one drawing serves light, dark and paper.

The look is that of mplhep: ticks inside on all four sides, minor ticks, legends without a frame. It is drawn here and
not by matplotlib because every run makes a report: a plot takes milliseconds and 10 kB instead of 0.2 s and 65 kB
(``python -m benchmarks report``), and a first installation needs no plotting library.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from plugin.report.axes import Axis, horizontal_axis, vertical_axis
from plugin.report.document import Panel, Plot, Series

__all__ = ["COLOURS", "draw"]

COLOURS = 6
"""Colours of the palette: ``--c0`` (that of text) to ``--c5`` in the style sheet of the page."""

_WIDTH = 440.0
_LEFT, _RIGHT, _TOP = 64.0, 12.0, 14.0
_PANEL, _GAP = 190.0, 10.0  # height of a panel of weight 1; space between two
_FONT = 12.0
_CHARACTER = 6.4  # width of a letter at this size, on the safe side
_LEGEND_ROW = 18.0


def draw(plot: Plot) -> str:
    """An ``<svg>`` element for a page that defines the colours ``--c0``, ``--c1``, ..."""
    below = _below(plot)
    heights = [_PANEL * panel.height for panel in plot.panels]
    height = _TOP + sum(heights) + _GAP * (len(heights) - 1) + below
    across = horizontal_axis(plot, _LEFT, _WIDTH - _RIGHT)
    parts: list[str] = []
    top = _TOP
    for place, (panel, size) in enumerate(zip(plot.panels, heights, strict=True)):
        parts += _panel(panel, plot, across, top, top + size, place == len(heights) - 1)
        top += size + _GAP
    label = escape(plot.text or plot.title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:.0f}" role="img"'
        f' aria-label="{label}" font-size="{_FONT:g}" fill="none">{"".join(parts)}</svg>'
    )


def _below(plot: Plot) -> float:
    if plot.categories:
        longest = max(len(name) for name in plot.categories)
        return 14.0 + 0.62 * _CHARACTER * min(longest, 24) + (14.0 if plot.x else 0.0)
    return 45.0 if plot.x else 27.0


def _panel(panel: Panel, plot: Plot, across: Axis, top: float, bottom: float, last: bool) -> list[str]:
    rows = _legend_rows(panel, across.end - across.start)
    up = vertical_axis(panel, top, bottom, len(rows))
    parts = []
    # An inner <svg> clips what lies outside the axes, without ids that must be unique within the page.
    width, height = across.end - across.start, bottom - top
    drawn = "".join(_series(series, across, up) for series in panel.series)
    parts.append(
        f'<svg x="{across.start:g}" y="{top:.1f}" width="{width:g}" height="{height:.1f}"'
        f' viewBox="{across.start:g} {top:.1f} {width:g} {height:.1f}">{drawn}</svg>'
    )
    parts.append(
        f'<rect x="{across.start:g}" y="{top:.1f}" width="{width:g}" height="{height:.1f}" stroke="var(--c0)"/>'
    )
    parts += _vertical_ticks(up, across, panel.y, top, bottom)
    parts += _horizontal_ticks(across, plot, top, bottom, last)
    parts += _legend(rows, across.end, top)
    return parts


def _line(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _stroke(series: Series, width: float) -> str:
    dash = ' stroke-dasharray="6 3"' if series.dashed else ""
    return f'stroke="var(--c{series.colour % COLOURS})" stroke-width="{width:g}"{dash}'


def _series(series: Series, across: Axis, up: Axis) -> str:
    if series.kind == "level":
        y = up(series.y[0] or 0.0)
        return f'<path d="{_line([(across.start, y), (across.end, y)])}" {_stroke(series, 1)}/>'
    if series.kind == "band":
        return _band(series, across, up)
    if series.kind == "steps":
        return _steps(series, across, up) + _errors(series, across, up, _middles(series, across))
    places = [across(x) for x in series.x]
    if series.kind == "points":
        dots = "".join(
            f'<circle cx="{x:.1f}" cy="{up(y):.1f}" r="2"/>'
            for x, y in zip(places, series.y, strict=True)
            if y is not None
        )
        return _errors(series, across, up, places) + f'<g fill="var(--c{series.colour % COLOURS})">{dots}</g>'
    runs: list[list[tuple[float, float]]] = [[]]
    for x, value in zip(places, series.y, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x, up(value)))
    path = "".join(_line(run) for run in runs if run)
    return f'<path d="{path}" {_stroke(series, 1.5)} stroke-linejoin="round"/>'


def _middles(series: Series, across: Axis) -> list[float]:
    return [0.5 * (across(low) + across(high)) for low, high in pairwise(series.x)]


def _steps(series: Series, across: Axis, up: Axis) -> str:
    """One path: up and down between bins, down to nothing where a bin is empty."""
    commands = []
    level: float | None = None
    for (low, high), value in zip(pairwise(series.x), series.y, strict=True):
        left, right = across(low), across(high)
        if value is None:
            level = None
            continue
        y = up(value)
        commands.append(f"M{left:.1f},{y:.1f}" if level is None else f"V{y:.1f}")
        commands.append(f"H{right:.1f}")
        level = y
    return f'<path d="{"".join(commands)}" {_stroke(series, 1.5)}/>'


def _errors(series: Series, across: Axis, up: Axis, places: Sequence[float]) -> str:
    if series.error is None:
        return ""
    commands = []
    for x, y, error in zip(places, series.y, series.error, strict=True):
        if y is not None and error:
            commands.append(f"M{x:.1f},{up(y - error):.1f}V{up(y + error):.1f}")
    return f'<path d="{"".join(commands)}" stroke="var(--c{series.colour % COLOURS})"/>' if commands else ""


def _band(series: Series, across: Axis, up: Axis) -> str:
    upper: list[tuple[float, float]] = []
    lower: list[tuple[float, float]] = []
    for place, (low, high) in enumerate(pairwise(series.x)):
        middle = series.y[place]
        error = None if series.error is None else series.error[place]
        if middle is None or error is None:
            middle, error = 0.0 if middle is None else middle, 0.0
        for x in (across(low), across(high)):
            upper.append((x, up(middle + error)))
            lower.append((x, up(middle - error)))
    path = _line([*upper, *reversed(lower)]) + "Z"
    return f'<path d="{path}" fill="var(--c{series.colour % COLOURS})" fill-opacity="0.28"/>'


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--c0)"{more}>{escape(text)}</text>'


def _vertical_ticks(up: Axis, across: Axis, name: str, top: float, bottom: float) -> list[str]:
    major, minor = up.ticks(max(2, int((bottom - top) / 34.0)))
    texts, factor = up.labels(major)
    left, right = across.start, across.end
    path = "".join(
        f"M{left:g},{up(v):.1f}h{size:g}M{right:g},{up(v):.1f}h{-size:g}"
        for values, size in ((major, 7.0), (minor, 4.0))
        for v in values
    )
    parts = [f'<path d="{path}" stroke="var(--c0)"/>']
    parts += [_text(left - 5.0, up(v) + 4.0, text, "end") for v, text in zip(major, texts, strict=True)]
    if factor:
        parts.append(_text(left, top - 3.0, factor, "start", ' font-size="11"'))
    middle = 0.5 * (top + bottom)
    parts.append(_text(13.0, middle, name, "middle", f' transform="rotate(-90 13 {middle:.1f})"'))
    return parts


def _horizontal_ticks(across: Axis, plot: Plot, top: float, bottom: float, last: bool) -> list[str]:
    if plot.categories:
        return _category_labels(across, plot, bottom) if last else []
    major, minor = across.ticks(5)
    path = "".join(
        f"M{across(v):.1f},{bottom:.1f}v{-size:g}M{across(v):.1f},{top:.1f}v{size:g}"
        for values, size in ((major, 7.0), (minor, 4.0))
        for v in values
    )
    parts = [f'<path d="{path}" stroke="var(--c0)"/>']
    if not last:
        return parts
    texts, factor = across.labels(major)
    for value, text in zip(major, texts, strict=True):
        # At the ends a label must stay within the picture.
        x = min(max(across(value), _CHARACTER * len(text) / 2.0), _WIDTH - _CHARACTER * len(text) / 2.0)
        parts.append(_text(x, bottom + 18.0, text, "middle"))
    if plot.x:
        name = f"{plot.x}  {factor}" if factor else plot.x
        parts.append(_text(across.end, bottom + 36.0, name, "end"))
    return parts


def _category_labels(across: Axis, plot: Plot, bottom: float) -> list[str]:
    parts = []
    for place, name in enumerate(plot.categories):
        x, y = across(place + 0.5), bottom + 12.0
        short = name if len(name) <= 24 else f"{name[:23]}…"
        parts.append(_text(x, y, short, "end", f' transform="rotate(-35 {x:.1f} {y:.1f})" font-size="10"'))
    return parts


def _legend_rows(panel: Panel, width: float) -> list[list[Series]]:
    """Entries of a legend in rows that are not wider than the panel."""
    rows: list[list[Series]] = []
    room = 0.0
    for series in panel.series:
        if not series.label:
            continue
        need = 34.0 + _CHARACTER * len(series.label)
        if not rows or need > room:
            rows.append([])
            room = width - 12.0
        rows[-1].append(series)
        room -= need
    return rows


def _legend(rows: list[list[Series]], right: float, top: float) -> list[str]:
    parts = []
    for place, row in enumerate(rows):
        y = top + 19.0 + _LEGEND_ROW * place
        x = right - 8.0
        for series in reversed(row):
            x -= _CHARACTER * len(series.label)
            parts.append(_text(x, y, series.label, "start"))
            key = f'd="M{x - 22:.1f},{y - 4:.1f}h17"'
            colour = f"var(--c{series.colour % COLOURS})"
            if series.kind == "points":
                parts.append(f'<circle cx="{x - 13.5:.1f}" cy="{y - 4:.1f}" r="2.5" fill="{colour}"/>')
                parts.append(f'<path {key} stroke="{colour}"/>' if series.error is not None else "")
            elif series.kind == "band":
                parts.append(f'<path {key} stroke="{colour}" stroke-width="9" stroke-opacity="0.28"/>')
            else:
                parts.append(f"<path {key} {_stroke(series, 1.5)}/>")
            x -= 34.0
    return parts
