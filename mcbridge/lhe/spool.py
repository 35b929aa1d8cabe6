"""Events kept aside until the sum of their weights is known."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from mcbridge.events import PER_EVENT, WeightedEvents
from mcbridge.integrands.protocol import EventBatch

__all__ = ["Spool"]

_IN_MEMORY = 8 << 20


class Spool:
    """A temporary file of event arrays; small samples stay in memory.

    Arguments:
        folder: where the temporary file lies, if one is needed; it vanishes by itself.
    """

    def __init__(self, folder: Path) -> None:
        self._file: Any = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(folder))  # noqa: SIM115
        self._blocks: list[tuple[list[str], list[str]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def append(self, events: WeightedEvents) -> None:
        """Put a block of events at the end."""
        batch = events.batch
        arrays = [batch.status, batch.mothers, *(getattr(batch, name) for name in PER_EVENT), events.weight]
        for array in [*arrays, *events.attributes.values(), *events.ratios.values()]:
            np.lib.format.write_array(self._file, np.ascontiguousarray(array), allow_pickle=False)
        self._blocks.append((list(events.attributes), list(events.ratios)))

    def __iter__(self) -> Iterator[WeightedEvents]:
        self._file.seek(0)
        for attributes, groups in self._blocks:
            status, mothers = self._read(), self._read()
            rows = {name: self._read() for name in PER_EVENT}
            yield WeightedEvents(
                EventBatch(status=status, mothers=mothers, **rows),
                self._read(),
                {name: self._read() for name in attributes},
                {name: self._read() for name in groups},
            )

    def _read(self) -> Any:
        return np.lib.format.read_array(self._file, allow_pickle=False)
