"""binnis: a normalizing flow inside the integration loop of event generators.

``from binnis import Integrator`` is the drop-in for ``vegas.Integrator`` that may train a flow; the rest of the public
names are listed in ``__all__``. The other names of vegas are passed on: ``import binnis as vegas`` is all that a script
written for vegas needs (docs/vegas.md).
"""

from __future__ import annotations

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

__all__ = [
    "Integrator",
    "Sampler",
    "UserError",
    "__version__",
    "augment",
    "learn_conditional",
    "load_card",
    "plot_bands",
    "restratify",
    "run",
    "uncertainty_band",
]


_HOMES = {
    "Integrator": "plugin.integrator",
    "Sampler": "mcbridge.samplers",
    "UserError": "mcbridge.errors",
    "__version__": "mcbridge.version",
    "augment": "plugin.bayesian.conditional",
    "learn_conditional": "plugin.bayesian.conditional",
    "load_card": "plugin.card",
    "plot_bands": "mcbridge.uncertainties.plot",
    "restratify": "mcbridge.integration",
    "run": "plugin.run",
    "uncertainty_band": "mcbridge.uncertainties.band",
}


def _check_not_shadowed() -> None:
    """Our package ``plugin`` has a common name; a file of the user's may stand before it on the path."""
    for name in ("plugin", "mcbridge"):
        spec = importlib.util.find_spec(name)
        folders = [] if spec is None else list(spec.submodule_search_locations or [])
        if not any((Path(folder) / "py.typed").exists() for folder in folders):
            where = "is not installed" if spec is None else f"is shadowed by {spec.origin or folders[0]}"
            raise ImportError(
                f"the package '{name}' of binnis {where}; rename your file or start Python in another folder"
            )


_check_not_shadowed()

if TYPE_CHECKING:
    from mcbridge.errors import UserError
    from mcbridge.integration.restratify import restratify
    from mcbridge.samplers import Sampler
    from mcbridge.uncertainties.band import uncertainty_band
    from mcbridge.uncertainties.plot import plot_bands
    from mcbridge.version import __version__
    from plugin.bayesian.conditional import augment, learn_conditional
    from plugin.card import load_card
    from plugin.integrator import Integrator
    from plugin.run import run


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in _vegas_names():
        return getattr(import_module("vegas"), name)
    raise AttributeError(f"module 'binnis' has no attribute '{name}'")


def __dir__() -> list[str]:
    return [*__all__, *_vegas_names()]


def _vegas_names() -> tuple[str, ...]:
    from mcbridge import VEGAS_NAMES

    return VEGAS_NAMES
