"""Maps from the unit interval to the variables of a collision."""

from mcbridge.phase_space.collider import lepton_pair_momenta
from mcbridge.phase_space.invariants import BreitWignerMap, InvariantMap, PowerMap

__all__ = ["BreitWignerMap", "InvariantMap", "PowerMap", "lepton_pair_momenta"]
