"""What of the sampler is found without gradients: cell tables, and the share of the VEGAS density."""

from __future__ import annotations

import numpy as np

from mcbridge import core
from mcbridge.integrands.protocol import Array
from plugin.flows import Flow
from plugin.training.buffer import Buffer, Floats
from plugin.training.config import TrainingConfig
from plugin.training.measures import Moments, best_eps
from plugin.training.optimise import Best, held_out_moments

__all__ = ["choose_eps", "learned_tables", "tuned_tables"]

_FLOOR = 0.02  # share of a cell table that all cells have equally


def learned_tables(buffer: Buffer, tables: list[Array]) -> list[Array]:
    """Cell tables that minimise the forward KL: the sum of the weights of every cell, with a floor."""
    weight = np.where(buffer.held, 0.0, np.abs(buffer.target) / buffer.density)
    return _tables(buffer, weight, tables)


def tuned_tables(buffer: Buffer, flow: Flow, best: Best, tables: list[Array], eps: float) -> list[Array]:
    """Cell tables of least variance, ``p_c ~ sqrt(int_c (alpha f)^2/q_c)``, where held-out points agree.

    Arguments:
        best: parameters of the flow, and the second moments with ``tables`` that are to be beaten.
        eps: share of the VEGAS density in the mixture.
    """
    if all(len(table) == 1 for table in tables):
        return tables
    ones = [np.ones_like(table) for table in tables]
    density = buffer.flow_density(flow.spec, best.parameters, ones, np.arange(len(buffer)))
    terms = np.where(buffer.held, 0.0, buffer.target**2 / (buffer.density * np.maximum(density, 1e-300)))
    found = _tables(buffer, terms, tables, root=True)
    moments = held_out_moments(buffer, flow, best.parameters, found, eps)
    return [
        before if worse else after for before, after, worse in zip(tables, found, moments > best.moments, strict=True)
    ]


def _tables(buffer: Buffer, terms: Array, tables: list[Array], root: bool = False) -> list[Array]:
    """Tables in proportion to sums (or their roots) of terms (n,) over the cells; old ones where all are zero."""
    result = []
    for channel, table in enumerate(tables):
        own = buffer.channel == channel
        sums: Array = np.bincount(buffer.cell[own], terms[own], len(table)).astype(np.float64)
        sums = np.sqrt(sums) if root else sums
        total = float(np.sum(sums))
        usable = len(sums) > 1 and total > 0.0 and np.isfinite(total)
        result.append((1.0 - _FLOOR) * sums / total + _FLOOR / len(sums) if usable else table)
    return result


def choose_eps(
    buffer: Buffer, spec: core.FlowSpec, parameters: Floats, tables: list[Array], config: TrainingConfig
) -> tuple[Array, list[Moments]]:
    """Share of the VEGAS density (channels,), and the moments of each channel's mixture, on held-out points."""
    channels = buffer.space.channels
    few = len(buffer) < 50_000 * channels
    # With few points nobody has seen what the flow may have starved: the bound is higher.
    candidates = tuple(eps for eps in config.eps_candidates if not few or eps >= 0.05) or config.eps_candidates[-1:]
    if config.eps is not None:
        candidates = (config.eps,)
    elif channels > 1:
        candidates = (*candidates, 0.5)
    rows = np.flatnonzero(buffer.held)
    flows = buffer.flow_density(spec, parameters, tables, rows)
    vegas = buffer.vegas_density(rows)
    eps, moments = np.ones(channels), []
    for channel in range(channels):
        own = buffer.channel[rows] == channel
        eps[channel], found = best_eps(
            buffer.target[rows][own],
            buffer.density[rows][own],
            vegas[own],
            flows[own],
            int(buffer.counts[channel, 1]),
            candidates,
        )
        moments.append(found)
    return eps, moments
