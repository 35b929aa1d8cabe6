"""Event files in the format HepMC3, through pyhepmc."""

from mcbridge.hepmc.write import lhe_to_hepmc3, require_pyhepmc

__all__ = ["lhe_to_hepmc3", "require_pyhepmc"]
