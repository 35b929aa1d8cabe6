"""The Monte Carlo side of binnis: integrands, maps, integration, unweighting, events. Needs no torch."""
