"""The chunks of an integration on the workers of a run, kept until the integration is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

from mcbridge.errors import UserError
from mcbridge.integration import FailureLog, Samples
from mcbridge.integration.chunks import Accumulator, Chunk, ChunkMap, ChunkSums, Plan
from mcbridge.scaling import Cost, integration_map
from mcbridge.scaling.arrays import load_arrays, save_arrays
from plugin.run.state import State

__all__ = ["chunk_map"]

_KIND = "integration"
_CHEAP = 0.2  # wall seconds below which a chunk is sooner done again than kept


def chunk_map(state: State, folder: Path) -> ChunkMap:
    """For :func:`mcbridge.integration.integrate`: its chunks by the workers of a run, or found in ``folder``."""
    assert state.workers is not None
    assert state.context is not None
    workers, context = state.workers, state.context

    def do(plan: Plan, chunks: Iterable[Chunk]) -> Iterator[ChunkSums]:
        source = iter(chunks)
        left: list[Chunk] = []
        for chunk in source:
            found = _find(_path(folder, chunk), plan.keep)
            if found is None:
                left = [chunk]
                break
            sums, cost = found
            state.charge(cost)
            yield sums
        costs: list[Cost] = []
        labels: list[Chunk] = []

        def rest() -> Iterator[Chunk]:
            for chunk in chain(left, source):
                labels.append(chunk)
                yield chunk

        for sums in integration_map(workers, context, costs.append)(plan, rest()):
            chunk, cost = labels.pop(0), costs.pop(0)
            state.charge(cost)
            if cost.seconds > _CHEAP:
                _keep(_path(folder, chunk), sums, cost)
            yield sums

    return do


def _path(folder: Path, chunk: Chunk) -> Path:
    return folder / f"{chunk.iteration}-{chunk.channel}-{chunk.number}-{chunk.points}.safetensors"


def _keep(path: Path, found: ChunkSums, cost: Cost) -> None:
    arrays: dict[str, Any] = {"mean": found.sums.mean, "squares": found.sums.squares}
    if found.samples is not None:
        arrays |= {f"samples.{field.name}": getattr(found.samples, field.name) for field in fields(Samples)}
    path.parent.mkdir(parents=True, exist_ok=True)
    information = {
        "n": found.sums.n,
        "absolute_sum": found.sums.absolute_sum,
        "maximum": found.sums.maximum,
        "failures": found.failures.as_json(),
        "cost": [cost.evaluations, cost.amplitude_seconds, cost.cpu_seconds, cost.seconds],
    }
    present = {name: array for name, array in arrays.items() if array is not None}
    save_arrays(path, present, _KIND, information, durable=False)


def _find(path: Path, keep: bool) -> tuple[ChunkSums, Cost] | None:
    """A chunk that was kept; None where there is none, or it is damaged."""
    if not path.exists():
        return None
    try:
        arrays, data = load_arrays(path, _KIND)
        sums = Accumulator(
            len(arrays["mean"]), data["n"], data["absolute_sum"], data["maximum"], arrays["mean"], arrays["squares"]
        )
        columns: dict[str, Any] = {
            name.partition(".")[2]: array for name, array in arrays.items() if name.startswith("samples.")
        }
        if keep and not columns:
            return None
        samples = Samples(**columns) if keep else None
        return ChunkSums(sums, samples, FailureLog.from_json(data["failures"])), Cost(*data["cost"])
    except (UserError, KeyError, TypeError, ValueError):
        return None
