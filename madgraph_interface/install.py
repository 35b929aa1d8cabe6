"""The plug-in folder in MadGraph's own ``PLUGIN``, for a MadGraph whose Python has no binnis."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["install_plugin"]


def _source() -> Path:
    """The folder ``MG5aMC_PLUGIN/binnis`` of this installation."""
    beside = Path(__file__).resolve().parent.parent / "MG5aMC_PLUGIN" / "binnis"
    if (beside / "__init__.py").is_file():
        return beside
    found = importlib.util.find_spec("MG5aMC_PLUGIN")
    for folder in [] if found is None else list(found.submodule_search_locations or []):
        if (Path(folder) / "binnis" / "__init__.py").is_file():
            return Path(folder) / "binnis"
    raise UserError("the folder MG5aMC_PLUGIN/binnis is missing; install binnis again")


def install_plugin(mg5: str | Path) -> Path:
    """Put the plug-in into ``PLUGIN/binnis`` of a MadGraph; an older one of ours is replaced.

    Returns:
        the folder.

    Raises:
        UserError: the folder is no MadGraph5_aMC@NLO, or cannot be written to.
    """
    root = Path(mg5).expanduser().resolve()
    if not (root / "bin" / "mg5_aMC").is_file() or not (root / "PLUGIN").is_dir():
        raise UserError(f"--mg5 is {mg5}, which is no MadGraph5_aMC@NLO: it has no bin/mg5_aMC or no PLUGIN")
    target = root / "PLUGIN" / "binnis"
    if target.exists() and not (target / "location.txt").exists():
        raise UserError(f"{target} exists and was not installed by binnis; move it away first")
    source = _source()
    try:
        target.mkdir(exist_ok=True)
        shutil.copyfile(source / "__init__.py", target / "__init__.py")
        write_text(target / "location.txt", f"{sys.executable}\n{Path(__file__).resolve().parent.parent}\n")
    except OSError as error:
        raise UserError(f"{target} cannot be written: {error.strerror or error}") from None
    return target
