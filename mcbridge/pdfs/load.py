"""From the name of a set to an object that gives its densities."""

from __future__ import annotations

import importlib
import logging
import os
from pathlib import Path

from mcbridge.errors import UserError, nearest
from mcbridge.pdfs.files import read_info
from mcbridge.pdfs.grid import GridPdf
from mcbridge.pdfs.protocol import Pdf

__all__ = ["BUILTIN", "available_sets", "error_type_of", "load_pdf"]

_LOG = logging.getLogger(__name__)
BUILTIN = "builtin"
_BUILTIN_SET = "LesHouchesToyLO"
_DATA = Path(__file__).parent / "data"


def _search_path() -> list[Path]:
    """Folders with sets: those of the lhapdf module if it is installed, then LHAPDF_DATA_PATH."""
    folders: list[str] = []
    try:
        folders += list(importlib.import_module("lhapdf").paths())
    except (ImportError, AttributeError):  # a folder of this name is a module without content
        _LOG.debug("no lhapdf module; sets are looked for on LHAPDF_DATA_PATH only")
    for name in ("LHAPDF_DATA_PATH", "LHAPATH"):
        folders += [entry for entry in os.environ.get(name, "").split(os.pathsep) if entry]
    return [Path(entry) for entry in dict.fromkeys(folders)]


def available_sets() -> dict[str, Path]:
    """The sets that can be named, with their folders; 'builtin' is the embedded demonstration set."""
    sets = {BUILTIN: _DATA / _BUILTIN_SET}
    for folder in _search_path():
        if folder.is_dir():
            for entry in sorted(folder.iterdir()):
                if (entry / f"{entry.name}.info").is_file():
                    sets.setdefault(entry.name, entry)
    return sets


def error_type_of(lhapdf_id: int) -> str | None:
    """ErrorType of the installed set whose central member has an LHAPDF id; None where there is none."""
    for name, folder in available_sets().items():
        try:
            info = read_info(folder / f"{folder.name}.info")
        except UserError:
            _LOG.debug("the set %s is left out: its .info file cannot be read", name)
            continue
        if info.get("SetIndex") == lhapdf_id:
            return str(info.get("ErrorType", "")) or None
    return None


def load_pdf(name: str = BUILTIN, member: int = 0) -> Pdf:
    """The set of a name.

    Where the module ``lhapdf`` is installed its search path is used; grids are read in batches either way.

    Arguments:
        name: name of a set on the search path, or ``"builtin"``.
        member: number of the member.

    Raises:
        UserError: there is no set of this name, or its files cannot be read.
    """
    sets = available_sets()
    if name not in sets:
        raise UserError(
            f"pdf: there is no set '{name}'; found: {', '.join(sets)} (folders on LHAPDF_DATA_PATH are searched)"
            f"{nearest(name, sets) or '.'}"
        )
    pdf = GridPdf(sets[name], member)
    if name == BUILTIN:
        _LOG.warning(
            "The embedded PDF set is a demonstration set (Les Houches toy input, hep-ph/0204316, evolved at leading "
            "order): it is no fit to data; name an LHAPDF set for physics."
        )
    return pdf
