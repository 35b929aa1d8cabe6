"""Axes of plots: limits, ticks and their labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from plugin.report.document import Panel, Plot, Series

__all__ = ["Axis", "horizontal_axis", "vertical_axis"]

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Axis:
    """One axis between two pixels.

    Attributes:
        low, high: limits; powers of ten are not taken yet where it is logarithmic.
        start, end: pixels of the limits.
        log: whether it is logarithmic.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixel of a value; values beyond the limits by more than the length of the axis are held there."""
        low, high = (math.log10(self.low), math.log10(self.high)) if self.log else (self.low, self.high)
        if self.log:
            value = math.log10(value) if value > 0.0 else low - (high - low)
        share = min(2.0, max(-1.0, (value - low) / (high - low)))
        return self.start + share * (self.end - self.start)

    def inside(self, value: float) -> bool:
        """Whether a value lies within the limits."""
        return self.low <= value <= self.high

    def ticks(self, wanted: int) -> tuple[list[float], list[float]]:
        """Major and minor ticks; about ``wanted`` major ones."""
        if self.log:
            return self._log_ticks(wanted)
        while True:
            step = _nice((self.high - self.low) / max(wanted, 1))
            parts = 4 if f"{step:e}"[0] == "2" else 5
            minor = step / parts
            places = range(math.ceil(self.low / minor - 1e-9), math.floor(self.high / minor + 1e-9) + 1)
            major = [i * minor for i in places if i % parts == 0]
            if len(major) > 1:
                return major, [i * minor for i in places if i % parts]
            wanted += 1

    def _log_ticks(self, wanted: int) -> tuple[list[float], list[float]]:
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / max(wanted, 1)))
        major = [10.0**power for power in range(first, last + 1) if power % stride == 0]
        if stride > 1:
            minor = [10.0**power for power in range(first, last + 1) if power % stride]
        else:
            minor = [digit * 10.0**power for power in range(first - 1, last + 1) for digit in range(2, 10)]
        minor = [value for value in minor if self.inside(value)]
        if len(major) < 2:  # less than a decade: label the digits as well
            digits = [value for value in minor if f"{value:e}"[0] in "25"]
            major = sorted([*major, *digits])
        return major, minor

    def labels(self, major: list[float]) -> tuple[list[str], str]:
        """Texts for ticks, and a common factor (such as 10⁻³) or an empty string."""
        if not major:
            return [], ""
        if self.log:
            return [_power(value) for value in major], ""
        largest = max(abs(value) for value in major)
        step = abs(major[1] - major[0]) if len(major) > 1 else largest or 1.0
        exponent = math.floor(math.log10(largest)) if largest > 0.0 else 0
        factor = exponent if exponent >= 5 or exponent <= -3 else 0
        digits = max(0, -math.floor(math.log10(step / 10.0**factor) + 1e-9))
        texts = [f"{value / 10.0**factor + 0.0:.{digits}f}" for value in major]
        texts = [text.replace("-", "\N{MINUS SIGN}") if float(text) else text.lstrip("-") for text in texts]
        return texts, f"\N{MULTIPLICATION SIGN}10{str(factor).translate(_SUPERSCRIPT)}" if factor else ""


def _power(value: float) -> str:
    exponent = math.floor(math.log10(value) + 1e-9)
    digit = value / 10.0**exponent
    if -3 < exponent < 4:
        return f"{value:g}"
    text = f"10{str(exponent).translate(_SUPERSCRIPT)}"
    return text if abs(digit - 1.0) < 1e-6 else f"{digit:.0f}·{text}"


def _nice(step: float) -> float:
    """The next of 1, 2, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= step * (1.0 - 1e-9))


def _values(series: Iterable[Series], log: bool) -> list[float]:
    found = []
    for entry in series:
        for place, y in enumerate(entry.y):
            error = (entry.error[place] if entry.error is not None else 0.0) or 0.0
            if y is not None and (y > 0.0 or not log):
                found += [y] if log else [y - error, y + error]
    return [value for value in found if math.isfinite(value)]


def vertical_axis(panel: Panel, top: float, bottom: float, legend_rows: int) -> Axis:
    """The vertical axis of a panel, with room for a legend of some rows at its top."""
    if panel.limits is not None:
        return Axis(*panel.limits, bottom, top, panel.log)
    values = _values(panel.series, panel.log)
    low, high = (min(values), max(values)) if values else (0.1, 1.0)
    room = min(0.5, (18.0 * legend_rows + 8.0 * (legend_rows > 0)) / max(bottom - top, 1.0))
    if panel.log:
        low, high = low / 1.5, max(high, low * 1.01) * 1.5
        return Axis(low, high * (high / low) ** (room / (1.0 - room)), bottom, top, True)
    if not high > low:
        low, high = low - 0.5 * abs(low) - 1e-12, high + 0.5 * abs(high) + 1e-12
    span = high - low
    histogram = any(series.kind == "steps" for series in panel.series)
    low = 0.0 if histogram and 0.0 <= low < 0.6 * high else low - 0.06 * span
    high += 0.05 * span
    return Axis(low, low + (high - low) / (1.0 - room), bottom, top)


def horizontal_axis(plot: Plot, start: float, end: float) -> Axis:
    """The common horizontal axis of a plot."""
    if plot.categories:
        return Axis(0.0, float(len(plot.categories)), start, end)
    every = [series for panel in plot.panels for series in panel.series]
    edges = [series.x for series in every if series.kind in ("steps", "band")]
    if edges:
        low, high = min(x[0] for x in edges), max(x[-1] for x in edges)
    else:
        values = [x for series in every for x in series.x]
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        margin = 0.03 * (high - low) or 0.5
        if not plot.log:
            low, high = low - margin, high + margin
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return Axis(low, high, start, end, plot.log)
