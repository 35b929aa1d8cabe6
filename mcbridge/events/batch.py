"""Selecting and joining event records."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mcbridge.errors import AmplitudeError
from mcbridge.integrands.protocol import EventBatch, IntArray

__all__ = ["PER_EVENT", "concatenate", "select", "size"]

PER_EVENT = ("momenta", "pdg_ids", "colours", "masses", "scale", "alpha_s", "alpha_qed", "process_id")
"""Fields of an :class:`EventBatch` with one row an event; ``status`` and ``mothers`` are common to all events."""


def size(batch: EventBatch) -> int:
    """Number of events of a batch."""
    return len(batch.momenta)


def select(batch: EventBatch, which: npt.NDArray[np.bool_] | IntArray | slice) -> EventBatch:
    """The events that a mask (n,), an array of indices or a slice picks, in this order."""
    rows = {name: getattr(batch, name)[which] for name in PER_EVENT}
    return EventBatch(status=batch.status, mothers=batch.mothers, **rows)


def concatenate(batches: Sequence[EventBatch]) -> EventBatch:
    """All events of ``batches``, in this order.

    Raises:
        AmplitudeError: where the batches differ in the number, status or mothers of the particles.
    """
    if len(batches) == 1:
        return batches[0]
    first = batches[0]
    for batch in batches[1:]:
        if not (np.array_equal(first.status, batch.status) and np.array_equal(first.mothers, batch.mothers)):
            raise AmplitudeError(
                "event records with different status or mothers cannot share one batch:"
                f" {first.status.tolist()} and {batch.status.tolist()}"
            )
    rows = {name: np.concatenate([getattr(batch, name) for batch in batches]) for name in PER_EVENT}
    return EventBatch(status=first.status, mothers=first.mothers, **rows)
