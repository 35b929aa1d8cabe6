"""The buffer: every evaluated point, in the coordinates the flow sees, with the density of all sources together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge import core
from mcbridge.integrands.protocol import Array, IntArray
from mcbridge.integration import Samples
from mcbridge.samplers import ChannelWeights, Sampler

__all__ = ["Buffer", "Floats", "FrozenFlow", "Space"]

Floats = npt.NDArray[np.float32]


class Space:
    """The VEGAS maps under the flow: from points of the hypercube to those of the flow.

    Arguments:
        sampler: VEGAS maps of all channels.
        periodic: coordinates of the hypercube in which 0 and 1 are the same point.
    """

    def __init__(self, sampler: Sampler, periodic: tuple[int, ...]) -> None:
        self.sampler = sampler
        first = sampler.channels[0]
        self.channels = len(sampler.channels)
        self.dim = len(first.continuous)
        self.periodic = tuple(place for place, axis in enumerate(first.continuous) if axis in periodic)
        self.contexts = [None if c.cells is None else np.asarray(c.cells.context) for c in sampler.channels]
        self.tables = [np.ones(1) if c.cells is None else np.asarray(c.cells.p_vegas) for c in sampler.channels]
        self.volumes = [np.ones(1) if c.cells is None else c.cells.volumes for c in sampler.channels]
        self.columns = 0 if self.contexts[0] is None else int(self.contexts[0].shape[1])

    def locate(self, u: Array, channel: int) -> tuple[Floats, IntArray, Array]:
        """Flow coordinates y (n, dim), cell (n,), and the VEGAS density per volume of the cell (n,) of points."""
        source = self.sampler.channels[channel]
        y, density = source.inverse_grid(u)
        cell = np.zeros(len(u), dtype=np.int64) if source.cells is None else np.asarray(source.cell(u), dtype=np.int64)
        return y.astype(np.float32), cell, density / self.volumes[channel][cell]


@dataclass(frozen=True)
class FrozenFlow:
    """A state of the flows that points were or will be drawn from.

    Attributes:
        spec: architecture.
        parameters: (channels, parameters), float32.
        tables: for each channel the probabilities of its cells.
        eps: (channels,), share of the VEGAS density in the mixture.
    """

    spec: core.FlowSpec
    parameters: Floats
    tables: list[Array]
    eps: Array

    def sampler(self, base: Sampler, weights: ChannelWeights | None, metadata: dict[str, Any]) -> Sampler:
        """The defensive mixture on top of the VEGAS maps of ``base``."""
        channels = []
        for index, channel in enumerate(base.channels):
            cells = channel.cells
            if cells is not None:
                cells = core.Cells(cells.dims, cells.boxes, cells.p_vegas, self.tables[index], cells.context)
            channels.append(
                core.ChannelSampler(
                    channel.dim, channel.grid, cells, self.spec, self.parameters[index], float(self.eps[index])
                )
            )
        return Sampler(channels, weights, metadata, base.active)


@dataclass
class Buffer:
    """Points with non-zero weight, their targets and densities.

    Points of several sources are weighted by the balance heuristic (Veach and Guibas 1995): the density of all of
    them together is ``sum_s n_s g_s / sum_s n_s``. The densities of the survey's early grids are not known at later
    points; the final VEGAS density stands for them, and what the stored density of a survey point differs from it
    multiplies that point's density, which keeps every estimate exact.

    Attributes:
        space: the maps under the flow.
        held_out: share of points never trained on.
        threads: of the kernel.
        y: (n, dim); channel, cell: (n,).
        base: (n,), VEGAS density per volume of the cell, so that ``g = table[cell] base q_flow``.
        value: (n,), |f|; target: (n,), alpha f with its sign.
        goal: (n,), what the flow is trained on: the target, or a flatter one while few points carry it.
        density: (n,), of all sources together, within the channel.
        held: (n,), whether the point is held out.
        counts: (channels, 2), number of all points for training and held out, zero weights included.
    """

    space: Space
    held_out: float
    threads: int = 1
    parts: list[Samples] = field(default_factory=list)
    sources: list[FrozenFlow | None] = field(default_factory=list)
    drawn: list[IntArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        channels, dim = self.space.channels, self.space.dim
        self.y: Floats = np.zeros((0, dim), dtype=np.float32)
        self.channel = np.zeros(0, dtype=np.int64)
        self.cell = np.zeros(0, dtype=np.int64)
        self.source = np.zeros(0, dtype=np.int64)
        self.row = np.zeros(0, dtype=np.int64)
        self.base, self.value, self.sign, self.target = np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)
        self.factor, self.sum, self.density = np.zeros(0), np.zeros(0), np.zeros(0)
        self.held = np.zeros(0, dtype=bool)
        self.goal = np.zeros(0)
        self.alpha: Array | None = None
        self.features: Array | None = None
        self.counts = np.zeros((channels, 2), dtype=np.int64)

    def __len__(self) -> int:
        return len(self.y)

    def add(self, samples: Samples, flow: FrozenFlow | None, generator: np.random.Generator) -> None:
        """Take in points that a flow drew, or the survey (``flow`` None, once, first)."""
        space, start = self.space, len(self)
        held = np.zeros(len(samples), dtype=bool)
        for index in range(space.channels):
            rows = np.flatnonzero(samples.channel == index)
            chosen = generator.permutation(rows)[: round(self.held_out * len(rows))]
            held[chosen] = True
            self.counts[index] += (len(rows) - len(chosen), len(chosen))
        live = np.flatnonzero(samples.targets != 0.0)
        self.parts.append(replace(samples, channel_weight=None))
        self.drawn.append(np.bincount(samples.channel, minlength=space.channels))
        part = samples.select(live)
        y, cell, base = np.zeros((len(live), space.dim), np.float32), np.zeros(len(live), np.int64), np.zeros(len(live))
        for index in range(space.channels):
            own = part.channel == index
            if own.any():
                y[own], cell[own], base[own] = space.locate(part.u[own], index)
        self.y = np.concatenate([self.y, y])
        self.channel = np.concatenate([self.channel, part.channel])
        self.cell = np.concatenate([self.cell, cell])
        self.base = np.concatenate([self.base, base])
        self.source = np.concatenate([self.source, np.full(len(live), len(self.sources), dtype=np.int64)])
        self.row = np.concatenate([self.row, live])
        self.held = np.concatenate([self.held, held[live]])
        self.value = np.concatenate([self.value, np.abs(part.weight)])
        self.sign = np.concatenate([self.sign, np.sign(part.weight)])
        if part.alpha is not None:
            self.alpha = part.alpha if self.alpha is None else np.concatenate([self.alpha, part.alpha])
        if part.features is not None:
            self.features = part.features if self.features is None else np.concatenate([self.features, part.features])
        vegas = self.vegas_density()
        proxy = part.density / vegas[start:] if flow is None else np.ones(len(live))
        self.factor = np.concatenate([self.factor, proxy])
        self.sum = np.concatenate([self.sum, np.zeros(len(live))])
        everything = np.arange(len(self))
        for index, source in enumerate(self.sources):
            new = everything[start:]
            self.sum[new] += self.drawn[index][self.channel[new]] * self._source_density(source, new, vegas)
        self.sources.append(flow)
        self.sum += self.drawn[-1][self.channel] * self._source_density(flow, everything, vegas)
        total = np.sum(self.drawn, axis=0)
        self.density = self.factor * self.sum / total[self.channel]
        self.set_channel_weights(None)

    def _source_density(self, flow: FrozenFlow | None, rows: IntArray, vegas: Array) -> Array:
        if flow is None:
            return vegas[rows]
        eps = flow.eps[self.channel[rows]]
        mixed: Array = eps * vegas[rows] + (1.0 - eps) * self.flow_density(
            flow.spec, flow.parameters, flow.tables, rows
        )
        return mixed

    def set_channel_weights(self, weights: ChannelWeights | None) -> None:
        """Set the targets ``alpha_i f`` with the prior or with learned channel weights."""
        rows = np.arange(len(self))
        if self.alpha is None:
            alpha = np.ones(len(self))
        elif weights is None or self.features is None:
            alpha = self.alpha[rows, self.channel]
        else:
            alpha = weights(self.features, self.alpha)[rows, self.channel]
        self.target = self.sign * self.value * alpha
        self.goal = self.target

    def flatten(self, least: float) -> Array:
        """Set the goal to ``density (|target|/density)^beta``, with the largest beta <= 1 that leaves enough points.

        Where VEGAS misses the structure of an integrand, a handful of points carries it, and a flow trained on these
        would learn the points. With exponents that rise from round to round it follows the integrand from afar
        (annealed importance sampling, Neal 2001, arXiv:physics/9803008).

        Arguments:
            least: Kish effective size that the training points of each channel must have, as a share of all its points.

        Returns:
            beta (channels,).
        """
        self.goal = self.target.copy()
        beta = np.ones(self.space.channels)
        for index in range(self.space.channels):
            own = np.flatnonzero((self.channel == index) & (np.abs(self.target) > 1e-280 * self.density))
            mine = own[~self.held[own]]
            if not len(mine):
                continue
            logs = np.log(np.abs(self.target[own]) / self.density[own])
            training = logs[~self.held[own]]
            wanted = min(least * float(self.counts[index, 0]), 0.5 * len(mine))
            if _kish(training) >= wanted:
                continue
            low, high = 0.0, 1.0
            for _ in range(30):
                middle = 0.5 * (low + high)
                low, high = (middle, high) if _kish(middle * training) >= wanted else (low, middle)
            beta[index] = low
            total = np.logaddexp.reduce(training)
            scaled = low * logs + total - np.logaddexp.reduce(low * training)
            self.goal[own] = np.sign(self.target[own]) * self.density[own] * np.exp(scaled)
        return beta

    def context(self, rows: IntArray) -> Floats | None:
        """What the flow is conditioned on (n, columns) at some points."""
        if not self.space.columns:
            return None
        result = np.zeros((len(rows), self.space.columns), dtype=np.float32)
        channel, cell = self.channel[rows], self.cell[rows]
        for index, table in enumerate(self.space.contexts):
            own = channel == index
            if table is not None and own.any():
                result[own] = table[cell[own]]
        return result

    def share(self, tables: list[Array], rows: IntArray) -> Array:
        """``table[cell] base`` (n,): the density without the flow's."""
        channel, cell = self.channel[rows], self.cell[rows]
        probability = np.ones(len(rows))
        for index, table in enumerate(tables):
            own = channel == index
            probability[own] = table[cell[own]]
        result: Array = probability * self.base[rows]
        return result

    def vegas_density(self, rows: IntArray | None = None) -> Array:
        """Density (n,) of the VEGAS map of each point's channel."""
        return self.share(self.space.tables, np.arange(len(self)) if rows is None else rows)

    def flow_density(self, spec: core.FlowSpec, parameters: Floats, tables: list[Array], rows: IntArray) -> Array:
        """Density (n,) of the flow of each point's channel, without the mixture."""
        if not len(rows):
            return np.zeros(0)
        _, log_q = core.log_density(
            spec, parameters, self.y[rows], self.context(rows), self.channel[rows], threads=self.threads
        )
        with np.errstate(over="ignore"):
            result: Array = self.share(tables, rows) * np.exp(log_q.astype(np.float64))
        return result

    def samples(self) -> Samples:
        """All points, with the density of all sources together."""
        parts = []
        for index, part in enumerate(self.parts):
            own = self.source == index
            density = part.density.copy()  # irrelevant where the weight is 0
            density[self.row[own]] = self.density[own]
            parts.append(replace(part, density=density))
        return Samples.concatenate(parts)


def _kish(log_weights: Array) -> float:
    weights = np.exp(log_weights - np.max(log_weights))
    return float(np.sum(weights) ** 2 / np.sum(weights**2))
