"""A process directory that MadGraph wrote for MadEvent: what binnis needs to know of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcbridge.errors import UserError

__all__ = ["TESTED", "Channel", "ProcessDirectory", "Result", "read_result"]

TESTED = ("3.5.6", "3.5.7")
"""Versions of MadGraph5_aMC@NLO that the hook was run with; within 3.5 the call sequence of MadEvent is the same."""

_SERIES = (3, 5)


@dataclass(frozen=True)
class Result:
    """The first line of MadEvent's ``results.dat``.

    Attributes:
        absolute: cross section of the channel, sign of the weights dropped [pb].
        error: its standard error [pb].
        points: points with a weight other than 0, over all iterations.
        events: unweighted events that were kept.
        mean: cross section [pb].
    """

    absolute: float
    error: float
    points: int
    events: int
    mean: float


def read_result(path: Path) -> Result | None:
    """Read ``results.dat``; None where it is missing or tells a failure."""
    try:
        line = path.read_text(encoding="utf-8", errors="replace").split("\n", 1)[0]
    except OSError:
        return None
    fields = re.sub(r"(?<=\d)-(?=\d)", " -", line.replace("E-", "E~").replace("E+", "E^")).replace("~", "-").split()
    try:
        numbers = [float(field.replace("^", "+")) for field in fields]
        error = max(numbers[1], numbers[2])
        return Result(numbers[0], error, int(numbers[3]), int(numbers[6]), numbers[9])
    except (ValueError, IndexError):
        return None


@dataclass(frozen=True)
class Channel:
    """A channel of a subprocess: one of MadEvent's ``G`` directories, with a grid of its own.

    Attributes:
        root: process directory.
        process: subprocess directory, for instance ``P1_qq_ll``.
        name: for instance ``G1``.
    """

    root: Path
    process: str
    name: str

    def __str__(self) -> str:
        return f"{self.process}/{self.name}"

    @property
    def directory(self) -> Path:
        """Where MadEvent runs the channel."""
        return self.root / "SubProcesses" / self.process / self.name

    @property
    def folder(self) -> Path:
        """What binnis keeps of the channel."""
        return self.root / "binnis" / self.process / self.name

    @property
    def madevent(self) -> Path:
        """The program that integrates it."""
        return self.root / "SubProcesses" / self.process / "madevent"

    @property
    def result(self) -> Result | None:
        """What MadEvent last found for it."""
        return read_result(self.directory / "results.dat")


class ProcessDirectory:
    """An ``output madevent`` directory.

    Arguments:
        path: the directory.

    Raises:
        UserError: it is none, or one of a kind that cannot be supported.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().resolve()
        if not self.path.is_dir():
            raise UserError(f"DIR is {path}, which is no directory; give one that MadGraph's 'output' wrote")
        self._refuse()

    def _refuse(self) -> None:
        path = self.path
        inside = path / "SubProcesses"
        if (path / "bin" / "aMCatNLO").exists():
            raise UserError(
                f"{path} is a directory of aMC@NLO (NLO); only 'output madevent' of tree-level processes is supported"
            )
        if (path / "bin" / "gridrun").exists() or (path / "madevent" / "bin" / "gridrun").exists():
            raise UserError(
                f"{path} is a gridpack, whose grids are frozen already; enable the directory it was made of"
            )
        needed = ("Source/make_opts", "Source/dsample.f", "SubProcesses/subproc.mg", "Cards/run_card.dat")
        for name in needed:
            if not (path / name).is_file():
                raise UserError(
                    f"{path} is no process directory of MadEvent: it has no {name}; give one that 'output' (or 'output "
                    "madevent') of MadGraph wrote"
                )
        characteristics = inside / "proc_characteristics"
        if characteristics.exists():
            text = characteristics.read_text(encoding="utf-8", errors="replace")
            if re.search(r"^\s*loop_induced\s*=\s*True", text, re.MULTILINE):
                raise UserError(
                    f"{path} holds a loop-induced process, whose survey runs in pieces; it is not supported"
                )
        version = self.version
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers != _SERIES:
            raise UserError(
                f"{path} was written by MadGraph {version or 'of an unknown version'}; the hook knows the calls of "
                f"MadEvent {_SERIES[0]}.{_SERIES[1]} (tested: {', '.join(TESTED)})"
            )
        sample = (path / "Source" / "dsample.f").read_text(encoding="utf-8", errors="replace").lower()
        if "call x_to_f_arg(" not in sample or "common /sample_common/" not in sample:
            raise UserError(
                f"{path}/Source/dsample.f is not the sampler that the hook knows; was the directory written with "
                "another plug-in?"
            )

    @property
    def version(self) -> str:
        """The MadGraph that wrote the directory; empty where it does not say."""
        for name in ("SubProcesses/MGVersion.txt", "MGMEVersion.txt"):
            try:
                text = (self.path / name).read_text(encoding="utf-8", errors="replace").strip()
            except OSError:
                continue
            if text:
                return text.split()[0]
        return ""

    @property
    def processes(self) -> list[str]:
        """The subprocess directories."""
        text = (self.path / "SubProcesses" / "subproc.mg").read_text(encoding="utf-8", errors="replace")
        return text.split()

    def channels(self) -> Iterator[Channel]:
        """The channels that ``gensym`` listed at the last survey; none before the first."""
        for process in self.processes:
            try:
                lines = (self.path / "SubProcesses" / process / "symfact.dat").read_text(encoding="utf-8").splitlines()
            except OSError:
                continue
            for line in lines:
                fields = line.split()
                if len(fields) == 2 and int(fields[1]) > 0:
                    yield Channel(self.path, process, f"G{fields[0]}")

    @property
    def seed(self) -> int:
        """The number in ``SubProcesses/randinit`` that marks survey and refine of a launch."""
        try:
            text = (self.path / "SubProcesses" / "randinit").read_text(encoding="utf-8")
        except OSError:
            return -1
        found = re.search(r"=\s*(-?\d+)", text)
        return int(found.group(1)) if found else -1

    @property
    def cores(self) -> int:
        """Cores that MadGraph may use, from ``Cards/me5_configuration.txt``; all where it does not say."""
        import os

        everything = os.cpu_count() or 1
        try:
            text = (self.path / "Cards" / "me5_configuration.txt").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return everything
        entries = dict(re.findall(r"^\s*(\w+)\s*=\s*([^\s#]+)", text, re.MULTILINE))
        if entries.get("run_mode", "2") == "0":
            return 1
        number = entries.get("nb_core", "")
        return max(1, min(everything, int(number))) if number.isdigit() else everything
