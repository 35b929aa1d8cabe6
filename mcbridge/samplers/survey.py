"""The survey: VEGAS maps for all channels, with every evaluated point kept as training data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import gvar
import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, Integrand
from mcbridge.integration.allocation import allocate, split
from mcbridge.integration.guard import FailureLog, Guard, evaluate
from mcbridge.integration.integral import combine, table_html
from mcbridge.integration.integrate import (
    CHUNK,
    Accumulator,
    iteration_result,
)
from mcbridge.integration.samples import Samples
from mcbridge.random import Streams
from mcbridge.samplers.channel_survey import Candidate, ChannelSurvey
from mcbridge.samplers.grid import Grid
from mcbridge.samplers.sampler import Sampler

__all__ = ["Survey", "survey"]

_FLOOR = 0.3  # share of points that all channels share equally while little is known
_MINIMUM = 16  # points of a channel in an iteration


@dataclass
class Survey:
    """What a survey leaves behind.

    Attributes:
        sampler: VEGAS maps of all channels; its allocation are the standard deviations of the channels.
        samples: all points. Their density is that of all iterations together (balance heuristic), so that
            ``f / density`` averages to the integral over all points of a channel.
        integral, error: first estimate, from the second half of the iterations. Do not combine it with an
            integration: the maps depend on these points.
        chosen: for every channel the grid that was chosen; None where the integrand vanished.
        candidates: for every channel all grids that were tried.
        evaluations: number of points.
        failures: what the guard saw.
    """

    sampler: Sampler
    samples: Samples
    integral: float
    error: float
    chosen: list[Candidate | None]
    candidates: list[list[Candidate]] = field(repr=False)
    evaluations: int = 0
    failures: FailureLog = field(default_factory=FailureLog)

    @property
    def sigmas(self) -> Array:
        """(channels,), standard deviation of one weight of every channel with its chosen grid."""
        return np.array(self.sampler.metadata["allocation"], dtype=np.float64)

    def __str__(self) -> str:
        lines = [
            f"survey: {gvar.gvar(self.integral, self.error)} from {self.evaluations} points",
            "",
            f"{'channel':>7}{'points':>10}{'share':>9}{'increments':>12}{'rsd':>9}{'efficiency':>12}",
        ]
        lines.append("-" * len(lines[-1]))
        counts = np.bincount(self.samples.channel, minlength=len(self.chosen))
        for index, chosen in enumerate(self.chosen):
            row = f"{index:>7}{counts[index]:>10}{self.sampler.allocation[index]:>9.1%}"
            if chosen is None:
                lines.append(row + "  the integrand vanished at all points")
                continue
            rsd = np.sqrt(max(chosen.second_moment - 1.0, 0.0))
            lines.append(row + f"{chosen.increments:>12}{rsd:>9.3g}{chosen.efficiency:>12.3g}")
        if self.failures.failures:
            lines.append(f"not finite: {self.failures.failures}, the first: {self.failures.examples[0]}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return table_html(str(self))


def _iterations(evaluations: int, channels: int) -> int:
    """Number of iterations: each should see some 2000 points of a channel; from 3 to 8."""
    return int(np.clip(evaluations // (2000 * channels), 3, 8))


def survey(
    integrand: Integrand,
    evaluations: int,
    streams: Streams,
    increments: Sequence[int] | None = None,
    iterations: int | None = None,
    guard: Guard | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    purpose: str = "survey",
    grids: Sequence[Grid] | None = None,
) -> Survey:
    """Adapt VEGAS maps to all channels of an integrand.

    Points are independent, not stratified inside the hypercube, so that they serve as training data. Channels get
    points in proportion to the standard deviation seen so far, with a floor. After the last iteration the grid of
    every channel is fitted once more to all points, with the number of increments that does best on held-out points.

    Arguments:
        integrand: any integrand.
        evaluations: number of points, used up exactly.
        streams: random numbers.
        increments: numbers of increments to be tried; 64 to 200 by the number of points, more for many, if None.
        iterations: number of adaptations; 3 to 8 by the number of points if None.
        guard: what is tolerated of the integrand.
        on_progress: called with the number of points done and of all, after every chunk.
        purpose: label of the random stream.
        grids: the grids that draw the first points, for every channel the knots of its continuous coordinates;
            uniform ones if None.

    Raises:
        UserError: for too few points.
        AmplitudeError: where the integrand fails.
    """
    evaluations = int(evaluations)
    rounds = _iterations(evaluations, integrand.channels) if iterations is None else int(iterations)
    if rounds < 1:
        raise UserError(f"iterations is {iterations}; it must be at least 1")
    needed = _MINIMUM * rounds * integrand.channels
    if evaluations < needed:
        raise UserError(
            f"evaluations is {evaluations}; a survey of {integrand.channels} channel(s) in {rounds} iterations needs at"
            f" least {needed}"
        )
    if increments is not None and (not increments or min(increments) < 1):
        raise UserError(f"increments is {tuple(increments)}; it must be positive whole numbers")
    guard = Guard() if guard is None else guard
    adapting = int(np.clip(evaluations // (20 * rounds * integrand.channels), 16, 100))
    channels = [ChannelSurvey(integrand.dim, integrand.discrete, adapting) for _ in range(integrand.channels)]
    if grids is not None:
        for channel, grid in zip(channels, grids, strict=True):
            channel.grid = grid
    parts: list[list[Samples]] = [[] for _ in channels]
    shares = np.full(len(channels), 1.0 / len(channels))
    results = []
    done = 0
    for iteration, total in enumerate(split(evaluations, np.ones(rounds))):
        sums = []
        for index, n in enumerate(split(int(total), shares, _MINIMUM)):
            accumulator = Accumulator()
            for chunk, start in enumerate(range(0, int(n), CHUNK)):
                size = min(CHUNK, int(n) - start)
                u, density = channels[index].draw(size, streams.generator(purpose, index, iteration, chunk))
                result = evaluate(integrand, u, index, guard)
                samples = Samples(
                    u, np.full(size, index, dtype=np.int64), result.weight, density, result.alpha, result.features
                )
                channels[index].add(u, samples.targets)
                accumulator.add(samples.event_weights[:, None])
                parts[index].append(samples)
                done += size
                if on_progress is not None:
                    on_progress(done, evaluations)
            channels[index].adapt()
            sums.append(accumulator)
        results.append(iteration_result(sums))
        sigmas = np.array([accumulator.sigma for accumulator in sums])
        # What an iteration measured is noisy in its heavy tail: halfway from the shares it was drawn with.
        shares = 0.5 * shares + 0.5 * allocate(sigmas, _FLOOR)
    for channel, part in zip(channels, parts, strict=True):
        channel.scan(increments)
        density = channel.density()
        joined = Samples.concatenate(part)
        joined.density = density
        part[:] = [joined]
    mean, error, _ = combine(results[len(results) // 2 :])
    sampler = Sampler(
        [channel.sampler() for channel in channels],
        metadata={"allocation": [channel.sigma for channel in channels], "name": integrand.name},
    )
    return Survey(
        sampler=sampler,
        samples=Samples.concatenate([part[0] for part in parts]),
        integral=mean,
        error=error,
        chosen=[channel.chosen for channel in channels],
        candidates=[channel.candidates for channel in channels],
        evaluations=done,
        failures=guard.log,
    )
