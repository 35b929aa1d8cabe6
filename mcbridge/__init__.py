"""The Monte Carlo side of binnis: integrands, maps, integration, unweighting, events. Needs no torch.

The names below are imported when they are first used, so that ``import mcbridge`` is quick. Those of vegas are there as
well: ``import mcbridge as vegas`` is all that a script written for vegas needs (docs/vegas.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "Integrator",
    "Sampler",
    "Streams",
    "UserError",
    "__version__",
    "integrate",
    "restratify",
    "survey",
    "unweight",
]

_HOMES = {
    "Integrator": "mcbridge.integration",
    "Sampler": "mcbridge.samplers",
    "Streams": "mcbridge.random",
    "UserError": "mcbridge.errors",
    "__version__": "mcbridge.version",
    "integrate": "mcbridge.integration",
    "restratify": "mcbridge.integration",
    "survey": "mcbridge.samplers",
    "unweight": "mcbridge.unweighting",
}

# Public names of vegas that are passed on as they are.
VEGAS_NAMES = (
    *("AdaptiveMap", "PDFIntegrator", "PDFEV", "PDFEVArray", "PDFEVDict", "RAvg", "RAvgArray", "RAvgDict", "ravg"),
    *("LBatchIntegrand", "RBatchIntegrand", "BatchIntegrand", "VecIntegrand", "VegasIntegrand", "MPIintegrand"),
    *("lbatchintegrand", "rbatchintegrand", "batchintegrand", "vecintegrand", "reporter"),
)

if TYPE_CHECKING:
    from mcbridge.errors import UserError
    from mcbridge.integration.integrate import integrate
    from mcbridge.integration.integrator import Integrator
    from mcbridge.integration.restratify import restratify
    from mcbridge.random import Streams
    from mcbridge.samplers import Sampler
    from mcbridge.samplers.survey import survey
    from mcbridge.unweighting import unweight
    from mcbridge.version import __version__


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in VEGAS_NAMES:
        return getattr(import_module("vegas"), name)
    raise AttributeError(f"module 'mcbridge' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, *VEGAS_NAMES]
