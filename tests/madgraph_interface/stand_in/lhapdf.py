"""What MadGraph's systematics ask of the Python module of LHAPDF, for grids on LHAPDF_DATA_PATH; used by tests only."""

import os
import sys
from pathlib import Path

sys.path += os.environ["BINNIS_STAND_IN"].split(os.pathsep)

from mcbridge.pdfs.grid import GridPdf

VERSION = "6.5.4"


def setVerbosity(level):  # noqa: N802
    """Nothing is said anyway."""


class PDFSet:
    """A set with its central member alone."""

    def __init__(self, folder):
        self.folder = folder
        self.name = self.description = folder.name
        self.errorType = "unknown"
        self.lhapdfID = GridPdf(folder).lhapdf_id
        self.size = 1

    def mkPDFs(self):  # noqa: N802
        return [PDF(self)]


class PDF:
    """The central member of a set."""

    def __init__(self, own):
        self._set, self._grid = own, GridPdf(own.folder)
        self.lhapdfID, self.memberID = own.lhapdfID, 0

    def set(self):
        return self._set

    def xfxQ(self, pdg, x, q):  # noqa: N802
        return float(self._grid.xfx(21 if pdg == 0 else int(pdg), [x], [q])[0])

    def xfxQ2(self, pdg, x, square):  # noqa: N802
        return self.xfxQ(pdg, x, square**0.5)

    def alphasQ(self, q):  # noqa: N802
        return float(self._grid.alpha_s([q])[0])

    def alphasQ2(self, square):  # noqa: N802
        return self.alphasQ(square**0.5)


def mkPDF(name, member=0):  # noqa: N802
    """The central member by its number, or by the name of its set."""
    for folder in Path(os.environ["LHAPDF_DATA_PATH"]).iterdir():
        if (folder / f"{folder.name}.info").is_file():
            own = PDFSet(folder)
            if member == 0 and str(name) in (own.name, str(own.lhapdfID)):
                return PDF(own)
    raise RuntimeError(f"there is no set {name}")
