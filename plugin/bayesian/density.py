"""A flow learned from events alone: forward KL, stopped by the likelihood of events that were kept aside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mcbridge import core
from mcbridge.core import FlowSpec
from plugin.bayesian.events import Events
from plugin.bayesian.posterior import Floats
from plugin.flows import Flow
from plugin.flows.threads import torch_threads
from plugin.training.losses import forward_kl
from plugin.training.optimise import DivergedError, Optimiser

__all__ = ["default_steps", "learn_density", "log_likelihood"]

_PATIENCE = 8
_CLIP = 2.0
_AVERAGING = 0.995


def log_likelihood(spec: FlowSpec, parameters: Floats, events: Events, threads: int = 1) -> float:
    """Mean of ``log p(y)`` over weighted events, parameters (1, P)."""
    _, log_q = core.log_density(spec, parameters, events.y, events.context, None, threads)
    return float(np.sum(events.weight * log_q.astype(np.float64)) / np.sum(events.weight))


def learn_density(
    spec: FlowSpec,
    events: Events,
    kept_aside: Events,
    steps: int,
    batch: int,
    learning_rate: float,
    generator: np.random.Generator,
    threads: int = 1,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[Floats, float]:
    """Parameters (1, P) of the flow with the best likelihood of the events kept aside, and that likelihood an event.

    Starts as the identity. The same arguments give the same result.

    Arguments:
        spec: the architecture.
        events: what is learned, of one channel; batches are drawn in proportion to their weights.
        kept_aside: decide when to stop.
        steps: at most.
        batch: events of a step.
        learning_rate: its largest value.
        generator: start and batches.
        threads: of the kernel.
        on_progress: called with the steps done.

    Raises:
        DivergedError: the loss was not finite.
    """
    with torch_threads(1):
        optimiser = Optimiser(Flow(spec, 1, generator, threads=threads), learning_rate, steps, _CLIP, _AVERAGING)
        best = optimiser.average.copy()
        likelihood = log_likelihood(spec, best, kept_aside, threads)
        every, stale = max(25, steps // 30), 0
        offset = np.zeros(batch)
        for step in range(1, steps + 1):
            rows = events.draw(batch, generator)
            context = None if events.context is None else events.context[rows]
            optimiser.step(forward_kl, events.y[rows], context, None, offset)
            if step % every and step < steps:
                continue
            found = log_likelihood(spec, optimiser.average, kept_aside, threads)
            if not np.isfinite(found):
                raise DivergedError(f"the likelihood was {found} after {step} steps")
            if found > likelihood:
                best, likelihood, stale = optimiser.average.copy(), found, 0
            else:
                stale += 1
            if on_progress is not None:
                on_progress(step)
            if stale >= _PATIENCE:
                break
    return best, likelihood


def default_steps(events: int) -> int:
    """Steps for a number of events: by the KL divergence alone, since nothing is known but the events."""
    return min(3000, 700 + events // 300)
