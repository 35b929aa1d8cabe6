"""What the commands need to know of a Sherpa run card; everything else is left to Sherpa."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mcbridge.errors import UserError, nearest

__all__ = ["BINNIS_KEYS", "SherpaCard", "binnis_block", "load_sherpa_card", "partonic_processes"]

BINNIS_KEYS = ("SAMPLER", "FILE", "BASE", "RECORD", "ACCEPTED", "SERVE", "BATCH")
_SAMPLERS = ("auto", "flow", "vegas")
_UNITS = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}

Process = dict[str, Any]


@dataclass(frozen=True)
class SherpaCard:
    """A Sherpa run card.

    Attributes:
        path: of the file, which is never changed.
        processes: entries of ``PROCESSES``, each a mapping from the process to its settings, with a fixed number of
            particles each.
        events: number of events (``EVENTS``; 100, Sherpa's default).
        sampler: ``SAMPLER`` of the block ``BINNIS``, or ``"auto"``.
        settings: the whole card.
    """

    path: Path
    processes: list[Process]
    events: int
    sampler: str
    settings: dict[str, Any] = field(repr=False)


def binnis_block(**settings: Any) -> dict[str, Any]:
    """A block ``BINNIS`` that takes nothing over from the user's card: what is not given is set to its default."""
    return {"SAMPLER": "auto", **dict.fromkeys(("FILE", "BASE", "RECORD", "ACCEPTED", "SERVE"), "None"), **settings}


def load_sherpa_card(path: str | Path) -> SherpaCard:
    """Read a card.

    Raises:
        UserError: the file cannot be read, is not YAML, or has an entry that the plug-in cannot work with.
    """
    path = Path(path)
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise UserError(f"the run card {path} cannot be read: {reason}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise UserError(f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or error}") from None
    if not isinstance(settings, dict):
        raise UserError(f"{path} must hold 'KEY: value' lines as a Sherpa run card does")
    generators = _list(settings.get("ME_GENERATORS", ["Comix"]))
    if "Comix" not in generators:
        raise UserError(f"{path}: ME_GENERATORS is {generators}; the plug-in samples the processes of Comix")
    if settings.get("INTEGRATOR") not in (None, "Default", ["Default"], "Binnis", ["Binnis"]):
        raise UserError(f"{path}: INTEGRATOR is {settings['INTEGRATOR']}; leave it out, or write [Binnis]")
    return SherpaCard(
        path=path.resolve(),
        processes=list(_processes(path, settings.get("PROCESSES"))),
        events=_number(path, settings.get("EVENTS", 100)),
        sampler=_binnis(path, settings.get("BINNIS")),
        settings=settings,
    )


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _number(path: Path, value: Any) -> int:
    found = re.fullmatch(r"\s*(\d+)\s*([kMG]?)\s*", str(value))
    if found is None:
        raise UserError(f"{path}: EVENTS is {value!r}; it must be a whole number, as 1000 or 10k")
    return int(found.group(1)) * _UNITS[found.group(2)]


def _binnis(path: Path, block: Any) -> str:
    if block is None:
        return "auto"
    if not isinstance(block, dict):
        raise UserError(f"{path}: BINNIS is {block!r}; it must be a block of settings, as {{SAMPLER: auto}}")
    for key in block:
        if key not in BINNIS_KEYS:
            hint = nearest(str(key).upper(), BINNIS_KEYS)
            raise UserError(f"{path}: BINNIS: unknown key '{key}'{hint} (allowed: {', '.join(BINNIS_KEYS)})")
    sampler = str(block.get("SAMPLER", "auto"))
    if sampler not in _SAMPLERS:
        raise UserError(f"{path}: BINNIS: SAMPLER is '{sampler}'; it must be {', '.join(_SAMPLERS)}")
    return sampler


def _processes(path: Path, entries: Any) -> Iterator[Process]:
    if not isinstance(entries, list) or not entries:
        raise UserError(f"{path}: PROCESSES must be a list of processes, as '- 11 -11 -> 13 -13: {{...}}'")
    for entry in entries:
        block = {entry: None} if isinstance(entry, str) else entry
        if not isinstance(block, dict):
            raise UserError(f"{path}: PROCESSES holds {entry!r}, which is no process")
        for process, settings in block.items():
            for single in _multiplicities(str(process)):
                yield {single: settings}


def _multiplicities(process: str) -> Iterator[str]:
    """``93 93 -> 11 -11 93{2}`` stands for zero, one and two further jets."""
    found = re.search(r"(\S+?)\{(\d+)\}", process)
    if found is None:
        yield process
        return
    for count in range(int(found.group(2)) + 1):
        inserted = " ".join([found.group(1)] * count)
        expanded = f"{process[: found.start()]}{inserted}{process[found.end() :]}"
        yield from _multiplicities(" ".join(expanded.split()))


def partonic_processes(process: Process, flavours: Sequence[Sequence[int]], incoming: int = 2) -> list[Process]:
    """One entry for each partonic channel of a group of processes, with the settings of the group.

    Arguments:
        process: the entry of the group.
        flavours: for each channel its PDG ids, incoming particles first.
        incoming: number of incoming particles.
    """
    settings = next(iter(process.values()))
    return [
        {f"{' '.join(map(str, ids[:incoming]))} -> {' '.join(map(str, ids[incoming:]))}": settings} for ids in flavours
    ]
