"""Densities conditional on a nuisance parameter: sigma_syst of events (arXiv:2110.13632, eq. 23)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge import core
from mcbridge.errors import UserError, nearest
from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing import KINDS, Chart
from mcbridge.random import Streams
from mcbridge.samplers import Replicas
from mcbridge.uncertainties import BayesianDensity
from mcbridge.uncertainties.systematic import check_span
from plugin.bayesian.density import default_steps, learn_density
from plugin.bayesian.events import Events
from plugin.bayesian.fit import BayesianConfig, fit
from plugin.bayesian.posterior import check_weights
from plugin.training.config import TrainingConfig

__all__ = ["ConditionalDensity", "augment", "learn_conditional"]

_ASIDE = 0.1  # share of the events that decides when to stop
_PLACES = 13  # values of the nuisance parameter at which the envelope is taken
_RANGES = 20  # of the nuisance parameter, in which weights have the mean 1
_BAYESIAN_STEPS = 1000

Variation = Callable[[Array, Array], npt.ArrayLike]
"""Factors (n,) of the weights of events (n, dim) at nuisance parameters (n,)."""


def augment(
    values: npt.ArrayLike,
    weight: npt.ArrayLike,
    variation: Variation,
    span: tuple[float, float],
    nominal: float,
    generator: np.random.Generator,
    copies: int = 4,
) -> tuple[Array, Array, Array]:
    """Copies of the events, each with a nuisance parameter and the weight that the event has with it.

    Half of the parameters are uniform in the span, half lie near the nominal value, which everything is compared with.
    An event that comes with several parameters tells more of what the parameter does than several events.

    Arguments:
        values: (n, dim), what the variation depends on.
        weight: (n,), of the events.
        variation: factors of the weights, not negative; see ``Variation``.
        span: smallest and largest nuisance parameter.
        nominal: the parameter of the events as they are.
        generator: draws the parameters.
        copies: of every event.

    Returns:
        values (copies n, dim), nuisance parameters (copies n,) and weights (copies n,).

    Raises:
        UserError: shapes do not fit, or a factor is negative or not finite.
    """
    table, own = _events(values, weight)
    low, high = check_span(span, nominal)
    if copies < 1:
        raise UserError(f"copies is {copies}; it must be at least 1")
    table, own = np.tile(table, (copies, 1)), np.tile(own, copies)
    # Stratified, so that no part of the span is short of events.
    uniform = low + (high - low) * (generator.permutation(len(table)) + generator.random(len(table))) / len(table)
    root = (uniform - nominal) / (high - low)
    near = nominal + (high - low) * root**3
    nuisance = np.where(generator.random(len(table)) < 0.5, uniform, near)
    factors = np.asarray(variation(table, nuisance), dtype=np.float64)
    if factors.shape != (len(table),):
        raise UserError(f"the variation returned the shape {factors.shape}; it must be ({len(table)},)")
    if not np.all(np.isfinite(factors) & (factors >= 0.0)):
        raise UserError("the variation returned factors that are negative or not finite")
    return table, nuisance, own * factors


@dataclass(frozen=True)
class ConditionalDensity:
    """The Bayesian density of events conditional on a nuisance parameter, ``p(x|a)``.

    Attributes:
        chart: from the coordinates of events to the unit hypercube.
        parameters: of the trained flow (P,). What the nuisance parameter does is read from it: the mean of a
            mean-field posterior is drawn towards the prior, which knows of no such effect.
        replicas: parameters of the flows (M, 1, P), conditional on the parameter.
        span: smallest and largest nuisance parameter.
        nominal: the parameter of the events as they are.
        information: figures of the training.
    """

    chart: Chart
    parameters: npt.NDArray[np.float32]
    replicas: Replicas
    span: tuple[float, float]
    nominal: float
    information: dict[str, Any] = field(default_factory=dict)

    def __call__(self, values: npt.ArrayLike, nuisance: npt.ArrayLike, threads: int = 1) -> BayesianDensity:
        """Densities of events (n, dim) under all replicas, per unit volume of the chart.

        Arguments:
            values: coordinates of the events.
            nuisance: (n,) or one number, within the span.
            threads: of the kernel.

        Raises:
            UserError: a nuisance parameter lies outside the span.
        """
        y, density = self._place(values)
        logs = [self._log(parameters, y, nuisance, threads) for parameters in self.replicas.parameters[:, 0]]
        return BayesianDensity(np.exp(np.stack(logs)) * density)

    def _place(self, values: npt.ArrayLike) -> tuple[npt.NDArray[np.float32], Array]:
        """Points of the flow (n, dim) and the density of the grid (n,)."""
        points, _ = self.chart(np.asarray(values, dtype=np.float64))
        y, density = self.chart.sampler().inverse_grid(points)
        return y.astype(np.float32), density

    def _log(
        self, parameters: npt.NDArray[np.float32], y: npt.NDArray[np.float32], nuisance: npt.ArrayLike, threads: int
    ) -> Array:
        parameter = np.broadcast_to(np.asarray(nuisance, dtype=np.float64), (len(y),))
        context = _context(parameter, self.span, self.nominal)
        _, log_q = core.log_density(self.replicas.spec, parameters, y, context, threads=threads)
        return log_q.astype(np.float64)

    def ratio(self, values: npt.ArrayLike, nuisance: npt.ArrayLike, threads: int = 1) -> Array:
        """(n,), ``p(x|a)/p(x|nominal)``: weights that move events to another nuisance parameter."""
        y, _ = self._place(values)
        own = self._log(self.parameters, y, nuisance, threads)
        result: Array = np.exp(own - self._log(self.parameters, y, self.nominal, threads))
        return result

    def sigma_syst(
        self,
        values: npt.ArrayLike,
        span: tuple[float, float] | None = None,
        threads: int = 1,
    ) -> Array:
        """(n,), relative: half the envelope of ``p(x|a)/p(x|nominal)`` over a span of the nuisance parameter.

        Arguments:
            values: coordinates of the events.
            span: what the parameter is uncertain in; all of the training's if None.
            threads: of the kernel.
        """
        low, high = self.span if span is None else check_span(span, self.nominal)
        places = np.linspace(low, high, _PLACES)
        ratios = np.stack([np.ones(len(np.asarray(values))), *(self.ratio(values, a, threads) for a in places)])
        result: Array = 0.5 * (np.max(ratios, axis=0) - np.min(ratios, axis=0))
        return result


def learn_conditional(
    values: npt.ArrayLike,
    nuisance: npt.ArrayLike,
    weight: npt.ArrayLike,
    *,
    nominal: float,
    span: tuple[float, float] | None = None,
    kinds: Sequence[str] | None = None,
    replicas: int = 32,
    steps: int | None = None,
    bayesian_steps: int = _BAYESIAN_STEPS,
    seed: int = 1,
    threads: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> ConditionalDensity:
    """Learn a Bayesian flow conditional on a nuisance parameter.

    The events may come from simulations with several settings of the parameter, or from one simulation by
    :func:`augment`. How many events there are at each value of the parameter has no influence on the densities.

    Arguments:
        values: (n, dim), coordinates of the events.
        nuisance: (n,), the parameter of each event.
        weight: (n,), not negative.
        nominal: the parameter of the events as they are.
        span: smallest and largest parameter; those of the events if None.
        kinds: of the coordinates, from ``mcbridge.preprocessing.KINDS``: ``"length"`` (positive), ``"rapidity"``
            (any number), ``"cosine"`` (from -1 to 1), ``"angle"`` (from -pi to pi, periodic); ``"rapidity"`` for all if
            None.
        replicas: number of weight draws.
        steps: optimisation steps of the flow; by the number of events if None.
        bayesian_steps: of the Bayesian flow.
        seed: of all random numbers.
        threads: of the kernel.
        on_progress: called with steps done and planned.

    Raises:
        UserError: shapes do not fit, a weight is negative, or there are fewer than 100 events.
        DivergedError: the optimisation failed.
    """
    table, own = _events(values, weight)
    check_weights(own)
    parameter = np.asarray(nuisance, dtype=np.float64)
    if parameter.shape != own.shape:
        raise UserError(f"nuisance has the shape {parameter.shape}; it must be {own.shape}")
    names = ("rapidity",) * table.shape[1] if kinds is None else tuple(kinds)
    if len(names) != table.shape[1]:
        raise UserError(f"there are {len(names)} kinds for {table.shape[1]} coordinates")
    for name in names:
        if name not in KINDS:
            raise UserError(
                f"'{name}' is no kind of coordinate; it must be one of {', '.join(KINDS)}{nearest(name, KINDS)}"
            )
    low, high = check_span((float(np.min(parameter)), float(np.max(parameter))) if span is None else span, nominal)
    streams = Streams(seed)
    context = _context(parameter, (low, high), nominal)
    own = own / _mean_weight(parameter, own)
    aside, learned = _split(table, streams.generator("held out"))
    chart = Chart(table[learned], names, own[learned], table[aside], own[aside])
    chart.forget()
    grid = chart.sampler()

    def part(rows: npt.NDArray[np.int64]) -> Events:
        y, _ = grid.inverse_grid(chart(table[rows])[0])
        return Events(y.astype(np.float32), own[rows], np.zeros(len(rows), dtype=np.int64), context[rows])

    stopping, training = part(aside), part(learned)
    settings = TrainingConfig().resolved(table.shape[1], len(learned))
    assert settings.hidden is not None
    assert settings.bins is not None
    assert settings.batch is not None
    periodic = tuple(index for index, name in enumerate(names) if name == "angle")
    spec = core.FlowSpec(table.shape[1], 2, hidden=settings.hidden, bins=settings.bins, periodic=periodic)
    first = steps or default_steps(len(learned))

    def report(done: int, total: int = first + bayesian_steps) -> None:
        if on_progress is not None:
            on_progress(min(done, total), total)

    parameters, likelihood = learn_density(
        spec, training, stopping, first, settings.batch, settings.learning_rate, streams.generator("density"), threads,
        report,
    )  # fmt: skip
    config = BayesianConfig(steps=bayesian_steps, threads=threads)
    found = fit(
        spec, parameters, training, config, streams.generator("Bayesian flow"), lambda done, _: report(first + done)
    )
    information = {
        "span": [low, high],
        "effective_training_events": float(training.n_eff[0]),
        "log_likelihood": likelihood,
        "steps": [first, bayesian_steps],
    }
    draws = found.flow.replicas(replicas, streams.generator("replicas"))
    return ConditionalDensity(chart, parameters[0], Replicas(spec, draws), (low, high), nominal, information)


def _events(values: npt.ArrayLike, weight: npt.ArrayLike) -> tuple[Array, Array]:
    table, own = np.asarray(values, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    if table.ndim != 2 or own.shape != (len(table),):
        raise UserError(f"values have the shape {table.shape} and weight {own.shape}; they must be (n, dim) and (n,)")
    if len(table) < 100:
        raise UserError(f"there are {len(table)} events; a density needs at least 100")
    if not np.all(np.isfinite(table)):
        raise UserError("values must be finite numbers")
    return table, own


def _split(table: Array, generator: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows that decide when to stop, and rows that are learned from; copies of an event stay together."""
    event = np.unique(table, axis=0, return_inverse=True)[1].reshape(-1)
    number = int(event.max()) + 1
    chosen = np.zeros(number, dtype=bool)
    chosen[generator.permutation(number)[: max(1, round(_ASIDE * number))]] = True
    aside = chosen[event]
    if np.all(aside):
        raise UserError("all events have the same coordinates; there is no density to learn")
    return np.flatnonzero(aside), np.flatnonzero(~aside)


def _mean_weight(parameter: Array, weight: Array) -> Array:
    """(n,), mean weight of the events with about the same parameter.

    A factor of the weights that depends on the parameter alone changes no conditional density; without it, the events
    of one end of the span would take all the training.
    """
    edges = np.unique(np.quantile(parameter, np.linspace(0.0, 1.0, _RANGES + 1)))
    place = np.clip(np.searchsorted(edges, parameter, side="right") - 1, 0, max(len(edges) - 2, 0))
    sums, counts = np.bincount(place, weight), np.bincount(place)
    mean = np.where(sums > 0.0, sums / np.maximum(counts, 1), 1.0)
    result: Array = mean[place]
    return result


def _context(parameter: Array, span: tuple[float, float], nominal: float) -> npt.NDArray[np.float32]:
    """(n, 2), the distance from the nominal parameter in units of the span, and its cube root.

    The root resolves what happens near the nominal parameter, which may lie at an end of the span.
    """
    low, high = span
    if np.any(parameter < low) or np.any(parameter > high):
        raise UserError(f"a nuisance parameter lies outside the span {low:g} to {high:g} of the training")
    distance = (parameter - nominal) / (high - low)
    return np.stack([distance, np.cbrt(distance)], axis=1).astype(np.float32)
