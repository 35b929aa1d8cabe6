"""Processes out of the box, and the user's own amplitude; each is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mcbridge.errors import UserError, nearest

__all__ = ["PROCESSES", "process"]

PROCESSES = {
    "drell-yan": "mcbridge.processes.drell_yan:DrellYan",
    "ee-to-mumu": "mcbridge.processes.ee_to_mumu:EeToMuMu",
    "gluons": "mcbridge.processes.gluons:Gluons",
    "custom": "mcbridge.processes.custom:CustomProcess",
    "umami": "mcbridge.processes.umami:UmamiProcess",
}
"""Where the class of each process is defined, by the name that a run card uses."""


def process(name: str) -> type[Any]:
    """The class of a process.

    Raises:
        UserError: there is no process of this name.
    """
    if name not in PROCESSES:
        raise UserError(
            f"process: '{name}' was given; known are {', '.join(PROCESSES)}{nearest(name, PROCESSES) or '.'}"
        )
    module, attribute = PROCESSES[name].split(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found
