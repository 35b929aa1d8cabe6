"""Training objectives, one signature for all: a batch and the logarithm of the density, a scalar back.

Points come from any density q that is kept per point. Gradients flow through ``log_g`` and, with learned channel
weights, through ``batch.target``; never through the points, q, or the integrals (physics.md, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from mcbridge.errors import UserError, nearest

__all__ = [
    "Loss",
    "LossBatch",
    "exponential",
    "find_loss",
    "forward_kl",
    "forward_kl_weights",
    "matching_kl",
    "renyi",
    "reverse_kl",
    "second_moment",
    "stratified_variance",
    "variance",
]


@dataclass
class LossBatch:
    """What a loss needs to know of n points besides their density.

    Target, density q and g may all be divided by any common function of the point.

    Attributes:
        target: (n,), ``alpha_i |f|``.
        density: (n,), q, the density that the point was drawn with in its channel.
        integrals: (channels,), ``I_i``, the integral of the target of each channel.
        channel: (n,) int64, or None for a single channel.
        shares: (channels,), ``N_i / N`` of the later integration; None for the best ones.
        sigmas: (channels,), estimates of ``sqrt(var_i)`` about which the stratified loss is expanded; None to take
            those of the batch.
    """

    target: Tensor
    density: Tensor
    integrals: Tensor
    channel: Tensor | None = None
    shares: Tensor | None = None
    sigmas: Tensor | None = None

    def own_integral(self) -> Tensor:
        """(n,) or scalar, ``I_i`` of the channel of each point."""
        return self.integrals[0] if self.channel is None else self.integrals[self.channel]

    def means(self, values: Tensor) -> Tensor:
        """(channels,), average of ``values`` (n,) over the points of each channel; 0 for a channel without points."""
        if self.channel is None:
            return values.mean()[None]
        sums = torch.zeros_like(self.integrals).index_add(0, self.channel, values)
        counts = torch.bincount(self.channel, minlength=len(self.integrals))
        return sums / counts.clamp(min=1)


Loss = Callable[[LossBatch, Tensor], Tensor]


def forward_kl_weights(batch: LossBatch) -> Tensor:
    """(n,), the factors of ``log_g`` in :func:`forward_kl`, known before the density is."""
    ratio = (batch.target / batch.density).detach()
    if batch.channel is None:
        return -ratio / ratio.sum()
    counts = torch.bincount(batch.channel, minlength=len(batch.integrals))
    scaled = ratio / counts[batch.channel]
    return -scaled / scaled.sum()


def forward_kl(batch: LossBatch, log_g: Tensor) -> Tensor:
    """Kullback-Leibler divergence up to a constant: ``- sum_i <alpha_i f/q log g>_q / sum_i <alpha_i f/q>_q``."""
    return torch.dot(forward_kl_weights(batch), log_g)


def _divergence(batch: LossBatch, values: Tensor) -> Tensor:
    return batch.means(values).sum() / batch.integrals.sum()


def matching_kl(batch: LossBatch, log_g: Tensor) -> Tensor:
    """Kullback-Leibler divergence between unnormalised densities, ``<(t log(t/(I g)) - t + I g)/q>_q``, t = alpha f.

    Equal to :func:`forward_kl` up to a constant in the limit of many points, but every term is positive and vanishes
    together with its gradient where ``I g = t``: a density that peaks at the points of the buffer is punished.
    """
    scale = torch.exp(log_g) * batch.own_integral()
    safe = torch.clamp(batch.target, min=torch.finfo(log_g.dtype).tiny)
    logarithm = torch.log(safe) - torch.log(scale)
    return _divergence(batch, (batch.target * logarithm - batch.target + scale) / batch.density)


def exponential(batch: LossBatch, log_g: Tensor) -> Tensor:
    """Exponential divergence ``<t/q log^2(t/(I g))>_q`` (arXiv:2001.05486, table 2), t = alpha f."""
    safe = torch.clamp(batch.target, min=torch.finfo(log_g.dtype).tiny)
    logarithm = torch.log(safe / batch.own_integral()) - log_g
    return _divergence(batch, batch.target / batch.density * logarithm**2)


def renyi(batch: LossBatch, log_g: Tensor, order: float = 2.0) -> Tensor:
    """Renyi divergence ``log <t^a g^(1-a)/q>_q / (a - 1)`` of order a, with t normalised (arXiv:1602.02311, eq. 1)."""
    logarithm = torch.log(batch.target / batch.own_integral()) - log_g
    ratio = batch.target / batch.density * torch.exp((order - 1.0) * logarithm)
    return torch.log(_divergence(batch, ratio)) / (order - 1.0)


def second_moment(batch: LossBatch, log_g: Tensor) -> Tensor:
    """``sum_i <(alpha_i f)^2/(g q)>_q N/N_i`` in units of I^2; for points that leave out where f vanishes."""
    moments = batch.means(batch.target**2 / (batch.density * torch.exp(log_g)))
    return _allocated(batch, moments) / batch.integrals.sum() ** 2


def _variances(batch: LossBatch, log_g: Tensor) -> Tensor:
    """(channels,), ``<(alpha_i f/g - I_i)^2 g/q>_q``, which is positive in any sample."""
    g = torch.exp(log_g)
    return batch.means((batch.target / g - batch.own_integral()) ** 2 * g / batch.density)


def _allocated(batch: LossBatch, values: Tensor) -> Tensor:
    return values.sum() if batch.shares is None else (values / batch.shares).sum()


def variance(batch: LossBatch, log_g: Tensor) -> Tensor:
    """``sum_i (N/N_i) <(alpha_i f/g - I_i)^2 g/q>_q`` in units of I^2 (arXiv:2212.06172, eq. 14, in positive form)."""
    return _allocated(batch, _variances(batch, log_g)) / batch.integrals.sum() ** 2


def stratified_variance(batch: LossBatch, log_g: Tensor) -> Tensor:
    """``(sum_i sqrt(var_i))^2`` in units of I^2 (arXiv:2311.01548, eq. 15).

    With ``batch.sigmas`` the expansion ``S sum_i var_i/sigma_i``, ``S = sum_i sigma_i``, which has the same gradient and
    is free of the bias of a root of a noisy mean.
    """
    found = _variances(batch, log_g)
    if batch.sigmas is None:
        total = torch.sqrt(found + torch.finfo(found.dtype).tiny).sum() ** 2
    else:
        total = batch.sigmas.sum() * (found / batch.sigmas).sum()
    return total / batch.integrals.sum() ** 2


def reverse_kl(batch: LossBatch, log_g: Tensor) -> Tensor:
    """``<log(g/(t/I))>_g`` for points that the flow draws and a target that is differentiable along them.

    The sign is that of physics.md, section 2: smaller is nearer to the target.
    """
    return (log_g - torch.log(batch.target / batch.own_integral())).mean()


_LOSSES: dict[str, Loss] = {
    "forward_kl": forward_kl,
    "matching_kl": matching_kl,
    "variance": variance,
    "second_moment": second_moment,
    "stratified_variance": stratified_variance,
    "exponential": exponential,
    "reverse_kl": reverse_kl,
}


def find_loss(name: str, order: float = 2.0) -> Loss:
    """The loss of a name.

    Raises:
        UserError: there is none.
    """
    if name == "renyi":
        return partial(renyi, order=order)
    if name not in _LOSSES:
        names = (*_LOSSES, "renyi")
        raise UserError(f"there is no loss '{name}'; there are {', '.join(names)}{nearest(name, names)}")
    return _LOSSES[name]
