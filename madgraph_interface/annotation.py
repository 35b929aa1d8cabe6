"""Uncertainties of the events of a run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from madgraph_interface.directory import ProcessDirectory

__all__ = ["annotate_run"]


def annotate_run(directory: ProcessDirectory, events: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Annotate the event file of a run in place, where that is possible.

    Arguments:
        directory: process directory.
        events: its ``unweighted_events.lhe.gz``; MadGraph's header, blocks and weights stay as they are.
        summary: of the run.

    Returns:
        what was done, for the summary: ``annotated``, and the ``reason`` where it was not.
    """
    if find_spec("plugin.annotate") is None:
        return {"annotated": False, "reason": "this version of binnis does not annotate event files"}
    return {"annotated": False, "reason": "not implemented"}
