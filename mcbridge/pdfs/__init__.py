"""Parton densities: LHAPDF6 grids of the user, or a small embedded demonstration set."""

from mcbridge.pdfs.grid import GridPdf
from mcbridge.pdfs.load import BUILTIN, available_sets, error_type_of, load_pdf
from mcbridge.pdfs.protocol import Pdf

__all__ = ["BUILTIN", "GridPdf", "Pdf", "available_sets", "error_type_of", "load_pdf"]
