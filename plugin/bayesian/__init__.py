"""Bayesian flows: a posterior over the parameters of a flow, its replicas, and what they say about every event."""

from plugin.bayesian.conditional import ConditionalDensity, augment, learn_conditional
from plugin.bayesian.density import learn_density
from plugin.bayesian.events import Events
from plugin.bayesian.fit import BayesianConfig, FitResult, fit
from plugin.bayesian.posterior import BayesianFlow
from plugin.bayesian.temper import COLD, sized_replicas, temper

__all__ = [
    "COLD",
    "BayesianConfig",
    "BayesianFlow",
    "ConditionalDensity",
    "Events",
    "FitResult",
    "augment",
    "fit",
    "learn_conditional",
    "learn_density",
    "sized_replicas",
    "temper",
]
