"""The coupling flow as a torch module: reference of the C++ kernel, and the path for GPUs."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from plugin.flows.initialise import identity_parameters
from plugin.flows.kernel import kernel_log_prob
from plugin.flows.spline import affine_forward, affine_inverse, rqs_forward, rqs_inverse

__all__ = ["Flow"]

_LEAK = 0.01


class Flow(nn.Module):
    """Coupling flow on the unit hypercube with one set of parameters for each channel.

    References:
        Neural Spline Flows, arXiv:1906.04032; the log2 permutation scheme, i-flow, arXiv:2001.05486.

    Arguments:
        spec: the architecture.
        channels: number of channels.
        generator: draws the hidden layers; the flow starts as the identity. Seed 0 if None.
        dtype: float32 or float64.
        kernel: ``"auto"``: the C++ kernel for densities on the CPU; ``"off"``: torch alone.
        threads: threads of the kernel.

    Attributes:
        parameters_flat: (channels, spec.parameters), in the layout of :mod:`mcbridge.core`: for each block, for each
            linear layer, the weight (out, in) by rows, then the bias.
    """

    def __init__(
        self,
        spec: FlowSpec,
        channels: int = 1,
        generator: np.random.Generator | None = None,
        dtype: torch.dtype = torch.float32,
        kernel: Literal["auto", "off"] = "auto",
        threads: int = 1,
    ) -> None:
        super().__init__()
        if channels < 1:
            raise UserError(f"channels of the flow is {channels}; it must be at least 1")
        if kernel not in ("auto", "off"):
            raise UserError(f"kernel of the flow is {kernel!r}; it must be 'auto' or 'off'")
        self.spec = spec
        self.channels = channels
        self.kernel = kernel
        self.threads = threads
        start = identity_parameters(spec, channels, np.random.default_rng(0) if generator is None else generator)
        self.parameters_flat = nn.Parameter(torch.from_numpy(start).to(dtype))

    def uses_kernel(self) -> bool:
        """Whether densities are left to the C++ kernel."""
        return self.kernel == "auto" and self.parameters_flat.device.type == "cpu"

    def log_prob(self, y: Tensor, context: Tensor | None = None, channel: Tensor | None = None) -> Tensor:
        """Logarithm of the density (n,) of points ``y`` (n, dim); by the kernel where it can.

        Arguments:
            context: (n, context) conditional inputs.
            channel: (n,) int64, channel of each point; the first one if None.
        """
        if self.uses_kernel() and not y.requires_grad:
            return kernel_log_prob(self.parameters_flat, self.spec, y, context, channel, self.threads)
        return self.inverse(y, context, channel)[1]

    def inverse(self, y: Tensor, context: Tensor | None = None, channel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Density direction in torch: latent points z (n, dim) and the logarithm of the density (n,) at ``y``."""
        return self._by_channel(y, context, channel, sampling=False)

    def forward(self, z: Tensor, context: Tensor | None = None, channel: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Sampling direction in torch: points y (n, dim) of latent ``z``, and the logarithm of their density (n,)."""
        return self._by_channel(z, context, channel, sampling=True)

    def sample(
        self, n: int, generator: np.random.Generator, context: Tensor | None = None, channel: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw ``n`` points; see :meth:`forward`."""
        parameters = self.parameters_flat
        z = torch.from_numpy(generator.random((n, self.spec.dim))).to(parameters)
        return self.forward(z, context, channel)

    def _by_channel(
        self, points: Tensor, context: Tensor | None, channel: Tensor | None, sampling: bool
    ) -> tuple[Tensor, Tensor]:
        if points.ndim != 2 or points.shape[1] != self.spec.dim:
            raise UserError(f"points of the flow have shape {tuple(points.shape)}; it must be (n, {self.spec.dim})")
        width = 0 if context is None else context.shape[1]
        if width != self.spec.context:
            raise UserError(f"context of the flow has {width} columns; it must have {self.spec.context}")
        if channel is None:
            return self._blocks(points, context, self.parameters_flat[0], sampling)
        moved, log_q = torch.empty_like(points), torch.empty_like(points[:, 0])
        for index in torch.unique(channel).tolist():
            mine = torch.nonzero(channel == index)[:, 0]
            own = None if context is None else context[mine]
            found, density = self._blocks(points[mine], own, self.parameters_flat[index], sampling)
            moved = moved.index_copy(0, mine, found)
            log_q = log_q.index_copy(0, mine, density)
        return moved, log_q

    def _blocks(self, points: Tensor, context: Tensor | None, params: Tensor, sampling: bool) -> tuple[Tensor, Tensor]:
        spec = self.spec
        own = torch.split(params, [spec.block_parameters(block) for block in range(spec.count)])
        log_q = torch.zeros_like(points[:, 0])
        order = range(spec.count - 1, -1, -1) if sampling else range(spec.count)
        for block in order:
            points, slope = self._block(block, points, context, own[block], sampling)
            log_q = log_q + slope
        return points, log_q

    def _block(
        self, block: int, points: Tensor, context: Tensor | None, params: Tensor, sampling: bool
    ) -> tuple[Tensor, Tensor]:
        spec = self.spec
        moved = [coordinate for coordinate, moves in enumerate(spec.masks[block]) if moves]
        raw = self._conditioner(block, points, context, params)
        raw = raw.reshape(len(points), len(moved), spec.outputs_per_coordinate)
        x = points[:, moved]
        if spec.kind == "affine":
            value, slope = (affine_inverse if sampling else affine_forward)(x, raw)
        else:
            circle = torch.tensor([coordinate in spec.periodic for coordinate in moved], device=points.device)
            turn = circle if (block // 2) % 2 else torch.zeros_like(circle)
            x = _half_turn(x, turn)
            spline = rqs_inverse if sampling else rqs_forward
            value, slope = spline(x, raw, spec.bins, spec.min_bin, spec.min_derivative, circle)
            value = _half_turn(value, turn)
        target = torch.tensor(moved, device=points.device)
        return points.index_copy(1, target, value), slope.sum(dim=1)

    def _conditioner(self, block: int, points: Tensor, context: Tensor | None, params: Tensor) -> Tensor:
        spec = self.spec
        seen: list[Tensor] = []
        for coordinate, moves in enumerate(spec.masks[block]):
            if moves:
                continue
            y = points[:, coordinate]
            if coordinate in spec.periodic:
                seen += [torch.cos(2.0 * torch.pi * y), torch.sin(2.0 * torch.pi * y)]
            else:
                seen.append(2.0 * y - 1.0)
        values = torch.stack(seen, dim=1) if seen else points[:, :0]
        if context is not None:
            values = torch.cat((values, context), dim=1)
        widths = spec.widths(block)
        start = 0
        for layer, (into, out) in enumerate(itertools.pairwise(widths)):
            weight = params[start : start + out * into].reshape(out, into)
            bias = params[start + out * into : start + out * (into + 1)]
            start += out * (into + 1)
            values = functional.linear(values, weight, bias)
            if layer < spec.layers - 1:
                values = functional.leaky_relu(values, _LEAK)
        return values


def _half_turn(x: Tensor, turn: Tensor) -> Tensor:
    shifted = x + 0.5
    return torch.where(turn, shifted - torch.floor(shifted), x)
