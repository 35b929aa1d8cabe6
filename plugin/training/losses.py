"""Losses of a density, as plain functions with one signature.

``loss(log_ratio, weight)`` of points drawn with any density q: ``log_ratio`` (n,) is ``log g_theta(u)/p(u)``, the only
thing gradients flow through, with p = alpha_i f / I_i the density it should become; ``weight`` (n,) is ``p/q``, which
need not be normalised. All are averages over p, so that points resampled in proportion to p/q enter with weight 1.
Formulas: physics.md, section 2; arXiv:2212.06172, arXiv:2311.01548.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mcbridge.errors import UserError, nearest

__all__ = [
    "SLOPES",
    "Loss",
    "exponential",
    "forward_kl",
    "generalised_kl",
    "loss_by_name",
    "renyi",
    "reverse_kl",
    "second_moment",
    "stratified",
    "stratified_variance",
    "third_moment",
    "variance",
]

Loss = Callable[[Tensor, Tensor], Tensor]


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    return torch.sum(weight * values) / torch.sum(weight)


def forward_kl(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """``KL(p, g) = - <(p/q) log g/p>_q / <p/q>_q``: covers all modes."""
    return -_mean(log_ratio, weight)


def variance(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """Variance of the weights ``p/g`` of points from g: ``<(p/g - 1)^2 g/q>_q``, positive in any sample."""
    return _mean(torch.expm1(-log_ratio) ** 2 * torch.exp(log_ratio), weight)


def second_moment(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """``<p/g>_p``, the second moment of the weights ``p/g``; its gradient is that of :func:`variance` if p is exact."""
    return _mean(torch.exp(-log_ratio), weight)


def third_moment(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """``<(p/g)^2>_p``, the third moment of the weights ``p/g``: the largest weights count most."""
    return _mean(torch.exp(-2.0 * log_ratio), weight)


def stratified_variance(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """Standard deviation of the weights, the term of one channel in ``(sum_i I_i sigma_i)^2``.

    :func:`stratified` adds up the channels; with one channel its square is :func:`variance`.
    """
    return torch.sqrt(variance(log_ratio, weight) + 1e-12)


def stratified(loss: Loss, channel: Tensor, integrals: Tensor) -> Loss:
    """``(sum_i I_i L_i)^2 / (sum_i I_i)^2`` with the loss ``L_i`` of each channel's own points.

    Reference: arXiv:2311.01548, eq. 15.

    Arguments:
        loss: of one channel, such as :func:`stratified_variance`.
        channel: (n,) int64, channel of each point of the batch.
        integrals: (channels,), ``I_i``; channels without points in the batch are left out.
    """
    places = [(integrals[int(index)], torch.nonzero(channel == index)[:, 0]) for index in torch.unique(channel)]
    total = sum(float(integral) for integral, _ in places)

    def over_channels(log_ratio: Tensor, weight: Tensor) -> Tensor:
        parts = [integral / total * loss(log_ratio[own], weight[own]) for integral, own in places]
        return torch.stack(parts).sum() ** 2

    return over_channels


def reverse_kl(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """``KL(g, p) = <log g/p>_g`` for points from g itself, through which gradients flow; ``weight`` is 1 there.

    Only for a differentiable integrand. The sign is that of the definition (the proceedings print the opposite).
    """
    return _mean(log_ratio, weight)


def generalised_kl(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """``<log p/g - 1 + g/p>_p``: the KL divergence of densities that need not be normalised (Csiszar 1991).

    Its gradient ``<(g/p - 1) grad log g>_p`` has no noise where ``g = p``, as that of :func:`variance`, and it covers
    all modes, as :func:`forward_kl` does.
    """
    return _mean(torch.exp(log_ratio) - 1.0 - log_ratio, weight)


def renyi(log_ratio: Tensor, weight: Tensor, order: float = 2.0) -> Tensor:
    """Renyi divergence ``log <(p/g)^(order - 1)>_p / (order - 1)``; order 2 is the logarithm of E[f^2/g]."""
    power = (1.0 - order) * log_ratio + torch.log(weight)
    return (torch.logsumexp(power, 0) - torch.log(torch.sum(weight))) / (order - 1.0)


def exponential(log_ratio: Tensor, weight: Tensor) -> Tensor:
    """Exponential divergence ``<log^2 (g/p)>_p``."""
    return _mean(log_ratio**2, weight)


Values = npt.NDArray[np.float64]

SLOPES: dict[str, Callable[[Values], tuple[Values, Values]]] = {
    "forward_kl": lambda x: (-x, np.full_like(x, -1.0)),
    "generalised_kl": lambda x: ((ratio := np.exp(x)) - 1.0 - x, ratio - 1.0),
    "variance": lambda x: (np.expm1(-x) ** 2 * (ratio := np.exp(x)), ratio - np.exp(-x)),
    "second_moment": lambda x: ((weight := np.exp(-x)), -weight),
    "third_moment": lambda x: ((weight := np.exp(-2.0 * x)), -2.0 * weight),
    "exponential": lambda x: (x**2, 2.0 * x),
}
"""Losses that are means over the points: each point's term and its derivative by ``log_ratio`` (n,), for numpy.

An optimisation step takes hardly longer than the kernel with them; torch's autograd doubles it.
"""


_LOSSES: dict[str, Loss] = {
    function.__name__: function
    for function in (
        forward_kl,
        generalised_kl,
        variance,
        second_moment,
        third_moment,
        stratified_variance,
        reverse_kl,
        renyi,
        exponential,
    )
}


def loss_by_name(name: str) -> Loss:
    """The loss of a name.

    Raises:
        UserError: there is none of that name.
    """
    if name not in _LOSSES:
        raise UserError(f"loss is '{name}'; it must be one of {', '.join(_LOSSES)}{nearest(name, list(_LOSSES))}")
    return _LOSSES[name]
