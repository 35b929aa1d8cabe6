"""The entries that binnis adds to MadGraph's run card, and how they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mcbridge.errors import UserError, nearest

__all__ = ["LEAST", "Settings", "add_entries", "read_card", "read_settings", "remove_entries"]

LEAST = 2000
"""Evaluations of a channel, at least, for a training."""

_BEGIN = "# binnis: normalizing-flow sampling (added by 'binnis madgraph enable') *"
_RULE = "#*********************************************************************"
_ENTRIES = {
    "flow_sampler": ("auto", "auto|flow|vegas: measure and choose, insist, or leave MadEvent as it is"),
    "flow_evaluations": ("auto", "matrix-element evaluations to train the flow of a channel with, or a number"),
    "flow_uncertainties": ("True", "annotate the events with uncertainties where a flow sampled them"),
}
_LINE = re.compile(r"^\s*(?P<value>[^#!=]*?)\s*=\s*(?P<name>\w+)\s*(?:[!#].*)?$")


@dataclass(frozen=True)
class Settings:
    """What the run card asks of binnis.

    Attributes:
        sampler: ``"auto"``, ``"flow"`` or ``"vegas"``.
        evaluations: of the matrix element, to train a channel with; None: by what the events would cost without.
        uncertainties: whether events are annotated.
        events: ``nevents`` of the card.
    """

    sampler: str
    evaluations: int | None
    uncertainties: bool
    events: int


def read_card(path: Path) -> dict[str, str]:
    """The entries ``value = name ! comment`` of a run card, names in lower case.

    Raises:
        UserError: the card cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    found = (_LINE.match(line) for line in text.splitlines())
    return {match["name"].lower(): match["value"].strip() for match in found if match}


def read_settings(path: Path) -> Settings:
    """What the run card asks of binnis; without ``flow_sampler`` MadEvent stays as it is.

    Raises:
        UserError: an entry has a value that is not allowed.
    """
    card = read_card(path)
    values = {name: card.get(name, default) for name, (default, _) in _ENTRIES.items()}
    if "flow_sampler" not in card:  # a card of the user's own, without our entries
        values["flow_sampler"] = "vegas"
    sampler = values["flow_sampler"].lower().strip("'\"")
    if sampler not in ("auto", "flow", "vegas"):
        raise UserError(
            f"flow_sampler in {path} is '{sampler}'; it must be auto, flow or vegas"
            f"{nearest(sampler, ('auto', 'flow', 'vegas'))}"
        )
    evaluations = None
    given = values["flow_evaluations"].lower()
    if given != "auto":
        try:
            evaluations = int(float(given))
        except ValueError:
            evaluations = -1
        if evaluations < LEAST:
            raise UserError(
                f"flow_evaluations in {path} is '{values['flow_evaluations']}'; it must be auto or a number of at "
                f"least {LEAST}"
            )
    uncertainties = values["flow_uncertainties"].lower().strip(".")
    if uncertainties not in ("true", "false", "t", "f"):
        raise UserError(f"flow_uncertainties in {path} is '{uncertainties}'; it must be True or False")
    try:
        events = int(float(card.get("nevents", "10000")))
    except ValueError:
        raise UserError(f"nevents in {path} is '{card['nevents']}'; it must be a whole number") from None
    return Settings(sampler, evaluations, uncertainties in ("true", "t"), events)


def add_entries(text: str) -> str:
    """The text of a run card with the entries of binnis at its end; unchanged where they are there already."""
    if _BEGIN in text:
        return text
    lines = [_RULE, _BEGIN, _RULE]
    lines += [f"  {value} = {name} ! {comment}" for name, (value, comment) in _ENTRIES.items()]
    return text + ("" if text.endswith("\n") or not text else "\n") + "\n".join(lines) + "\n"


def remove_entries(text: str) -> str:
    """The text of a run card without them; whatever else the user has changed stays."""
    kept: list[str] = []
    for line in text.splitlines(keepends=True):
        match = _LINE.match(line.rstrip("\r\n"))
        if match and match["name"].lower() in _ENTRIES:
            continue
        if line.strip() == _BEGIN.strip():
            if kept and kept[-1].strip() == _RULE:
                kept.pop()
            kept.append("\0")
            continue
        if kept and kept[-1] == "\0":
            kept.pop()
            if line.strip() == _RULE:
                continue
        kept.append(line)
    return "".join(line for line in kept if line != "\0")
