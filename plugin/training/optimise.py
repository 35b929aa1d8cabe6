"""One stage of the optimisation: batches, steps, looks at the held-out points, the best state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from mcbridge import core
from mcbridge.integrands.protocol import Array, IntArray
from plugin.flows import Flow
from plugin.training.adam import Adam, cosine
from plugin.training.buffer import Buffer, Floats
from plugin.training.losses import SLOPES, Loss, stratified, stratified_variance
from plugin.training.measures import judge

__all__ = [
    "Best",
    "DivergedError",
    "Optimiser",
    "Problem",
    "held_out_moments",
    "parameters_of",
    "run_stage",
    "slope_of",
]

_WARM_UP = 50


class DivergedError(Exception):
    """The training produced numbers that are not finite."""


def parameters_of(flow: Flow) -> Floats:
    """A copy of the parameters (channels, parameters) for the core."""
    return flow.parameters_flat.detach().numpy().astype(np.float32, copy=True)


@dataclass
class Problem:
    """Training points as a distribution of indices, in proportion to ``|target|/density``.

    A batch drawn like this is a sample of the normalised integrand: every point counts the same, and none is wasted
    on regions without weight. Channels share a batch half equally, half by their part of the integral.

    Attributes:
        rows: (n,), indices into the buffer.
        cumulative: (n,), cumulative probability.
        log_target: (n,), ``log |alpha f| / I`` of the point in its channel.
        integrals: (channels,), ``I_i``.
    """

    rows: IntArray
    cumulative: Array
    log_target: Array
    integrals: Array

    @staticmethod
    def of(buffer: Buffer) -> Problem:
        """All points that are not held out."""
        rows = np.flatnonzero(~buffer.held & (buffer.goal != 0.0))
        weight = np.abs(buffer.goal[rows]) / buffer.density[rows]
        channel = buffer.channel[rows]
        sums = np.bincount(channel, weight, buffer.space.channels)
        live = sums > 0.0
        integral = np.where(live, sums / np.maximum(buffer.counts[:, 0], 1), 1.0)
        shares = np.where(
            live, 0.5 / max(int(live.sum()), 1) + 0.5 * integral / max(float(integral[live].sum()), 1e-300), 0.0
        )
        probability = weight * (shares / np.where(live, sums, 1.0))[channel]
        log_target = np.log(np.abs(buffer.goal[rows])) - np.log(integral)[channel]
        return Problem(rows, np.cumsum(probability), log_target, integral)

    def draw(self, n: int, generator: np.random.Generator) -> IntArray:
        """``n`` positions in ``rows``: a systematic sample in random order, so that no point comes much too often."""
        total = float(self.cumulative[-1])
        places = np.searchsorted(self.cumulative, (np.arange(n) + generator.random(n)) * (total / n), side="right")
        return generator.permutation(np.minimum(places, len(self.rows) - 1))


@dataclass
class Best:
    """The best state so far on the held-out points, channel by channel.

    Attributes:
        parameters: (channels, parameters).
        moments: (channels,), second moments of the mixture's weights.
    """

    parameters: Floats
    moments: Array

    def offer(self, parameters: Floats, moments: Array) -> bool:
        """Keep the channels that are better; whether there were any."""
        better = moments < self.moments * (1.0 - 1e-4)
        self.parameters[better] = parameters[better]
        self.moments = np.where(better, moments, self.moments)
        return bool(better.any())


class Optimiser:
    """Adam with warm-up, cosine schedule, gradient clipping by channel, and averaged parameters.

    Arguments:
        flow: what is trained, in place.
        learning_rate: largest.
        steps: for which the schedule is planned.
        clip: largest norm of the gradient of a channel.
        averaging: decay of the running average.
    """

    def __init__(self, flow: Flow, learning_rate: float, steps: int, clip: float, averaging: float) -> None:
        self.flow = flow
        self.learning_rate = learning_rate
        self.steps = max(steps, 1)
        self.clip = clip
        self.averaging = averaging
        self.adam = Adam([flow.parameters_flat], betas=(0.9, 0.99))
        self.done = 0
        self.average = parameters_of(flow)
        self._averaged = 0
        self._slope: Floats | None = None

    def restart(self, parameters: Floats) -> None:
        """Go on from other parameters."""
        with torch.no_grad():
            self.flow.parameters_flat.copy_(torch.from_numpy(parameters))
        self.average = parameters.copy()
        self._averaged = 0

    def rate(self) -> float:
        """Learning rate of the next step."""
        warm_up = min(1.0, (self.done + 1) / min(_WARM_UP, self.steps))
        return self.learning_rate * warm_up * cosine(self.done, self.steps)

    def step(
        self,
        loss: Loss,
        y: Floats,
        context: Floats | None,
        channel: IntArray | None,
        offset: Array,
        vegas: Array | None = None,
        eps: float = 0.0,
    ) -> float:
        """One step; returns the loss.

        Arguments:
            loss: see :mod:`plugin.training.losses`; or a closure of that signature.
            offset: (n,), log of ``g/p`` without the flow.
            vegas: (n,), log of the VEGAS density over p, where the loss is of the mixture with its share ``eps``.
        """
        flow = self.flow
        parameters = flow.parameters_flat
        name = getattr(loss, "__name__", "")
        if flow.uses_kernel() and name in SLOPES:
            flat = parameters.detach().numpy()
            if name == "forward_kl" and vegas is None:  # linear: the slope is known before the density is
                found = core.gradient(
                    flow.spec, flat, y, self._constant(len(y)), context, channel, threads=flow.threads
                )
                gradient = torch.from_numpy(found[0])
                value = -float(np.mean(found[1] + offset))
            else:
                _, log_q = core.log_density(flow.spec, flat, y, context, channel, threads=flow.threads)
                value, slope = slope_of(name, log_q + offset, vegas, eps)
                found = core.gradient(flow.spec, flat, y, slope, context, channel, threads=flow.threads)
                gradient = torch.from_numpy(found[0])
        else:
            weight, shift = torch.ones(len(y)), torch.from_numpy(offset.astype(np.float32))
            condition = None if context is None else torch.from_numpy(context)
            index = None if channel is None else torch.from_numpy(channel)
            log_ratio = flow.log_prob(torch.from_numpy(y), condition, index) + shift
            if vegas is not None:
                log_ratio = torch.logaddexp(
                    log_ratio + _log_rest(eps), torch.from_numpy(vegas.astype(np.float32)) + float(np.log(eps))
                )
            result = loss(log_ratio, weight)
            (gradient,) = torch.autograd.grad(result, parameters)
            value = float(result.detach())
        self.apply(gradient, value)
        return value

    def _constant(self, n: int) -> Floats:
        """The slope of the forward KL divergence."""
        if self._slope is None or len(self._slope) != n:
            self._slope = np.full(n, -1.0 / n, dtype=np.float32)
        return self._slope

    def apply(self, gradient: torch.Tensor, value: float) -> None:
        """One step along a gradient (channels, parameters), which is clipped in place, of a loss of this value.

        Raises:
            DivergedError: one of them is not finite.
        """
        parameters = self.flow.parameters_flat
        rows = gradient.numpy()
        norm = np.sqrt(np.einsum("cp,cp->c", rows, rows))
        if not np.isfinite(value) or not np.all(np.isfinite(norm)):
            raise DivergedError(f"the loss was {value:.3g} in step {self.done + 1}")
        if np.any(norm > self.clip):
            rows *= np.minimum(self.clip / (norm + 1e-12), 1.0)[:, None].astype(np.float32)
        self.adam.step([gradient], self.rate())
        self.done += 1
        self._averaged += 1
        decay = min(self.averaging, (1.0 + self._averaged) / (10.0 + self._averaged))
        self.average += np.float32(1.0 - decay) * (parameters.detach().numpy() - self.average)


def held_out_moments(
    buffer: Buffer, flow: Flow, parameters: Floats, tables: list[Array], eps: float, far: bool = False
) -> Array:
    """Second moments (channels,) of the mixture's weights on the held-out points, for the goal of the buffer.

    Arguments:
        eps: share of the VEGAS density in the mixture.
        far: judge by ``exp KL(goal, mixture)`` instead, times the square of the integral. Far from the goal the
            second moment hangs on a few points in the tail, and first rises where the flow moves to the right places.
    """
    rows = np.flatnonzero(buffer.held)
    density = buffer.flow_density(flow.spec, parameters, tables, rows)
    mixed = eps * buffer.vegas_density(rows) + (1.0 - eps) * density
    channel = buffer.channel[rows]
    result = np.zeros(buffer.space.channels)
    for index in range(buffer.space.channels):
        own = channel == index
        goal, drawn, n = buffer.goal[rows][own], buffer.density[rows][own], int(buffer.counts[index, 1])
        if far and np.any(goal):
            weight = np.abs(goal) / drawn
            integral = float(np.sum(weight)) / max(n, 1)
            with np.errstate(divide="ignore"):
                logs = np.log(np.abs(goal) / integral) - np.log(mixed[own])
            result[index] = integral**2 * np.exp(np.sum(weight * logs) / np.sum(weight))
        else:
            result[index] = judge(goal, drawn, mixed[own], n).second
    if np.any(np.isnan(result)):
        raise DivergedError("the figure of merit on held-out points is not a number")
    return result


Look = Callable[[float, Array], None]
"""Called after every look with the mean loss and the held-out second moments."""


def run_stage(
    optimiser: Optimiser,
    buffer: Buffer,
    tables: list[Array],
    loss: Loss,
    steps: int,
    batch: int,
    check_every: int,
    patience: int,
    eps: float,
    best: Best,
    generator: np.random.Generator,
    look: Look,
    mixture: bool = False,
    far: bool = False,
) -> bool:
    """Optimise for ``steps`` steps or until the held-out second moment has not improved for ``patience`` looks.

    Arguments:
        eps: share of the VEGAS density in the mixture that is judged, and in the loss where ``mixture``.
        mixture: whether the loss is one of the mixture's density instead of the flow's.
        far: whether held-out points judge by the KL divergence (see :func:`held_out_moments`).

    Returns:
        whether the stage ended early.

    Raises:
        DivergedError: a number was not finite.
    """
    problem = Problem.of(buffer)
    many = buffer.space.channels > 1
    log_share = np.log(buffer.share(tables, problem.rows))
    log_vegas = np.log(buffer.vegas_density(problem.rows))
    stale = 0
    for start in range(0, steps, check_every):
        size = min(check_every, steps - start)
        places = problem.draw(size * batch, generator).reshape(size, batch)
        total = 0.0
        for own in places:
            rows = problem.rows[own]
            offset = log_share[own] - problem.log_target[own]
            used = loss
            if many and loss is stratified_variance:
                channel = torch.from_numpy(buffer.channel[rows])
                used = stratified(loss, channel, torch.from_numpy(problem.integrals.astype(np.float32)))
            total += optimiser.step(
                used,
                buffer.y[rows],
                buffer.context(rows),
                buffer.channel[rows] if many else None,
                offset,
                log_vegas[own] - problem.log_target[own] if mixture else None,
                eps,
            )
        moments = held_out_moments(buffer, optimiser.flow, optimiser.average, tables, eps, far)
        stale = 0 if best.offer(optimiser.average, moments) else stale + 1
        look(total / size, moments)
        if stale >= patience:
            return True
    return False


def _log_rest(eps: float) -> float:
    return float(np.log1p(-eps)) if eps < 1.0 else -float("inf")


def slope_of(name: str, log_ratio: Array, vegas: Array | None = None, eps: float = 0.0) -> tuple[float, Floats]:
    """A loss (the mean of its terms) and its derivative (n,) by the log density of the flow at each point.

    Arguments:
        name: a key of :data:`plugin.training.losses.SLOPES`.
        log_ratio: (n,), log of ``g/p`` of the flow.
        vegas: (n,), log of the VEGAS density over p, where the loss is of the mixture with its share ``eps``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if vegas is None:
            term, slope = SLOPES[name](log_ratio)
        else:
            own = log_ratio + _log_rest(eps)
            mixed = np.logaddexp(own, vegas + np.log(eps))
            term, slope = SLOPES[name](mixed)
            slope *= np.exp(own - mixed)
        return float(np.mean(term)), (slope / len(slope)).astype(np.float32)
