"""Uncertainties of events: densities of replicas, calibration on exact points, the event record, bands."""

from mcbridge.uncertainties.calibration import Calibration, Coverage, calibrate, calibrate_pulls, pulls_of
from mcbridge.uncertainties.density import BayesianDensity, bayesian_density
from mcbridge.uncertainties.record import header_block, weight_group, with_uncertainties
from mcbridge.uncertainties.signs import positive_part

__all__ = [
    "BayesianDensity",
    "Calibration",
    "Coverage",
    "bayesian_density",
    "calibrate",
    "calibrate_pulls",
    "header_block",
    "positive_part",
    "pulls_of",
    "weight_group",
    "with_uncertainties",
]
