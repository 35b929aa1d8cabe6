"""The flows of a trained process directory of MadGraph against MadEvent's grid alone, channel by channel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import print_table
from madgraph_interface.directory import ProcessDirectory
from madgraph_interface.integrand import MadEventIntegrand
from mcbridge import core
from mcbridge.integration import Guard, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import Sampler

__all__ = ["compare_channels"]

_CHUNK = 100_000


def compare_channels(path: Path, points: int, seed: int = 1) -> dict[str, Any]:
    """Integrals of all channels with a flow, from fresh points of the flow and of the grid under it.

    Arguments:
        path: process directory after a launch that trained flows.
        points: of each of the two in every channel.
        seed: of the points.
    """
    rows: list[list[Any]] = []
    for channel in ProcessDirectory(path).channels():
        file = channel.folder / "sampler.mcb"
        if not file.exists():
            continue
        sampler = Sampler.load(file)
        with MadEventIntegrand(channel, channel.folder / "grid") as integrand:
            grid = _moments(integrand, Sampler([core.ChannelSampler(integrand.dim)]), points, seed, "grid")
            flow = _moments(integrand, sampler, points, seed, "flow")
        pull = (flow[0] - grid[0]) / float(np.hypot(flow[1], grid[1]))
        texts = [f"{mean:.6g} +- {error:.2g}" for mean, error, _ in (grid, flow)]
        rows.append([str(channel), sampler.channels[0].eps, texts[0], grid[2], texts[1], flow[2], pull])
    columns = ["channel", "share of the grid", "grid [pb]", "rel. std", "flow [pb]", "rel. std", "pull"]
    print_table(f"{path.name}: {points} fresh points of each", columns, rows)
    return {"channels": rows, "points": points}


def _moments(
    integrand: MadEventIntegrand, sampler: Sampler, points: int, seed: int, purpose: str
) -> tuple[float, float, float]:
    """Mean, its standard error, and the relative standard deviation of a point."""
    parts = [
        fresh_weights(integrand, sampler, _CHUNK, Streams(seed + part), f"channels {purpose}", Guard()).event_weights
        for part in range(max(1, points // _CHUNK))
    ]
    weights = np.concatenate(parts)
    mean, spread = float(np.mean(weights)), float(np.std(weights))
    return mean, spread / len(weights) ** 0.5, spread / mean
