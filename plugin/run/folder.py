"""The folder of a run: made once, its files written whole, removed if the run failed before it had anything."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["RunFolder"]


class RunFolder:
    """A new folder that holds card, log, sampler, events and summary of one run.

    Arguments:
        path: the folder, which must not exist; None for the first free ``runs/<name>_NN``.
        name: name of the process.

    Raises:
        UserError: the folder exists or cannot be made.
    """

    def __init__(self, path: Path | None, name: str) -> None:
        try:
            self.path = self._numbered(name) if path is None else self._given(path)
            self._handler = logging.FileHandler(self.path / "run.log", encoding="utf-8")
        except OSError as error:
            raise UserError(f"the run folder {path or 'runs'} cannot be made: {error.strerror or error}") from None
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for logger in self._loggers():
            logger.addHandler(self._handler)
            logger.setLevel(logging.INFO)

    @staticmethod
    def _loggers() -> list[logging.Logger]:
        return [logging.getLogger(name) for name in ("mcbridge", "plugin")]

    @staticmethod
    def _given(path: Path) -> Path:
        if path.exists():
            raise UserError(f"--output: {path} exists already; name a new folder, or remove this one first")
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

    def write(self, name: str, content: str | dict[str, Any]) -> Path:
        """Write a text file, or a dictionary as JSON."""
        text = content if isinstance(content, str) else json.dumps(content, indent=2, allow_nan=False) + "\n"
        write_text(self.path / name, text)
        return self.path / name

    def close(self) -> None:
        """Detach the log file."""
        for logger in self._loggers():
            logger.removeHandler(self._handler)
        self._handler.close()

    def abandon(self) -> None:
        """Close; remove the folder unless something was computed that a later run can use."""
        self.close()
        if not (self.path / "sampler.mcb").exists():
            shutil.rmtree(self.path, ignore_errors=True)
