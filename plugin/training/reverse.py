"""Training by the reverse KL divergence, for integrands that torch can differentiate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands.protocol import Array, Integrand
from plugin.training.buffer import Buffer, Space
from plugin.training.losses import reverse_kl
from plugin.training.optimise import Best, Optimiser, held_out_moments

__all__ = ["Differentiable", "differentiable", "run_reverse_stage"]

Differentiable = Callable[[Tensor], Tensor]


def differentiable(integrand: Integrand, space: Space) -> Differentiable:
    """The method ``tensor(u)`` of an integrand: weights (n,) of points ``u`` (n, dim) that torch can differentiate.

    Raises:
        UserError: there is none, or the integrand has several channels or discrete coordinates.
    """
    inner: Any = getattr(integrand, "integrand", integrand)  # a meter in between
    found: Differentiable | None = getattr(inner, "tensor", None)
    if found is None:
        raise UserError(
            f"loss 'reverse_kl' needs an integrand with a method tensor(u) that torch can differentiate; "
            f"{inner.name} has none"
        )
    if space.channels > 1 or space.columns:
        raise UserError("loss 'reverse_kl' is for integrands of one channel without discrete coordinates")
    return found


class _Grid:
    """The VEGAS map of a channel in torch: piecewise linear, so that gradients pass."""

    def __init__(self, space: Space) -> None:
        grid = space.sampler.channels[0].grid
        assert grid is not None
        self.knots = [torch.from_numpy(np.ascontiguousarray(knots, dtype=np.float64)) for knots in grid]

    def __call__(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Points u (n, dim) and the logarithm of du/dy (n,)."""
        columns, log_jacobian = [], torch.zeros(len(y), dtype=torch.float64)
        for axis, knots in enumerate(self.knots):
            size = len(knots) - 1
            place = y[:, axis].double() * size
            bin_index = place.detach().long().clamp(0, size - 1)
            width = (knots[1:] - knots[:-1])[bin_index]
            columns.append(knots[bin_index] + (place - bin_index) * width)
            log_jacobian = log_jacobian + torch.log(width * size)
        return torch.stack(columns, dim=1), log_jacobian


def run_reverse_stage(
    optimiser: Optimiser,
    buffer: Buffer,
    tables: list[Array],
    target: Differentiable,
    evaluations: int,
    batch: int,
    check_every: int,
    eps: float,
    best: Best,
    generator: np.random.Generator,
    look: Callable[[float, Array, int], None],
) -> None:
    """Optimise ``KL(g, f/I)`` with new points of the flow in every step, until the evaluations are used up.

    Arguments:
        target: see :func:`differentiable`.
        look: called after every look at the held-out points with the mean loss, their second moments, and the
            evaluations so far.

    Raises:
        AmplitudeError: the integrand breaks the chain of gradients.
        DivergedError: a number was not finite.
    """
    flow, grid = optimiser.flow, _Grid(buffer.space)
    used, losses = 0, []
    while used < evaluations:
        n = min(batch, evaluations - used)
        y, log_q = flow.sample(n, generator)
        u, log_jacobian = grid(y)
        value = target(u)
        if value.shape != (n,) or not value.requires_grad:
            raise AmplitudeError(
                f"tensor(u) of the integrand returned a tensor of shape {tuple(value.shape)} for {n} points"
                f"{'' if value.requires_grad else ' without a gradient'}; it must return (n,) weights made by torch"
            )
        used += n
        log_ratio = log_q.double() - log_jacobian - torch.log(value.abs().clamp(min=1e-300))
        result = reverse_kl(log_ratio, torch.ones_like(log_ratio))
        (gradient,) = torch.autograd.grad(result, flow.parameters_flat)
        losses.append(float(result.detach()))
        optimiser.apply(gradient, losses[-1])
        if len(losses) == check_every or used >= evaluations:
            moments = held_out_moments(buffer, flow, optimiser.average, tables, eps)
            best.offer(optimiser.average, moments)
            look(float(np.mean(losses)), moments, used)
            losses = []
