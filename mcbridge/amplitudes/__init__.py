"""Squared amplitudes: tree-level gluons, electroweak pairs, and any UMAMI library."""

from mcbridge.amplitudes.gluons import GluonAmplitude
from mcbridge.amplitudes.umami import UmamiAmplitude

__all__ = ["GluonAmplitude", "UmamiAmplitude"]
