"""Fresh points of a sampler: weights, observables, what another sampler would make of them, and what they cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import Array, Evaluation, EventSource
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import EventBatch, IntArray
from mcbridge.integration import Guard, Samples, allocate, split
from mcbridge.integration.integrate import CHUNK, draw_samples
from mcbridge.preprocessing.final_state import FinalState
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from plugin.validate.observables import independent, kinematics, particle_names
from plugin.validate.sample import Column, WeightedSample

__all__ = ["BLOCKS", "Points", "channel_sample", "draw_points", "whole_sample"]

BLOCKS = 20
"""Independent replicas into which the points of a sampler are divided."""


@dataclass
class Points:
    """Fresh points of one sampler, in ``BLOCKS`` independent replicas.

    Attributes:
        label: ``"vegas"``, ``"flow"``.
        samples: all points.
        weight: (n,), event weights ``alpha_i f/g_i`` [pb].
        block: (n,), replica of each point.
        seconds: (blocks,), CPU time of drawing and evaluating the points of each replica [s].
        events: observables of the points with a weight, by name, each (n,); NaN where the weight is zero.
        categories: classes by the name of the observable.
    """

    label: str
    samples: Samples
    weight: Array
    block: IntArray
    seconds: Array
    events: dict[str, Array] = field(default_factory=dict)
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def seconds_per_point(self) -> tuple[float, float]:
        """CPU time of one point and its standard error from the scatter of the replicas [s]."""
        counts = np.bincount(self.block, minlength=len(self.seconds))
        rates = self.seconds / counts
        return float(np.sum(self.seconds) / np.sum(counts)), float(np.std(rates, ddof=1) / np.sqrt(len(rates)))

    def by_channel(self, keep: Array | None = None) -> list[Array]:
        """The weights of every channel, of all points or of those that a mask keeps."""
        channels = int(self.samples.channel.max()) + 1
        chosen = slice(None) if keep is None else keep
        weight, channel = self.weight[chosen], self.samples.channel[chosen]
        return [weight[channel == index] for index in range(channels)]


def draw_points(
    process: Metered,
    sampler: Sampler,
    n: int,
    streams: Streams,
    label: str,
    *,
    names: Sequence[str] | None = None,
    guard: Guard | None = None,
    threads: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Points:
    """Draw and evaluate ``n`` points in independent replicas, and compute the observables of their events.

    Arguments:
        process: the integrand; events where it is an :class:`EventSource`.
        sampler: what draws.
        n: points of all channels together.
        streams: random numbers; ``label`` is part of their name.
        names: observables wanted; those of the first events that do not repeat each other if None.
        guard: what is tolerated of the integrand.
        threads: of the sampler.
        on_progress: called with points done and wanted.

    Raises:
        UserError: there are too few points.
        AmplitudeError: the integrand fails.
    """
    guard = Guard() if guard is None else guard
    shares = np.zeros(len(sampler.channels))
    active = np.array(sampler.active)
    shares[active] = allocate(sampler.allocation[active], 0.1)
    if n < 100 * BLOCKS * int(np.sum(active)):
        raise UserError(
            f"--points is {n}; {int(np.sum(active))} channel(s) need at least {100 * BLOCKS * int(np.sum(active))}"
        )
    parts: list[Samples] = []
    weights: list[Array] = []
    blocks: list[IntArray] = []
    seconds = np.zeros(BLOCKS)
    done = 0
    for index, size in enumerate(split(n, np.ones(BLOCKS))):
        for channel, count in enumerate(split(int(size), shares, 2)):
            start = time.process_time()
            for samples, values in draw_samples(
                process, sampler, channel, int(count), streams, f"validate {label}", index, guard, threads
            ):
                seconds[index] += time.process_time() - start
                parts.append(samples)
                weights.append(values[:, 0])
                blocks.append(np.full(len(samples), index, dtype=np.int64))
                done += len(samples)
                if on_progress is not None:
                    on_progress(done, n)
                start = time.process_time()
    points = Points(label, Samples.concatenate(parts), np.concatenate(weights), np.concatenate(blocks), seconds)
    if isinstance(process.integrand, EventSource):
        _add_events(process.integrand, points, names, streams)
    return points


def _add_events(process: EventSource, points: Points, names: Sequence[str] | None, streams: Streams) -> None:
    """Fill ``events`` and ``categories``."""
    live = points.weight != 0.0
    subprocesses: dict[int, str] = dict(getattr(process, "subprocesses", {}))
    chosen = list(names) if names is not None else None
    for channel in range(process.channels):
        own = np.flatnonzero(live & (points.samples.channel == channel))
        generator = streams.generator(f"validate events {points.label}", channel)
        for start in range(0, len(own), CHUNK):
            rows = own[start : start + CHUNK]
            batch = process.events(points.samples.u[rows], channel, generator.random((len(rows), 2)))
            found = batch_observables(batch)
            if chosen is None:
                chosen = independent(found)
            for name in chosen:
                column = points.events.setdefault(name, np.full(len(points), np.nan))
                column[rows] = found[name]
            if len(subprocesses) > 1:
                column = points.events.setdefault("subprocess", np.full(len(points), np.nan))
                column[rows] = batch.process_id - 1
    if "subprocess" in points.events:
        points.categories["subprocess"] = tuple(subprocesses[index] for index in sorted(subprocesses))


def batch_observables(batch: EventBatch) -> dict[str, Array]:
    """Observables of event records of one final state, particles in the order of their flavours and falling pT."""
    final = np.flatnonzero(batch.status == 1)
    flavours = batch.pdg_ids[:, final]
    same = bool(np.all(flavours == flavours[0]))
    state = FinalState(tuple(sorted(int(f) for f in flavours[0])), jets=False)
    momenta = batch.momenta[:, final]
    if same:
        momenta = momenta[:, np.argsort(flavours[0], kind="stable")]
        names = particle_names(state)
        groups = state.identical
    else:  # several final states: only the order in pT means the same in all of them
        names = [f"particle {place + 1}" for place in range(len(final))]
        groups = [slice(0, len(final))]
    momenta = momenta.copy()
    for group in groups:
        order = np.argsort(-np.hypot(momenta[:, group, 1], momenta[:, group, 2]), axis=1, kind="stable")
        momenta[:, group] = np.take_along_axis(momenta[:, group], order[:, :, None], axis=1)
    incoming = np.flatnonzero(batch.status == -1)
    return kinematics(momenta, names, batch.momenta[:, incoming] if len(incoming) == 2 else None)


def whole_sample(points: Points, other: Sampler | None, other_counts: IntArray | None = None) -> WeightedSample:
    """All points as a weighted sample of the cross section, with the observables of their events.

    Arguments:
        points: of one sampler.
        other: the sampler they will be compared with: what its weights would be at these points enters its variance.
        other_counts: (channels,), how many points it has.
    """
    counts = np.bincount(points.samples.channel)
    columns = {name: Column(values, points.categories.get(name, ())) for name, values in points.events.items()}
    sample = WeightedSample(
        points.label, points.weight / counts[points.samples.channel], points.samples.channel, counts, columns
    )
    if len(counts) == 1:
        columns.update({f"u{axis + 1}": Column(points.samples.u[:, axis]) for axis in range(points.samples.dim)})
    if other is not None and other_counts is not None:
        sample.other_squares = _other_squares(points.samples, counts, other, other_counts)
    return sample


def channel_sample(
    points: Points, channel: int, weights: Sampler, own: bool, other: Sampler, other_count: int
) -> WeightedSample:
    """The points of one channel as a sample of ``alpha_i f``, with the coordinates of the hypercube as observables.

    Two samplers share a cross section between their channels as their channel weights say; to compare channel by
    channel, both use those of one of them.

    Arguments:
        points: of one sampler.
        channel: the channel.
        weights: the sampler whose channel weights alpha are used.
        own: whether that is the one that drew the points; its weights are then taken as they are.
        other: the sampler that drew the points to compare with.
        other_count: how many they are.
    """
    samples = points.samples.of_channel(channel)
    keep = points.samples.channel == channel
    weight = points.weight[keep] if own else samples.weight * _alpha(samples, weights)[:, channel] / samples.density
    n = len(samples)
    columns = {f"u{axis + 1}": Column(samples.u[:, axis]) for axis in range(samples.dim)}
    sample = WeightedSample(points.label, weight / n, np.zeros(n, dtype=np.int64), np.array([n]), columns)
    target = weight * samples.density
    with np.errstate(divide="ignore", invalid="ignore"):
        elsewhere = weight * target / other.density(channel, samples.u)
    sample.other_squares = np.nan_to_num(elsewhere, posinf=0.0) / (n * other_count)
    return sample


def _alpha(samples: Samples, sampler: Sampler) -> Array:
    """(n, channels), channel weights of a sampler at points, scaled to sum to 1."""
    alpha = sampler.alpha(Evaluation(samples.weight, samples.alpha, samples.features))
    if alpha is None:
        return np.ones((len(samples), 1))
    total = np.sum(alpha, axis=1, keepdims=True)
    result: Array = alpha / np.where(total > 0.0, total, 1.0)
    return result


def _other_squares(samples: Samples, counts: IntArray, other: Sampler, other_counts: IntArray) -> Array:
    """(n,), for each point what it adds to the expected ``sum contribution^2`` of the other sampler.

    ``E[w_other^2] = E_own[(alpha f)^2 / (g_other g_own)]``, per channel, with the channel weights of the other.
    """
    result = np.zeros(len(samples))
    for channel in np.unique(samples.channel):
        rows = np.flatnonzero(samples.channel == channel)
        own = samples.select(rows)
        target = own.weight * _alpha(own, other)[:, channel]
        with np.errstate(divide="ignore", invalid="ignore"):
            squares = target**2 / (other.density(int(channel), own.u) * own.density)
        result[rows] = np.nan_to_num(squares, posinf=0.0) / (counts[channel] * max(int(other_counts[channel]), 1))
    return result
