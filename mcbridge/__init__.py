"""The Monte Carlo side of binnis: integrands, maps, integration, unweighting, events. Needs no torch.

The names below are imported when they are first used, so that ``import mcbridge`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["Integrator", "Sampler", "Streams", "UserError", "integrate", "survey", "unweight"]

_HOMES = {
    "Integrator": "mcbridge.integration",
    "Sampler": "mcbridge.samplers",
    "Streams": "mcbridge.random",
    "UserError": "mcbridge.errors",
    "integrate": "mcbridge.integration",
    "survey": "mcbridge.samplers",
    "unweight": "mcbridge.unweighting",
}

if TYPE_CHECKING:
    from mcbridge.errors import UserError
    from mcbridge.integration import Integrator
    from mcbridge.integration.integrate import integrate
    from mcbridge.random import Streams
    from mcbridge.samplers import Sampler
    from mcbridge.samplers.survey import survey
    from mcbridge.unweighting import unweight


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mcbridge' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
