"""The interface to MadGraph5_aMC@NLO."""
