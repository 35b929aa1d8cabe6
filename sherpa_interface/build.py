"""Compilation of the plug-in library against an installed Sherpa."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mcbridge import core
from mcbridge.errors import UserError
from sherpa_interface.locate import Sherpa, cache_folder

__all__ = ["LIBRARY", "build_plugin"]

LIBRARY = "libSherpaBinnis.so"

_SOURCES = Path(__file__).with_name("src")
_CORE = Path(core.__file__).parent
# Sherpa's headers warn; ours are clean with -Wall -Wextra.
_FLAGS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility-inlines-hidden")


def build_plugin(sherpa: Sherpa, output: str | Path | None = None, rebuild: bool = False) -> Path:
    """The plug-in library for a Sherpa, compiled if it is not there already.

    Arguments:
        sherpa: the installation.
        output: folder of the library; one for this Sherpa in the user's cache folder if None.
        rebuild: compile in any case.

    Returns:
        the path of ``libSherpaBinnis.so``; its folder has to be on ``LD_LIBRARY_PATH`` when Sherpa runs.

    Raises:
        UserError: no compiler, the shared core is missing, or the compilation fails.
    """
    sources = sorted(_SOURCES.glob("*.cpp"))
    core_library = _CORE / "lib" / "libmcbridge.so"
    if not core_library.exists():
        raise UserError(f"the shared core {core_library} is missing; install binnis with a C++ compiler at hand")
    name = os.environ.get("CXX", "c++")
    compiler = shutil.which(name)
    if compiler is None:
        raise UserError(f"there is no C++ compiler '{name}'; install one, or name yours with CXX")
    folder = cache_folder() / f"plugin-{_digest(sherpa, compiler)}" if output is None else Path(output)
    target = folder / LIBRARY
    if target.exists() and output is None and not rebuild:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".build.") as scratch:
            made = _compile(compiler, sherpa, sources, Path(scratch))
            made.replace(target)
    except OSError as error:
        raise UserError(f"the plug-in cannot be written to {folder}: {error.strerror or error}") from None
    return target


def _digest(sherpa: Sherpa, compiler: str) -> str:
    """What a compiled plug-in depends on."""
    digest = hashlib.sha256(f"{sherpa.prefix} {sherpa.version} {compiler} {_FLAGS} {_CORE}".encode())
    headers = [_CORE / "include" / "mcbridge.h", sherpa.include / "ATOOLS" / "Org" / "CXXFLAGS.H"]
    for path in [*sorted(_SOURCES.iterdir()), *headers]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _compile(compiler: str, sherpa: Sherpa, sources: list[Path], scratch: Path) -> Path:
    include = ["-isystem", str(sherpa.include), f"-I{_CORE / 'include'}"]

    def compile_one(source: Path) -> Path:
        made = scratch / f"{source.stem}.o"
        _call([compiler, *_FLAGS, *include, "-c", str(source), "-o", str(made)], f"{source.name} with {compiler}")
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compile_one, sources))
    library = scratch / LIBRARY
    link = [f"-L{_CORE / 'lib'}", "-lmcbridge", f"-Wl,-rpath,{_CORE / 'lib'}"]
    _call([compiler, "-shared", *map(str, objects), "-o", str(library), *link], "the plug-in library")
    return library


def _call(command: list[str], what: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines()
        reason = errors[0].strip() if errors else f"exit code {done.returncode}"
        raise UserError(f"compiling {what} failed: {reason}")
