"""Finding an installed Sherpa, and what the plug-in supports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from mcbridge.errors import UserError

__all__ = ["SUPPORTED", "Sherpa", "cache_folder", "default_prefix", "find_sherpa"]

SUPPORTED = ((3, 0, 0), (3, 1, 0))
"""Versions of Sherpa from the first to below the second; the plug-in is tested with 3.0.3."""

_HOW = "install one with 'binnis sherpa install', or name yours with --prefix or SHERPA_PREFIX"


@dataclass(frozen=True)
class Sherpa:
    """An installed Sherpa.

    Attributes:
        prefix: folder that holds ``bin/Sherpa`` and ``include/SHERPA-MC``.
        executable: the program.
        include: folder of its headers.
        version: for instance ``"3.0.3"``.
    """

    prefix: Path
    executable: Path
    include: Path
    version: str


def cache_folder() -> Path:
    """The folder of everything this interface keeps between runs: ``binnis/sherpa`` in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "binnis" / "sherpa"


def default_prefix() -> Path:
    """Where ``binnis sherpa install`` puts Sherpa unless it is told otherwise."""
    return cache_folder() / "3.0.3"


def find_sherpa(prefix: str | Path | None = None) -> Sherpa:
    """The Sherpa to work with: ``prefix``, ``SHERPA_PREFIX``, the one on the PATH, the one installed by binnis.

    Raises:
        UserError: there is none, its headers are missing, or its version is not supported.
    """
    if prefix is not None:
        return _at(Path(prefix), "--prefix")
    named = os.environ.get("SHERPA_PREFIX")
    if named:
        return _at(Path(named), "SHERPA_PREFIX")
    on_path = shutil.which("Sherpa")
    if on_path is not None:
        return _at(Path(on_path).resolve().parent.parent, "Sherpa on the PATH")
    if (default_prefix() / "bin" / "Sherpa").exists():
        return _at(default_prefix(), "the installed Sherpa")
    raise UserError(f"no Sherpa was found; {_HOW}")


def _at(prefix: Path, origin: str) -> Sherpa:
    executable = prefix / "bin" / "Sherpa"
    if not executable.exists():
        raise UserError(f"{origin}: there is no bin/Sherpa in {prefix}; {_HOW}")
    include = prefix / "include" / "SHERPA-MC"
    if not (include / "ATOOLS" / "Org" / "CXXFLAGS.H").exists():
        raise UserError(f"{origin}: {prefix} has no headers (include/SHERPA-MC), which the plug-in is compiled with")
    version = _version(executable, origin)
    numbers = tuple(int(part) for part in version.split("."))
    if not SUPPORTED[0] <= numbers < SUPPORTED[1]:
        low, high = (".".join(map(str, limit)) for limit in SUPPORTED)
        raise UserError(f"{origin}: {executable} is Sherpa {version}; supported are {low} to below {high}")
    return Sherpa(prefix.resolve(), executable.resolve(), include.resolve(), version)


def _version(executable: Path, origin: str) -> str:
    try:
        done = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"{origin}: {executable} does not run: {error}") from None
    found = re.search(r"(?i)sherpa version (\d+\.\d+\.\d+)", done.stdout + done.stderr)
    if found is None:
        said = " ".join((done.stderr or done.stdout).split())[:200]
        raise UserError(f"{origin}: {executable} does not tell its version{': ' + said if said else ''}")
    return found.group(1)
