"""Sherpa from the Python package index, into a prefix of its own."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mcbridge.errors import UserError
from sherpa_interface.locate import Sherpa, default_prefix, find_sherpa

__all__ = ["PACKAGE", "SHA256", "install_sherpa"]

PACKAGE = "sherpa-mc==3.0.3b2"
SHA256 = "78313b2abda337269e656d5fed8fda9f1851c8fd96f33801188386fddc8f01a2"
"""Of the wheel for Python 3.12 on Linux, x86-64; its program and libraries need no Python."""


def install_sherpa(prefix: str | Path | None = None) -> Sherpa:
    """Install the pinned wheel (48 MB download, 118 MB on disk) and return what was installed.

    An installation that is there already is kept.

    Arguments:
        prefix: folder to make; :func:`sherpa_interface.locate.default_prefix` if None.

    Raises:
        UserError: the platform has no wheel, the folder holds something else, or pip fails.
    """
    target = default_prefix() if prefix is None else Path(prefix)
    if (target / "bin" / "Sherpa").exists():
        return find_sherpa(target)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"--prefix: {target} is not empty and holds no Sherpa; name a new folder")
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise UserError(
            f"there is no Sherpa wheel for {sys.platform} on {platform.machine()}; install Sherpa 3.0 from its sources "
            "and name it with --prefix or SHERPA_PREFIX"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            made = Path(folder) / "prefix"
            _pip(Path(folder), made)
            if target.exists():
                target.rmdir()
            shutil.move(made, target)
    except OSError as error:
        raise UserError(f"--prefix: {target} cannot be made: {error.strerror or error}") from None
    return find_sherpa(target)


def _pip(folder: Path, made: Path) -> None:
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.12", "--require-hashes"]
    command += ["--platform", "manylinux_2_34_x86_64", "--target", str(made), "-r", str(requirements)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reason = " ".join(lines[-1].split()) if lines else f"exit code {done.returncode}"
        raise UserError(f"pip could not install {PACKAGE}: {reason}")
