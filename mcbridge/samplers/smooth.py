"""Smooth maps under a flow: few increments, joined by monotone cubic curves.

A VEGAS grid of many increments is the better density by itself, but it jumps at every knot, up and down by the noise
of its fit, and no flow can undo jumps that are narrower than the bins of its splines. Few knots leave a smooth
remainder that a flow learns well (docs/benchmarks.md).
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from mcbridge import core
from mcbridge.integrands.protocol import Array
from mcbridge.integration.samples import Samples
from mcbridge.samplers.grid import BaseBins, fit_grid
from mcbridge.samplers.sampler import Sampler

__all__ = ["smooth_knots", "smooth_sampler"]

INCREMENTS = 1000
"""Increments of the grid that stands for a smooth curve: its density jumps by a few per mille at most."""

TAILS = (0.1, 0.25, 0.5)
"""Where the first and the last increment are divided, if half of their points lie in less than a fifth of them."""

_UNEVEN = 0.3

_FIT_POINTS = 200_000


def smooth_knots(knots: Array, increments: int = INCREMENTS, fine: Array | None = None) -> Array:
    """Knots (increments + 1,) on the monotone cubic curve through given ones (Fritsch and Carlson 1980).

    Arguments:
        knots: (n + 1,), with the same probability between neighbours.
        increments: of the result.
        fine: a grid of many increments that says how the first and the last of the given ones, which hold the tails,
            are divided; None to leave them whole.
    """
    given, levels = knots, np.linspace(0.0, 1.0, len(knots))
    if fine is not None and len(knots) > 2:
        lower, upper = _inside(knots[1], levels[1], fine), _inside(1.0 - knots[-2], levels[1], 1.0 - fine[::-1])
        levels = np.concatenate([[0.0], lower[0], levels[1:-1], 1.0 - upper[0][::-1], [1.0]])
        knots = np.concatenate([[0.0], lower[1], knots[1:-1], 1.0 - upper[1][::-1], [1.0]])
    curve: Array = PchipInterpolator(levels, knots)(np.linspace(0.0, 1.0, increments + 1))
    curve[0], curve[-1] = 0.0, 1.0
    # Where increments are as narrow as rounding the curve may stand still.
    return curve if np.all(np.diff(curve) > 0.0) else np.asarray(given)


def _inside(end: float, level: float, fine: Array) -> tuple[Array, Array]:
    """Levels and knots inside an increment from 0 to ``end``; none where its points are spread evenly enough."""
    levels = level * np.array(TAILS)
    places = np.interp(np.append(levels, level), np.linspace(0.0, 1.0, len(fine)), fine)
    shares = places[:-1] / places[-1]
    if abs(float(np.interp(0.5, TAILS, shares)) - 0.5) < _UNEVEN:
        return np.zeros(0), np.zeros(0)
    return levels, end * shares


def smooth_sampler(sampler: Sampler, samples: Samples, knots: int) -> Sampler:
    """A sampler whose grids are smooth, fitted to points of a survey; its tables of cells are kept.

    Arguments:
        sampler: of the survey, without flows.
        samples: points of all channels with the densities they were drawn with.
        knots: increments of every axis between which the curve is drawn.
    """
    channels = []
    for index, channel in enumerate(sampler.channels):
        own = samples.of_channel(index)
        step = max(1, -(-len(own) // _FIT_POINTS))
        own = own.select(slice(None, None, step)) if step > 1 else own
        if channel.grid is None or not len(own) or not np.any(own.targets):
            channels.append(channel)
            continue
        u = np.ascontiguousarray(own.u[:, list(channel.continuous)])
        function = own.targets
        if channel.cells is not None:
            # The axes are fitted to what the table of the cells leaves over.
            cell = np.asarray(channel.cell(own.u), dtype=np.int64)
            function = function * np.sqrt((channel.cells.volumes / channel.cells.p_vegas)[cell])
        grid = fit_grid(BaseBins.of(channel.grid, u), function, own.density, knots)
        channels.append(
            core.ChannelSampler(
                channel.dim,
                grid=[smooth_knots(axis, fine=np.asarray(own)) for axis, own in zip(grid, channel.grid, strict=True)],
                cells=channel.cells,
            )
        )
    return Sampler(channels, sampler.channel_weights, sampler.metadata, sampler.active)
