"""Replicas of a Bayesian flow for the sampler of one process, and their calibration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integration import Samples
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.uncertainties import Calibration, calibrate, positive_part

__all__ = ["Uncertainty", "learn_replicas"]

log = logging.getLogger("plugin.sherpa")


@dataclass(frozen=True)
class Uncertainty:
    """What the events of one process get.

    Attributes:
        sampler: with replicas; None for events without uncertainties.
        calibration: on fresh points, or None.
        note: why there is no uncertainty, or no calibration.
    """

    sampler: Sampler | None
    calibration: Calibration | None = None
    note: str = ""


def learn_replicas(
    sampler: Sampler,
    points: Samples,
    fresh: Samples | None,
    cross_section: float,
    replicas: int,
    streams: Streams,
    threads: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> Uncertainty:
    """Fit the Bayesian flow that starts from the trained one, set its width and calibrate its replicas.

    One half of the fresh points sets the width (:func:`plugin.bayesian.temper`), the other calibrates.

    Arguments:
        sampler: of one process.
        points: everything that was paid for, with the density of all sources together.
        fresh: points of the sampler that were not trained on, in the order in which they were drawn.
        cross_section: of the process [pb].
        replicas: number of draws.
        streams: random numbers.
        threads: of the kernel.
        on_progress: called with the number of steps done and of all.
    """
    if not sampler.has_flow:
        return Uncertainty(None, note="no flow draws the points of this process")
    from plugin.bayesian import COLD, BayesianConfig, Events, fit, sized_replicas
    from plugin.bayesian.fit import default_steps
    from plugin.training.optimise import DivergedError

    channel = sampler.channels[0]
    assert channel.spec is not None
    assert channel.params is not None
    try:
        positive, negative = positive_part(points)
        events = Events.of_samples(positive, sampler, ())
        steps = default_steps(len(events))
        config = BayesianConfig(steps=steps, mean_steps=0, temperature=1.0 if fresh is None else COLD, threads=threads)
        generator = streams.generator("Bayesian flow")
        found = fit(channel.spec, channel.params[None], events, config, generator, on_progress)
    except (DivergedError, UserError) as failure:
        log.warning("events get no uncertainties: %s", failure)
        return Uncertainty(None, note=str(failure))
    information = {
        "effective_training_events": [float(value) for value in found.n_eff],
        "negative_share_left_out": negative,
        "steps": steps,
        "temperature": config.temperature,
    }

    rows = np.arange(0 if fresh is None else len(fresh))
    width, check = (None, None) if fresh is None else (fresh.select(rows[::2]), fresh.select(rows[1::2]))
    drawn, _ = sized_replicas(
        found.flow, replicas, lambda: streams.generator("replicas"), information, sampler, width, threads
    )
    uncertain = sampler.with_replicas(drawn)
    if check is None:
        return Uncertainty(uncertain, None)
    try:
        return Uncertainty(uncertain, calibrate(uncertain, check, (cross_section,), threads))
    except UserError as error:
        log.warning("not calibrated: %s", error)
        return Uncertainty(uncertain, None, f"not calibrated: {error}")
