"""The folder of a run: made once, locked, its files written whole, removed if the run failed before it had anything."""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import math
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["CHECKPOINTS", "LINES", "RunFolder", "holder"]

CHECKPOINTS = "checkpoints"
"""Folder of what a resumed run needs; removed at the end of the run."""

LINES = "run.jsonl"
"""The log for programs, a JSON object a line."""

_LOCK = ".lock"


class RunFolder:
    """The folder that holds card, log, sampler, events and summary of one run.

    Arguments:
        path: the folder, which must not exist; None for the first free ``runs/<name>_NN``.
        name: name of the process.
        resume: the folder is that of an earlier run and exists.
        lines: whether ``run.jsonl`` is written beside ``run.log``.
        command: what resumes such a run, for sentences to the user.

    Raises:
        UserError: the folder exists (or, to be resumed, does not), cannot be made, or is in use by another run.
    """

    def __init__(
        self, path: Path | None, name: str, resume: bool = False, lines: bool = False, command: str = "binnis run"
    ) -> None:
        try:
            if resume:
                assert path is not None  # a folder to resume is named
                self.path = path
            else:
                self.path = self._numbered(name) if path is None else self._given(path, command)
            self._lock = _locked(self.path)
            if resume:
                self._remove_unfinished()
            self._handlers: list[logging.Handler] = [logging.FileHandler(self.path / "run.log", encoding="utf-8")]
            self._handlers[0].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
            self._lines: _JsonLines | None = None
            if lines:
                self._lines = _JsonLines(self.path / LINES)
                self._handlers.append(self._lines)
        except OSError as error:
            raise UserError(
                f"the run folder {path or 'runs'} cannot be {'written to' if resume else 'made'}:"
                f" {error.strerror or error}"
            ) from None
        for logger in self._loggers():
            logger.setLevel(logging.INFO)
            for handler in self._handlers:
                logger.addHandler(handler)

    @staticmethod
    def _loggers() -> list[logging.Logger]:
        return [logging.getLogger(name) for name in ("mcbridge", "plugin")]

    @staticmethod
    def _given(path: Path, command: str) -> Path:
        if path.exists():
            raise UserError(
                f"--output: {path} exists already; name a new folder, or remove this one first ({command} --resume"
                f" {path} goes on with an interrupted run)"
            )
        path.mkdir(parents=True)
        return path

    @staticmethod
    def _numbered(name: str) -> Path:
        parent = Path("runs")
        parent.mkdir(exist_ok=True)
        number = 1
        while True:
            path = parent / f"{name}_{number:02d}"
            try:
                path.mkdir()
                return path
            except FileExistsError:
                number += 1

    def _remove_unfinished(self) -> None:
        """Remove the files that a killed run was about to write; nobody else writes while the folder is locked."""
        for path in self.path.glob(".*"):
            if path.name != _LOCK and path.is_file():
                path.unlink()

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        path = self.path / CHECKPOINTS
        try:
            path.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"{path} cannot be made: {error.strerror or error}") from None
        return path

    def write(self, name: str, content: str | dict[str, Any]) -> Path:
        """Write a text file, or a dictionary as JSON."""
        text = content if isinstance(content, str) else json.dumps(content, indent=2, allow_nan=False) + "\n"
        write_text(self.path / name, text)
        return self.path / name

    def line(self, **entries: Any) -> None:
        """Write a line of the log for programs: how far a state is."""
        if self._lines is not None:
            self._lines.put(entries)

    def close(self) -> None:
        """Detach the log files and give the folder free."""
        for logger in self._loggers():
            for handler in self._handlers:
                logger.removeHandler(handler)
        for handler in self._handlers:
            handler.close()
        with contextlib.suppress(OSError):
            (self.path / _LOCK).unlink()
        self._lock.close()

    def clean(self) -> None:
        """Remove what only a resumed run would need."""
        shutil.rmtree(self.path / CHECKPOINTS, ignore_errors=True)

    def abandon(self, keep: bool = False) -> None:
        """Close; remove the folder unless something was computed that a later run can use (or ``keep``)."""
        self.close()
        if not keep and not (self.path / "sampler.mcb").exists():
            shutil.rmtree(self.path, ignore_errors=True)


class _JsonLines(logging.FileHandler):
    """A log file with one JSON object a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8")

    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": _now(), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        return json.dumps(entry)

    def put(self, entries: dict[str, Any]) -> None:
        """Write a line of one's own."""
        self.acquire()
        try:
            entries = {name: None if _no_number(value) else value for name, value in entries.items()}
            if self.stream is not None:
                self.stream.write(json.dumps({"time": _now(), **entries}) + "\n")
                self.stream.flush()
        except OSError:  # a full disk: the files that matter say so
            pass
        finally:
            self.release()


def _no_number(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{time.time_ns() // 1_000_000 % 1000:03d}Z"


def _locked(folder: Path) -> Any:
    """A handle that keeps other runs out of the folder until it is closed or this process ends.

    Raises:
        UserError: another run has the folder.
    """
    path = folder / _LOCK
    while True:
        handle = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(handle.fileno()).st_ino == path.stat().st_ino:
                break  # otherwise the run that had it has just removed it
        except BlockingIOError:
            handle.close()
            raise UserError(
                f"the run folder {folder} is in use by {holder(folder) or 'another run'}; binnis status {folder} shows"
                " how far it is"
            ) from None
        except FileNotFoundError:
            pass
        handle.close()
    handle.seek(0)
    handle.truncate()
    handle.write(f"process {os.getpid()} on {socket.gethostname()}")
    handle.flush()
    return handle


def holder(folder: Path) -> str | None:
    """Who works in a run folder (``process 123 on host``), or None."""
    try:
        with (folder / _LOCK).open(encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return handle.read() or "another run"
            return None
    except OSError:
        return None
