"""Events with what travels with them: relative weight, attributes and named weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.events.batch import concatenate, select, size
from mcbridge.integrands.protocol import Array, EventBatch, IntArray

__all__ = ["WeightedEvents", "rebatch"]


@dataclass
class WeightedEvents:
    """Event records with their weights.

    Attributes:
        batch: the records of n events.
        weight: (n,), relative weight: 1 or -1 for an unweighted event, larger in size for an overweight one.
        attributes: numbers (n,) for the event tag, by name (for instance ``sigma_stat``).
        ratios: for each weight group (n, k) alternative weights divided by the weight of the event.
    """

    batch: EventBatch
    weight: Array
    attributes: Mapping[str, Array] = field(default_factory=dict)
    ratios: Mapping[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = size(self.batch)
        if np.shape(self.weight) != (n,):
            raise UserError(f"weight has shape {np.shape(self.weight)}; expected ({n},), one for each event")
        for name, values in self.attributes.items():
            if np.shape(values) != (n,):
                raise UserError(f"the event attribute {name} has shape {np.shape(values)}; expected ({n},)")
        for name, values in self.ratios.items():
            if np.ndim(values) != 2 or len(values) != n:
                raise UserError(f"the weight group {name} has shape {np.shape(values)}; expected ({n}, weights)")

    def __len__(self) -> int:
        return len(self.weight)

    def select_events(self, which: npt.NDArray[np.bool_] | IntArray | slice) -> WeightedEvents:
        """The events that a mask (n,), indices or a slice picks."""
        return WeightedEvents(
            select(self.batch, which),
            self.weight[which],
            {name: values[which] for name, values in self.attributes.items()},
            {name: values[which] for name, values in self.ratios.items()},
        )

    @staticmethod
    def join(parts: list[WeightedEvents]) -> WeightedEvents:
        """All events of ``parts``, in this order.

        Raises:
            UserError: where the parts differ in the names of attributes or weight groups.
        """
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        for part in parts[1:]:
            if part.attributes.keys() != first.attributes.keys() or part.ratios.keys() != first.ratios.keys():
                raise UserError(
                    "all events of a file must carry the same attributes and weight groups; found"
                    f" {sorted([*first.attributes, *first.ratios])} and {sorted([*part.attributes, *part.ratios])}"
                )
        return WeightedEvents(
            concatenate([part.batch for part in parts]),
            np.concatenate([part.weight for part in parts]),
            {name: np.concatenate([part.attributes[name] for part in parts]) for name in first.attributes},
            {name: np.concatenate([part.ratios[name] for part in parts]) for name in first.ratios},
        )


def rebatch(chunks: Iterable[WeightedEvents], events: int) -> Iterator[WeightedEvents]:
    """The same events in the same order, in blocks of about ``events``; empty chunks vanish.

    A block ends early where the next chunk has other particles (another number, status or mothers).
    """
    waiting: list[WeightedEvents] = []
    count = 0
    for chunk in chunks:
        if not len(chunk):
            continue
        if waiting and not _same_particles(waiting[-1].batch, chunk.batch):
            yield WeightedEvents.join(waiting)
            waiting, count = [], 0
        waiting.append(chunk)
        count += len(chunk)
        if count >= events:
            joined = WeightedEvents.join(waiting)
            waiting, count = [], 0
            for start in range(0, len(joined), events):
                yield joined.select_events(slice(start, start + events))
    if waiting:
        yield WeightedEvents.join(waiting)


def _same_particles(one: EventBatch, other: EventBatch) -> bool:
    return np.array_equal(one.status, other.status) and np.array_equal(one.mothers, other.mothers)
