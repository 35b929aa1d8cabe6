"""The interface to Sherpa: its integrand and matrix elements for Python, and runs with a trained sampler.

Its command line is in :mod:`sherpa_interface.commands`; what is imported here starts no Sherpa and imports no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sherpa_interface.integrand import SherpaAmplitude, SherpaIntegrand
    from sherpa_interface.run import Settings, resume_run, run_card

__all__ = ["Settings", "SherpaAmplitude", "SherpaIntegrand", "resume_run", "run_card"]

_LAZY = {
    "SherpaAmplitude": "integrand",
    "SherpaIntegrand": "integrand",
    "Settings": "run",
    "resume_run": "run",
    "run_card": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
