"""Adam without what ``torch.optim.Adam`` loads and does beside it."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

import torch
from torch import Tensor
from torch.optim.adam import adam

__all__ = ["Adam", "cosine"]


def cosine(done: int, steps: int) -> float:
    """The factor of a learning rate after ``done`` of ``steps`` steps: a cosine from 1 to 0.01."""
    return 0.01 + 0.495 * (1.0 + cos(pi * min(done / steps, 1.0)))


class Adam:
    """Adam (Kingma and Ba, arXiv:1412.6980) on torch's fused kernel, called as a function.

    The class ``torch.optim.Adam`` imports the compiler when it is made, about a second of CPU time, and its default
    steps through Python and twelve passes over memory.

    Arguments:
        parameters: changed in place by :meth:`step`.
        betas: decay of the averages of the gradient and of its square.
        eps: added to the root of the latter.
    """

    def __init__(
        self, parameters: Sequence[Tensor], betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8
    ) -> None:
        self.parameters = list(parameters)
        self.betas, self.eps = betas, eps
        self._first = [torch.zeros_like(tensor, requires_grad=False) for tensor in self.parameters]
        self._second = [torch.zeros_like(tensor, requires_grad=False) for tensor in self.parameters]
        self._steps = [torch.zeros((), dtype=torch.float32) for _ in self.parameters]

    def step(self, gradients: Sequence[Tensor], rate: float) -> None:
        """One step with a learning rate, along gradients in the order of the parameters."""
        with torch.no_grad():
            adam(
                self.parameters,
                list(gradients),
                self._first,
                self._second,
                [],
                self._steps,
                fused=True,
                amsgrad=False,
                beta1=self.betas[0],
                beta2=self.betas[1],
                lr=rate,
                weight_decay=0.0,
                eps=self.eps,
                maximize=False,
            )

    def step_along_grad(self, rate: float) -> None:
        """One step along the ``grad`` of the parameters, which are cleared."""
        gradients = []
        for tensor in self.parameters:
            assert tensor.grad is not None  # backward was called
            gradients.append(tensor.grad)
            tensor.grad = None
        self.step(gradients, rate)
