"""Switching binnis on and off in a process directory, and what is on."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madgraph_interface.directory import TESTED, ProcessDirectory
from madgraph_interface.link import add_line, hook_library, remove_line
from madgraph_interface.run_card import add_entries, remove_entries
from madgraph_interface.scripts import finish_script
from mcbridge.errors import UserError
from mcbridge.files import atomic, write_text
from mcbridge.version import __version__

__all__ = ["Status", "disable", "enable", "status"]

_PROGRAMS = ("madevent", "madevent_forhel", "gensym")
_FINISH = "bin/internal/gen_cardhtml-pl"
_EDITED = ("Source/make_opts", "Cards/run_card.dat", "Cards/run_card_default.dat", _FINISH)


@dataclass(frozen=True)
class Status:
    """What ``binnis madgraph status`` tells.

    Attributes:
        enabled: whether the directory is enabled.
        version: of the MadGraph that wrote it.
        by: version of binnis that enabled it.
        linked: for each subprocess whether its ``madevent`` holds the hook; None where it is not compiled.
        settings: entries of the run card.
        training: content of ``binnis/training.json``; None before the first.
        summary: content of the last ``summary.json``; None before the first.
    """

    enabled: bool
    version: str
    by: str
    linked: dict[str, bool | None]
    settings: dict[str, Any]
    training: dict[str, Any] | None
    summary: dict[str, Any] | None


def enable(path: str | Path) -> ProcessDirectory:
    """Switch binnis on: linker options, run-card entries, the step after a run. Nothing is compiled.

    Enabling a directory that is enabled brings it up to date.

    Raises:
        UserError: the directory cannot be supported, another plug-in has changed it, or a file cannot be written; in
            these cases nothing is changed.
    """
    directory = ProcessDirectory(path)
    root = directory.path
    hook_library()
    _refuse_plugins(root)
    if (root / "binnis" / "settings").exists():
        disable(root, keep=True)
    before = {name: (root / name).read_bytes() for name in _EDITED if (root / name).is_file()}
    changed = {name: _change(name, content) for name, content in before.items()}
    folder = root / "binnis"
    kept = folder / "original"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        for name in before:
            (kept / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, kept / name)
        _set_aside_programs(directory, kept)
        for name, content in changed.items():
            _replace(root / name, content)
        state = {"version": __version__, "changed": {name: _digest(content) for name, content in changed.items()}}
        write_text(folder / "state.json", json.dumps(state, indent=2) + "\n")
        write_text(folder / "settings", _settings())
    except (OSError, UserError) as error:
        for name in before:
            if (kept / name).exists():
                _restore(kept / name, root / name)
        _put_back_programs(directory, kept)
        _remove(folder)
        raise UserError(f"{root} cannot be enabled: {error}") from None
    return directory


def _settings() -> str:
    """What the hook reads: the Python that trains, and where it finds this package."""
    package = Path(__file__).resolve().parent.parent
    return f"binnis = {__version__}\npython = {sys.executable}\npath = {package}\n"


def _change(name: str, content: bytes) -> bytes:
    if name == _FINISH:
        return finish_script(sys.executable, Path(__file__).resolve().parent.parent).encode()
    text = content.decode("utf-8", errors="surrogateescape")
    text = add_line(text) if name == "Source/make_opts" else add_entries(text)
    return text.encode("utf-8", errors="surrogateescape")


def _refuse_plugins(root: Path) -> None:
    text = (root / "Source" / "make_opts").read_text(encoding="utf-8", errors="replace")
    if "--wrap=" in remove_line(text):
        raise UserError(
            f"{root}/Source/make_opts already has --wrap options, of another plug-in; two cannot share them"
        )
    if (root / "bin" / "internal" / "launch_plugin.py").exists():
        raise UserError(f"{root} was written by another plug-in (bin/internal/launch_plugin.py); it is not supported")
    if (root / "SubProcesses" / "makefile").exists():
        makefile = (root / "SubProcesses" / "makefile").read_text(encoding="utf-8", errors="replace")
        if (
            "cudacpp" in makefile
            or "MADEVENT_CPP" in makefile.upper()
            or (root / "lib" / "libmg5amc_common.so").exists()
        ):
            raise UserError(f"{root} is a directory of the cudacpp plug-in, whose MadEvent works on vectors of points")


def _set_aside_programs(directory: ProcessDirectory, kept: Path) -> None:
    """Programs that were linked without the hook go away, so that make links them anew."""
    for process in directory.processes:
        for name in _PROGRAMS:
            program = directory.path / "SubProcesses" / process / name
            if program.is_file() and not _has_hook(program):
                target = kept / "SubProcesses" / process / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(program, target)


def _put_back_programs(directory: ProcessDirectory, kept: Path) -> None:
    for process in directory.processes:
        for name in _PROGRAMS:
            program = directory.path / "SubProcesses" / process / name
            original = kept / "SubProcesses" / process / name
            if original.exists():
                shutil.move(original, program)
            elif program.is_file() and _has_hook(program):
                program.unlink()


def disable(path: str | Path, keep: bool = False) -> None:
    """Switch binnis off: every byte as it was, except what the user has changed since (and results of runs).

    Arguments:
        keep: leave the folder ``binnis`` with what was trained.

    Raises:
        UserError: the directory is not enabled.
    """
    directory = ProcessDirectory(path)
    root = directory.path
    folder = root / "binnis"
    if not (folder / "state.json").exists():
        raise UserError(f"{root} is not enabled; 'binnis madgraph enable {path}' does that")
    state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    kept = folder / "original"
    for name, digest in state["changed"].items():
        if not (kept / name).exists():
            continue
        now = (root / name).read_bytes() if (root / name).exists() else b""
        if _digest(now) == digest or name == _FINISH:
            _restore(kept / name, root / name)
        else:  # MadGraph or the user has changed it since: only what is ours goes
            text = now.decode("utf-8", errors="surrogateescape")
            text = remove_line(text) if name == "Source/make_opts" else remove_entries(text)
            _replace(root / name, text.encode("utf-8", errors="surrogateescape"))
    _put_back_programs(directory, kept)
    for name in ("state.json", "settings"):
        (folder / name).unlink(missing_ok=True)
    _remove(kept)
    if not keep:
        _remove(folder)


def status(path: str | Path) -> Status:
    """What is on in a process directory.

    Raises:
        UserError: it is none, or an entry of its run card is wrong.
    """
    from madgraph_interface.run_card import read_settings

    directory = ProcessDirectory(path)
    root = directory.path
    state = _json(root / "binnis" / "state.json")
    linked = {}
    for process in directory.processes:
        program = root / "SubProcesses" / process / "madevent"
        linked[process] = _has_hook(program) if program.is_file() else None
    settings = read_settings(root / "Cards" / "run_card.dat") if state else None
    return Status(
        enabled=state is not None,
        version=directory.version,
        by=str(state["version"]) if state else "",
        linked=linked,
        settings={} if settings is None else vars(settings),
        training=_json(root / "binnis" / "training.json"),
        summary=_json(root / "binnis" / "summary.json"),
    )


def tested(version: str) -> bool:
    """Whether the hook was run with this version of MadGraph."""
    return version in TESTED


def _json(path: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        return None
    except ValueError:
        raise UserError(f"{path} is damaged; run 'binnis madgraph enable' again") from None


def _has_hook(program: Path) -> bool:
    return b"hook_survey_done" in program.read_bytes()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    mode = path.stat().st_mode
    with atomic(path) as temporary:
        temporary.write_bytes(content)
    path.chmod(mode)


def _restore(original: Path, path: Path) -> None:
    """The file as it was, with mode and time."""
    with atomic(path) as temporary:
        temporary.write_bytes(original.read_bytes())
    shutil.copystat(original, path)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
