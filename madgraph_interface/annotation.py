"""Uncertainties of the events of a run, by the machinery of ``binnis annotate``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError

__all__ = ["annotate_run"]


def annotate_run(events: Path, summary: dict[str, Any]) -> dict[str, Any]:
    """Annotate the event file of a run in place, where a flow has sampled at least one channel.

    MadGraph's header, blocks and weights stay as they are, and its systematics weights give ``sigma_th``.

    Arguments:
        events: ``unweighted_events.lhe.gz`` of the run.
        summary: of the run.

    Returns:
        what was done, for the summary: ``annotated``, the ``reason`` where it was not, the content of the new header
        block otherwise.
    """
    trained = summary["training"]
    if trained is None or not any(channel["sampler"] == "flow" for channel in trained["channels"]):
        return {"annotated": False, "reason": "no channel was sampled by a flow"}
    from plugin.annotate import annotate

    target = events.with_name(f"annotated.{os.getpid()}.lhe.gz")
    try:
        result = annotate(events, target, seed=max(trained["seeds"], default=1), jets=True)
        target.replace(events.with_name(events.name.removesuffix(".gz") + ".gz"))
    except (UserError, OSError) as error:
        target.unlink(missing_ok=True)
        return {"annotated": False, "reason": str(error)}
    if not events.name.endswith(".gz"):
        events.unlink()
    return {"annotated": True, "header": result.header}
