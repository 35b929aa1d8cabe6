"""The C++ kernel as an operation of torch: the parameters stay torch's, the work is done by ``mcbridge.core``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mcbridge import core
from mcbridge.core import FlowSpec

__all__ = ["kernel_log_prob", "kernel_weighted_sum"]


def _array(tensor: Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().contiguous().numpy()


class _LogProb(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        params: Tensor,
        y: Tensor,
        context: Tensor | None,
        channel: Tensor | None,
        spec: FlowSpec,
        threads: int,
    ) -> Tensor:
        ctx.spec, ctx.threads = spec, threads
        ctx.save_for_backward(params, y, context, channel)
        _, log_q = core.log_density(spec, _array(params), _array(y), _array(context), _array(channel), threads)
        return torch.from_numpy(log_q)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        params, y, context, channel = ctx.saved_tensors
        wanted = context is not None and ctx.needs_input_grad[2]
        found = core.gradient(
            ctx.spec,
            _array(params),
            _array(y),
            _array(upstream[0]),
            _array(context),
            _array(channel),
            ctx.threads,
            context_gradient=wanted,
        )
        return torch.from_numpy(found[0]), None, torch.from_numpy(found[2]) if wanted else None, None, None, None


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        params: Tensor,
        y: Tensor,
        weights: Tensor,
        context: Tensor | None,
        channel: Tensor | None,
        spec: FlowSpec,
        threads: int,
    ) -> Tensor:
        gradient, log_q = core.gradient(
            spec, _array(params), _array(y), _array(weights), _array(context), _array(channel), threads
        )
        ctx.save_for_backward(torch.from_numpy(gradient))
        return torch.dot(weights.to(torch.float64), torch.from_numpy(log_q).to(torch.float64))

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * upstream[0].to(gradient.dtype), None, None, None, None, None, None


def kernel_log_prob(
    params: Tensor,
    spec: FlowSpec,
    y: Tensor,
    context: Tensor | None = None,
    channel: Tensor | None = None,
    threads: int = 1,
) -> Tensor:
    """Logarithm of the density (n,) by the C++ kernel, differentiable in parameters and context (not in the points).

    Arguments:
        params: (P,) or (channels, P), float32 or float64, on the CPU.
        y: (n, dim), same type.
        context: (n, context), same type; None without.
        channel: (n,) int64; None for the only channel.
        threads: threads of the kernel; the result does not depend on them.
    """
    result: Tensor = _LogProb.apply(params, y, context, channel, spec, threads)  # type: ignore[no-untyped-call]
    return result


def kernel_weighted_sum(
    params: Tensor,
    spec: FlowSpec,
    y: Tensor,
    weights: Tensor,
    context: Tensor | None = None,
    channel: Tensor | None = None,
    threads: int = 1,
) -> Tensor:
    """``sum_i weights_i log q(y_i)`` by one pass of the C++ kernel that also finds its gradient.

    Cheaper than :func:`kernel_log_prob` where the weights (n,) are known beforehand, as in the Kullback-Leibler loss.
    """
    result: Tensor = _WeightedSum.apply(params, y, weights, context, channel, spec, threads)  # type: ignore[no-untyped-call]
    return result
