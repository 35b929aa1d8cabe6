"""Learning of channel weights by the stratified variance, from the prior on."""

from __future__ import annotations

import itertools
from math import sqrt

import numpy as np
import torch
from torch import Tensor

from mcbridge.integrands.protocol import Array
from mcbridge.samplers import ChannelWeights
from plugin.training.adam import Adam, cosine
from plugin.training.buffer import Buffer
from plugin.training.optimise import DivergedError

__all__ = ["ChannelWeightTrainer", "stratified_loss"]

_HIDDEN = 32
_BATCH = 2048
_RATE = 1e-2


def stratified_loss(
    alpha: Tensor, value: Tensor, density: Tensor, proposed: Tensor, channel: Tensor, n: Tensor
) -> Tensor:
    """``(sum_i sigma_i)^2`` with ``sigma_i^2 = <(alpha_i f)^2/(g_i q_i)>_{q_i} - I_i^2`` (arXiv:2212.06172, eq. 9).

    The variance is taken in the form ``<(alpha_i f/g_i - I_i)^2 g_i/q_i>`` up to points without weight, which keeps
    it from turning negative: ``I_i^2`` enters with the share of g_i that the points stand for, at most 1.

    Arguments:
        alpha: (k,), weight of each point's own channel, which gradients flow through.
        value: (k,), f; density, proposed: (k,), what drew the points (q_i) and what will (g_i).
        channel: (k,).
        n: (channels,), number of points of each channel, zero weights included.
    """
    channels = len(n)
    target = alpha * value

    def mean(values: Tensor) -> Tensor:
        return torch.zeros(channels, dtype=values.dtype).index_add(0, channel, values) / n

    integral = mean(target / density)
    second = mean(target**2 / (proposed * density))
    share = torch.clamp(mean(proposed / density), min=1.0)
    sigma = torch.sqrt(torch.clamp(second - integral**2 / share, min=0.0) + 1e-6 * (second.detach() + 1e-30))
    return torch.sum(sigma) ** 2


class ChannelWeightTrainer:
    """A small network on the features of a point; its output starts at zero, which is the prior.

    Arguments:
        buffer: its features fix the standardisation.
        generator: initial numbers and batches.
    """

    def __init__(self, buffer: Buffer, generator: np.random.Generator) -> None:
        assert buffer.features is not None
        assert buffer.alpha is not None
        self.generator = generator
        weight = np.abs(buffer.target) / buffer.density
        weight = weight / np.sum(weight)
        self.centre = weight @ buffer.features
        spread = np.sqrt(weight @ (buffer.features - self.centre) ** 2)
        self.spread = np.where(spread > 1e-8, spread, 1.0)
        sizes = (buffer.features.shape[1], _HIDDEN, _HIDDEN, buffer.space.channels)
        self.layers: list[tuple[Tensor, Tensor]] = []
        for rows, columns in itertools.pairwise(sizes):
            bound = 0.0 if len(self.layers) == len(sizes) - 2 else 1.0 / sqrt(rows)
            numbers = bound * generator.uniform(-1.0, 1.0, (columns, rows + 1))
            matrix = torch.tensor(numbers[:, :-1].copy(), requires_grad=True)
            self.layers.append((matrix, torch.tensor(numbers[:, -1].copy(), requires_grad=True)))

    def export(self) -> ChannelWeights:
        """The network for :mod:`mcbridge`, standardisation folded into its first layer."""
        arrays = [(matrix.detach().numpy().copy(), bias.detach().numpy().copy()) for matrix, bias in self.layers]
        matrix, bias = arrays[0]
        matrix = matrix / self.spread
        arrays[0] = (matrix, bias - matrix @ self.centre)
        return ChannelWeights(tuple(arrays))

    def _logits(self, features: Tensor) -> Tensor:
        values = features
        for index, (matrix, bias) in enumerate(self.layers):
            values = values @ matrix.T + bias
            if index < len(self.layers) - 1:
                values = torch.nn.functional.leaky_relu(values, 0.01)
        return values

    def improve(self, buffer: Buffer, proposed: Array, steps: int) -> tuple[bool, float, float]:
        """Train for ``steps`` steps with frozen densities; keeps the state that is best on held-out points.

        Arguments:
            buffer: the points; those held out decide.
            proposed: (n,), density g of the mixture at all points of the buffer, in their own channel.

        Returns:
            whether the held-out loss improved, and this loss before and after.
        """
        assert buffer.features is not None
        assert buffer.alpha is not None
        scale = max(float(np.mean(buffer.value / buffer.density)), 1e-300)
        features = torch.from_numpy((buffer.features - self.centre) / self.spread)
        with np.errstate(divide="ignore"):
            prior = torch.from_numpy(np.log(buffer.alpha))
        value = torch.from_numpy(buffer.sign * buffer.value / scale)
        density, mixed = torch.from_numpy(buffer.density), torch.from_numpy(proposed)
        channel = torch.from_numpy(buffer.channel)

        def loss(rows: Tensor, n: Tensor) -> Tensor:
            own = channel[rows]
            log_alpha = torch.log_softmax(prior[rows] + self._logits(features[rows]), 1)
            alpha = torch.exp(log_alpha[torch.arange(len(rows)), own])
            return stratified_loss(alpha, value[rows], density[rows], mixed[rows], own, n)

        held = torch.from_numpy(np.flatnonzero(buffer.held))
        training = np.flatnonzero(~buffer.held)
        counts = torch.from_numpy(np.maximum(buffer.counts, 1).astype(np.float64))
        parameters = [tensor for layer in self.layers for tensor in layer]
        adam = Adam(parameters)
        size = min(len(training), _BATCH)

        def judge() -> float:
            with torch.no_grad():
                return float(loss(held, counts[:, 1]))

        first = judge()
        best, state = first, [tensor.detach().clone() for tensor in parameters]
        for step in range(steps):
            rows = torch.from_numpy(self.generator.choice(training, size, replace=False))
            result = loss(rows, counts[:, 0] * (size / len(training)))
            if not bool(torch.isfinite(result)):
                raise DivergedError("the loss of the channel weights is not finite")
            torch.log(result).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            adam.step_along_grad(_RATE * cosine(step, steps))
            if (step + 1) % 50 == 0 or step == steps - 1:
                now = judge()
                if now < best * (1.0 - 1e-3):
                    best, state = now, [tensor.detach().clone() for tensor in parameters]
        with torch.no_grad():
            for tensor, kept in zip(parameters, state, strict=True):
                tensor.copy_(kept)
        return best < first, first, best
