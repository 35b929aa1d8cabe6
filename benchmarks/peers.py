"""The samplers that are compared: each gets the same amplitude evaluations and leaves fresh independent weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import vegas

from mcbridge.integrands import Array, Integrand
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, fresh_weights
from mcbridge.random import Streams
from mcbridge.samplers import survey

__all__ = ["Trained", "binnis_weights", "madnis_weights", "vegas_weights"]

Weights = list[Array]
FRESH = 200_000


@dataclass(frozen=True)
class Trained:
    """What a contestant leaves behind.

    Attributes:
        weights: of fresh independent points, by channel.
        cpu_seconds: of adaptation and training.
        amplitude_seconds: what of it the evaluations of the integrand took.
        note: for the table.
    """

    weights: Weights
    cpu_seconds: float
    amplitude_seconds: float
    note: str = ""


def channel_integrand(integrand: Integrand, channel: int) -> Callable[[Array], Array]:
    """alpha_i f of one channel as a batch function of vegas."""

    def function(u: Array) -> Array:
        found = integrand(np.asarray(u), channel)
        return found.weight if found.alpha is None else found.weight * found.alpha[:, channel]

    return function


def vegas_weights(integrand: Integrand, evaluations: int, seed: int) -> Trained:
    """vegas at the best of 64, 200 and 1000 increments."""
    best: tuple[float, Trained] | None = None
    for increments in (64, 200, 1000):
        generator = np.random.default_rng(seed)
        start = time.process_time()
        metered = Metered(integrand)
        maps = []
        for channel in range(integrand.channels):
            integrator = vegas.Integrator(
                integrand.dim * [[0, 1]], maxinc_axis=increments, ran_array_generator=generator.random
            )
            function = vegas.lbatchintegrand(channel_integrand(metered, channel))
            integrator(function, nitn=10, neval=evaluations // (10 * integrand.channels))
            maps.append(integrator.map)
        seconds = time.process_time() - start
        weights = []
        for channel, found in enumerate(maps):
            y = generator.random((FRESH // integrand.channels, integrand.dim))
            u, jacobian = np.empty_like(y), np.empty(len(y))
            found.map(y, u, jacobian)
            weights.append(channel_integrand(integrand, channel)(u) * jacobian)
        rsd = sum(w.std() for w in weights) / abs(sum(w.mean() for w in weights))
        if best is None or rsd < best[0]:
            best = (rsd, Trained(weights, seconds, metered.cpu_seconds, f"{increments} increments"))
    assert best is not None
    return best[1]


def madnis_weights(integrand: Integrand, evaluations: int, seed: int, buffered: int = 0) -> Trained:
    """madnis with its VEGAS start (a fifth of the evaluations) and online steps of 1024 points.

    Arguments:
        buffered: optimisation steps on stored points after each online step.
    """
    import torch
    from madnis.integrator import Integrand as MadnisIntegrand
    from madnis.integrator import Integrator as MadnisIntegrator
    from madnis.integrator import VegasPreTraining

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    integrand = Metered(integrand)
    channels = integrand.channels

    def single(x: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(integrand(x.numpy(), 0).weight)

    def multi(x: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        weight = np.zeros(len(x))
        alpha = np.full((len(x), channels), 1 / channels)
        features = np.zeros((len(x), features_dim))
        for channel in range(channels):
            mine = (c == channel).numpy()
            if mine.any():
                found = integrand(x.numpy()[mine], channel)
                weight[mine], alpha[mine], features[mine] = found.weight, found.alpha, found.features
        return torch.as_tensor(weight), torch.as_tensor(features), torch.as_tensor(alpha)

    if channels == 1:
        wrapped = MadnisIntegrand(single, integrand.dim)
    else:
        probe = integrand(np.full((2, integrand.dim), 0.5), 0).features
        assert probe is not None
        features_dim = probe.shape[1]
        wrapped = MadnisIntegrand(
            multi, integrand.dim, channel_count=channels, remapped_dim=features_dim, has_channel_weight_prior=True
        )
    start = time.process_time()
    old = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        steps = int(0.8 * evaluations) // 1024
        total = steps * (1 + buffered)
        integrator = MadnisIntegrator(
            wrapped,
            batch_size=1024,
            learning_rate=1e-3,
            scheduler=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total),
            buffer_capacity=evaluations if buffered else 0,
            buffered_steps=buffered,
        )
        start_map = VegasPreTraining(integrator, bins=64)
        start_map.rng = np.random.default_rng(seed)
        start_map.train([int(0.2 * evaluations) // (8 * channels)] * 8)
        start_map.initialize_integrator()
        integrator.train(total)
        seconds, amplitude = time.process_time() - start, integrand.cpu_seconds
        weights = []
        with torch.no_grad():
            for channel in range(channels):
                found = integrator.sample(FRESH // channels, channel=channel if channels > 1 else None)
                raw = found.weights.numpy().astype(np.float64)
                # madnis scales the weights of a channel by n/n_channel, which is 1 for a single channel
                weights.append(raw)
    finally:
        torch.set_default_dtype(old)
    return Trained(weights, seconds, amplitude)


def binnis_weights(integrand: Integrand, evaluations: int, seed: int, **settings: Any) -> Trained:
    """binnis: survey, training with ``settings`` of ``TrainingConfig``, and the flow's mixture."""
    from plugin.training import TrainingConfig, split_budget, train

    metered = Metered(integrand)
    streams = Streams(seed)
    guard = Guard()
    start = time.process_time()
    share = split_budget(evaluations)
    found = survey(metered, share.survey, streams, guard=guard)
    trained = train(
        metered, found.sampler, found.samples, TrainingConfig(**settings), streams, share.training, guard=guard
    )
    seconds, amplitude = time.process_time() - start, metered.cpu_seconds
    if not settings and not 0.97 * evaluations <= metered.evaluations <= 1.03 * evaluations:
        raise RuntimeError(f"{metered.evaluations} evaluations were used instead of {evaluations}")
    fresh = fresh_weights(integrand, trained.sampler, FRESH, streams, purpose="benchmark", guard=guard)
    weights = [fresh.event_weights[fresh.channel == channel] for channel in range(integrand.channels)]
    return Trained(weights, seconds, amplitude, "diverged" if trained.diverged else "")
