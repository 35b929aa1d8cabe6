"""From momenta of final states to the coordinates that a density is learned in."""

from mcbridge.preprocessing.chart import Chart
from mcbridge.preprocessing.coordinates import KINDS, Coordinates
from mcbridge.preprocessing.final_state import JET, FinalState, canonical
from mcbridge.preprocessing.resonances import Resonances, resonances_of

__all__ = ["JET", "KINDS", "Chart", "Coordinates", "FinalState", "Resonances", "canonical", "resonances_of"]
