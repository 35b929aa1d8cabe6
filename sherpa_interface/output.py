"""What Sherpa prints, in numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CrossSection", "cross_sections", "iteration_counter"]

_NUMBER = r"([-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?)"
_RESULT = re.compile(rf"^(\S+) : {_NUMBER} pb \+- \( {_NUMBER} pb = ", re.MULTILINE)
_ITERATION = re.compile(rf"^{_NUMBER} pb \+- \( {_NUMBER} pb = {_NUMBER} % \) (\d+) \( (\d+) -> ")


@dataclass(frozen=True)
class CrossSection:
    """The result of an integration by Sherpa.

    Attributes:
        name: of the process.
        value, error: [pb].
        points: all points, those of weight zero included.
    """

    name: str
    value: float
    error: float
    points: int


def iteration_counter(line: str) -> int | None:
    """Number of points so far, of all weights, where a line reports an iteration of the integration."""
    found = _ITERATION.match(line)
    return None if found is None else int(found.group(5))


def cross_sections(text: str) -> dict[str, CrossSection]:
    """The results of all processes that were integrated, by name."""
    results: dict[str, CrossSection] = {}
    points = 0
    for line in text.splitlines():
        count = iteration_counter(line)
        if count is not None:
            points = count
        found = _RESULT.match(line)
        if found is not None and found.group(1) not in results:
            results[found.group(1)] = CrossSection(found.group(1), float(found.group(2)), float(found.group(3)), points)
            points = 0
    return results
