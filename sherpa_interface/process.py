"""Running Sherpa: the environment of the plug-in, overlays of a run card, and errors in one sentence."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import yaml

from mcbridge.errors import UserError
from mcbridge.files import write_text
from sherpa_interface.locate import Sherpa
from sherpa_interface.paths import absolute_paths

__all__ = ["Installation", "dump_settings", "error_in_log", "run_sherpa"]

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Installation:
    """A Sherpa with the compiled plug-in.

    Arguments:
        sherpa: the installed program.
        plugin: the compiled library.
    """

    def __init__(self, sherpa: Sherpa, plugin: Path) -> None:
        self.sherpa = sherpa
        self.plugin = plugin

    def environment(self) -> dict[str, str]:
        """The environment in which Sherpa finds the plug-in."""
        paths = [str(self.plugin.parent), os.environ.get("LD_LIBRARY_PATH", "")]
        return {**os.environ, "LD_LIBRARY_PATH": os.pathsep.join(path for path in paths if path)}

    def start(self, folder: Path, cards: list[Path], log: IO[str], pass_fds: tuple[int, ...] = ()) -> Any:
        """Start Sherpa in a folder with run cards, of which later ones take precedence; a ``Popen`` object."""
        return subprocess.Popen(
            [self.sherpa.executable, *[str(card.resolve()) for card in cards]],
            cwd=folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
            text=True,
        )


class _Plain(yaml.SafeDumper):
    """YAML without anchors: Sherpa copies its card into event files, where an ampersand is no XML."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump_settings(settings: dict[str, Any]) -> str:
    """Settings as the text of a Sherpa run card."""
    return str(yaml.dump(settings, Dumper=_Plain, sort_keys=False, allow_unicode=True))


def run_sherpa(
    installation: Installation,
    card: Path,
    overlay: dict[str, Any],
    folder: Path,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run Sherpa to its end.

    Arguments:
        installation: program and plug-in.
        card: the user's run card, left as it is.
        overlay: settings that take precedence; written to ``overlay.yaml`` in the folder, with the card's own files
            by absolute paths.
        folder: where Sherpa runs; its output goes to ``sherpa.log`` there.
        on_line: called with every line of the output.

    Returns:
        the output, without colours.

    Raises:
        UserError: Sherpa ended with an error.
    """
    extra = folder / "overlay.yaml"
    write_text(extra, dump_settings({**absolute_paths(card), **overlay}))
    path = folder / "sherpa.log"
    lines = []
    with (
        path.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [installation.sherpa.executable, str(card.resolve()), str(extra.resolve())],
            cwd=folder,
            env=installation.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for raw in process.stdout:
                line = _COLOUR.sub("", raw)
                log.write(line)
                lines.append(line)
                if on_line is not None:
                    on_line(line)
        except BaseException:
            process.kill()
            raise
    code = process.returncode
    text = "".join(lines)
    if code:
        raise UserError(f"Sherpa ended with an error: {error_in_log(text, code)} (its log: {path})")
    return text


def error_in_log(text: str, code: int | None = None) -> str:
    """What Sherpa's output says went wrong, in one line."""
    lines = [_COLOUR.sub("", line).strip() for line in text.splitlines()]
    for index, line in enumerate(lines):
        if line.endswith(" thrown:") and index + 1 < len(lines):
            return lines[index + 1].removeprefix("Binnis: ")
        if "yaml-cpp: error" in line:
            return line[line.index("yaml-cpp") :]
    for line in lines:
        crash = re.search(r"Signal \(?(\d+)\)? caught", line)
        if crash is not None:
            return f"it crashed (signal {crash.group(1)})"
    last = next((line for line in reversed(lines) if line), "")
    return last[:300] or f"exit code {code}"
