"""The Bayesian flow of one group of events: chart, density, posterior, replicas, comparison with held-out events."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing import Chart, Coordinates
from mcbridge.random import Streams
from mcbridge.samplers import Replicas
from mcbridge.uncertainties import BayesianDensity
from mcbridge.uncertainties.held_out import HeldOut, compare_histograms, pair_histogram
from plugin.bayesian import BayesianConfig, Events, fit, learn_density
from plugin.bayesian.density import default_steps
from plugin.training.config import TrainingConfig
from plugin.training.cost import flow_spec
from plugin.training.optimise import DivergedError

__all__ = ["DivergedError", "GroupDensity", "LearnConfig", "learn_group"]

log = logging.getLogger("plugin.annotate")

_ASIDE = 0.1  # share of the events that decides when to stop, and the same again for the comparison
_FEW = 20_000  # effective events below which a small network predicts better
_SMALL = (8, 4)  # its width and number of spline bins
_BAYESIAN_STEPS = 1500
_DRAWN = 20_000  # points drawn from each replica for the comparison


@dataclass(frozen=True)
class LearnConfig:
    """Settings of an annotation that every group shares.

    Attributes:
        replicas: number of weight draws.
        prior: width of the prior of every network weight.
        steps: optimisation steps of the flow; None: by the number of events.
        bayesian_steps: of the Bayesian flow; None: by the number of events.
        threads: of the kernel.

    Raises:
        UserError: a value is out of range.
    """

    replicas: int = 32
    prior: float = 1.0
    steps: int | None = None
    bayesian_steps: int | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        limits = {"replicas": (2, 999), "steps": (1, None), "bayesian_steps": (1, None), "threads": (1, None)}
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if value is not None and not (low <= value and (high is None or value <= high)):
                allowed = f"at least {low}" if high is None else f"from {low} to {high}"
                raise UserError(f"--{name.replace('_', '-')} is {value}; it must be {allowed}")
        if not (np.isfinite(self.prior) and self.prior > 0.0):
            raise UserError(f"--prior is {self.prior}; it must be a positive number")


@dataclass
class GroupDensity:
    """The Bayesian density of the events of one final state.

    Attributes:
        coordinates, chart: from momenta to the unit hypercube.
        replicas: parameters of the flows (M, 1, P).
        grids: the grid under the flow of each replica: what is not known of the grid is part of the uncertainty.
        held_out: comparison with events that were not learned from.
        information: figures for the header.
    """

    coordinates: Coordinates
    chart: Chart
    replicas: Replicas
    grids: list[core.ChannelSampler]
    held_out: HeldOut | None = None
    information: dict[str, Any] = field(default_factory=dict)

    def __call__(self, momenta: Array, masses: Array, threads: int = 1) -> tuple[BayesianDensity, int]:
        """Densities of events (n, slots, 4) under all replicas, and how many events lie outside the chart."""
        points, inside = self.chart(self.coordinates(momenta, masses))
        found = np.empty((len(self.replicas), len(points)))
        for index, (grid, parameters) in enumerate(zip(self.grids, self.replicas.parameters[:, 0], strict=True)):
            y, density = grid.inverse_grid(points)
            _, log_q = core.log_density(self.replicas.spec, parameters, y.astype(np.float32), threads=threads)
            found[index] = np.exp(log_q.astype(np.float64)) * density
        return BayesianDensity(found), int(np.sum(~inside))


def learn_group(
    coordinates: Coordinates,
    values: Array,
    weight: Array,
    config: LearnConfig,
    streams: Streams,
    number: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> GroupDensity:
    """Learn the density of the events of a group; the same arguments give the same result.

    A tenth of the events decides when to stop, another tenth is compared with the replicas; the rest is learned from.

    Arguments:
        coordinates: how momenta become ``values``.
        values: (n, dim), coordinates of the events.
        weight: (n,), not negative.
        config: settings.
        streams: random numbers.
        number: of the group, which labels its random numbers.
        on_progress: called with steps done and planned.

    Raises:
        UserError: there are no events.
        DivergedError: the optimisation failed.
    """
    order = streams.generator("held out", channel=number).permutation(len(values))
    aside = max(1, round(_ASIDE * len(values)))
    parts = np.split(order, [aside, 2 * aside])
    learned = parts[2]
    chart = Chart(values[learned], coordinates.kinds, weight[learned], values[parts[0]], weight[parts[0]])
    grid = chart.sampler()
    stopping, held, training = (_events(grid, chart(values[own])[0], weight[own]) for own in parts)
    effective = float(training.n_eff[0])
    few = effective < _FEW
    settings = TrainingConfig(hidden=_SMALL[0] if few else None, bins=_SMALL[1] if few else None).resolved(
        coordinates.dim, len(learned)
    )
    spec = flow_spec(coordinates.dim, settings, 0, coordinates.periodic)
    assert settings.batch is not None
    steps = config.steps or default_steps(len(learned))
    bayesian_steps = config.bayesian_steps or _BAYESIAN_STEPS
    planned = steps + bayesian_steps

    def report(done: int, total: int = planned) -> None:
        if on_progress is not None:
            on_progress(min(done, total), total)

    parameters, likelihood = learn_density(
        spec, training, stopping, steps, settings.batch, settings.learning_rate,
        streams.generator("density", channel=number), config.threads, report,
    )  # fmt: skip
    bayesian = BayesianConfig(prior_width=config.prior, steps=bayesian_steps, threads=config.threads)
    found = fit(
        spec,
        parameters,
        training,
        bayesian,
        streams.generator("Bayesian flow", channel=number),
        lambda done, total: report(steps + done),
    )
    draws = found.flow.replicas(config.replicas, streams.generator("replicas", channel=number))
    generator = streams.generator("grids", channel=number)
    grids = [chart.resampled(generator) for _ in range(config.replicas)]
    chart.forget()
    density = GroupDensity(coordinates, chart, Replicas(spec, draws), grids)
    comparison = _compare(held, density, streams.generator("comparison", channel=number), config.threads)
    information = {
        "coordinates": list(coordinates.names),
        "bins_of_the_grid": [len(edges) - 1 for edges in chart.grid],
        "effective_training_events": round(effective, 1),
        "steps": [steps, bayesian_steps],
        "log_likelihood_gain_over_the_grid": round(likelihood, 5),
        "held_out": comparison.as_json(),
    }
    log.info("group %d: %s", number, information)
    return replace(density, held_out=comparison, information=information)


def _events(grid: core.ChannelSampler, points: Array, weight: Array) -> Events:
    y, _ = grid.inverse_grid(points)
    return Events(y.astype(np.float32), weight, np.zeros(len(y), dtype=np.int64))


def _compare(held: Events, density: GroupDensity, generator: np.random.Generator, threads: int) -> HeldOut:
    """The held-out events against points drawn from every replica, in the coordinates of the mean grid."""
    effective = float(held.n_eff[0])
    shares, _ = pair_histogram(held.y.astype(np.float64), held.weight, effective)
    mean, spec = density.chart.sampler(), density.replicas.spec
    rows = []
    for grid, parameters in zip(density.grids, density.replicas.parameters[:, 0], strict=True):
        latent = generator.random((_DRAWN, spec.dim), dtype=np.float32)
        drawn, _ = core.sample(spec, parameters, latent, threads=threads)
        points, _ = grid.forward_grid(np.clip(np.asarray(drawn, dtype=np.float64), 0.0, 1.0))
        rows.append(pair_histogram(mean.inverse_grid(points)[0], None, effective)[0])
    return compare_histograms(shares, np.stack(rows), effective, _DRAWN)
