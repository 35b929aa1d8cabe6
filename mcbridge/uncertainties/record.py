"""Uncertainties in the event record: replica weights, sigma_stat, and the header that explains them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mcbridge.events import WeightedEvents
from mcbridge.lhe import WeightGroup
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties.calibration import Calibration
from mcbridge.uncertainties.density import bayesian_density
from mcbridge.unweighting import UnweightedChunk

__all__ = ["ATTRIBUTE", "GROUP", "header_block", "weight_group", "with_uncertainties"]

GROUP = "binn"
ATTRIBUTE = "sigma_stat"


def weight_group(replicas: int) -> WeightGroup:
    """The group ``binn`` with ids ``binn_001`` to ``binn_<M>``."""
    ids = tuple(f"{GROUP}_{number:03d}" for number in range(1, replicas + 1))
    texts = tuple(f"replica {number} of the Bayesian flow" for number in range(1, replicas + 1))
    return WeightGroup(GROUP, ids, texts, combine="replicas")


def with_uncertainties(
    chunks: Iterable[UnweightedChunk], sampler: Sampler, weights: bool = True, threads: int = 1
) -> Iterator[WeightedEvents]:
    """The same events with ``sigma_stat`` and, where ``weights``, the ratios of the replica weights.

    The replica weight is ``w_m = XWGTUP p(u|theta_m)/p(u)`` with p the mean of the replicas, and ``sigma_stat`` their
    relative standard deviation (arXiv:2104.04543, eq. 11), before any calibration. Densities are those of the channel
    in which the event was drawn (:func:`mcbridge.uncertainties.bayesian_density`). The events' own weights, and
    attributes and weight groups that they carry already, stay as they are.

    Arguments:
        chunks: events with the points that they were made of.
        sampler: with replicas.
        weights: whether every event carries all replica weights.
        threads: of the kernel.

    Raises:
        UserError: the sampler has no replicas.
    """
    for chunk in chunks:
        density = bayesian_density(sampler, chunk.u, chunk.channel, threads)
        ratios = {**chunk.ratios, GROUP: density.ratios} if weights else chunk.ratios
        yield WeightedEvents(chunk.batch, chunk.weight, {**chunk.attributes, ATTRIBUTE: density.relative}, ratios)


def header_block(mode: str, replicas: Replicas, calibration: Calibration | None, notes: Mapping[str, Any]) -> str:
    """The header block ``binn`` as JSON.

    Arguments:
        mode: ``"exact"`` (events have exact weights) or ``"surrogate"`` (events come from the flow alone).
        replicas: those in the events.
        calibration: pulls, coverage and factors; None where none was possible.
        notes: what else there is to say.
    """
    content: dict[str, Any] = {
        "mode": mode,
        "replicas": len(replicas),
        "sigma_stat": "relative standard deviation of the replica weights of the event, not calibrated",
        "weights": "binn_m = XWGTUP p(x|theta_m)/p(x), p the mean over the replicas, in the channel of the event",
        **replicas.information,
        "calibration": None if calibration is None else calibration.as_json(),
        **notes,
    }
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False)
