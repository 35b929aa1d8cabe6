"""A flow whose parameters are random variables: independent normal distributions over the flat parameters."""

from __future__ import annotations

from math import log
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from plugin.bayesian.layers import output_mask
from plugin.flows import kernel_log_prob, kernel_weighted_sum

__all__ = ["BayesianFlow", "Scope", "check_weights"]

Scope = Literal["all", "output"]
Floats = npt.NDArray[np.float32]


def check_weights(weight: npt.ArrayLike | Tensor) -> None:
    """UserError where event weights (n,) cannot enter a likelihood: a sign, no number, or nothing but zeros."""
    values = np.asarray(weight)
    negative = int(np.sum(values < 0.0))
    if negative:
        raise UserError(
            f"{negative} of {values.size} event weights are negative; a Bayesian flow learns a probability density and"
            " takes weights of one sign only"
        )
    if not np.all(np.isfinite(values)):
        raise UserError(f"{int(np.sum(~np.isfinite(values)))} of {values.size} event weights are not finite numbers")
    if not np.any(values > 0.0):
        raise UserError(f"all {values.size} event weights are zero; there is nothing to learn from")


class BayesianFlow(nn.Module):
    """Mean-field posterior ``q(theta) = prod N(mu, sigma^2)`` over the parameters of a coupling flow.

    References:
        BINN, arXiv:2104.04543, eqs. 5 to 8; physics.md, section 5.

    Arguments:
        spec: the architecture.
        parameters: (channels, spec.parameters), where the means start: a trained flow.
        prior_width: standard deviation of the prior N(0, prior_width^2) of every parameter.
        initial_sigma: where the widths start; a number, or an array (channels, spec.parameters).
        scope: ``"all"`` parameters are random, or those of the ``"output"`` layers of all conditioners only.
        threads: threads of the kernel.

    Attributes:
        mean: (channels, spec.parameters).
        log_sigma: (channels, spec.parameters); without meaning where ``random`` is 0.
        random: (spec.parameters,), 1 for a random parameter, 0 for one that has a value only.

    Raises:
        UserError: an argument is out of range.
    """

    random: Tensor

    def __init__(
        self,
        spec: FlowSpec,
        parameters: npt.ArrayLike,
        prior_width: float = 1.0,
        initial_sigma: float | npt.ArrayLike = 1e-3,
        scope: Scope = "all",
        threads: int = 1,
    ) -> None:
        super().__init__()
        start = np.array(parameters, dtype=np.float32)
        if start.ndim != 2 or start.shape[1] != spec.parameters:
            raise UserError(f"parameters have the shape {start.shape}; it must be (channels, {spec.parameters})")
        if not (np.isfinite(prior_width) and prior_width > 0.0):
            raise UserError(f"prior_width is {prior_width}; it must be a positive number")
        if scope not in ("all", "output"):
            raise UserError(f"scope is {scope!r}; it must be 'all' or 'output'")
        sigma = np.broadcast_to(np.asarray(initial_sigma, dtype=np.float32), start.shape)
        if not (np.all(np.isfinite(sigma)) and np.all(sigma > 0.0)):
            raise UserError("initial_sigma must consist of positive numbers")
        self.spec = spec
        self.scope = scope
        self.prior_width = float(prior_width)
        self.threads = threads
        self.mean = nn.Parameter(torch.from_numpy(start))
        self.log_sigma = nn.Parameter(torch.from_numpy(np.log(sigma)))
        mask = np.ones(spec.parameters) if scope == "all" else output_mask(spec)
        self.register_buffer("random", torch.from_numpy(mask.astype(np.float32)))

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.mean.shape[0])

    @property
    def sigma(self) -> Tensor:
        """(channels, spec.parameters), standard deviations; 0 for parameters that are not random."""
        return torch.exp(self.log_sigma) * self.random

    def draw(self, noise: Tensor) -> Tensor:
        """Parameters (draws, channels, P) from standard normal numbers of this shape: ``mu + sigma noise``."""
        return self.mean + self.sigma * noise

    def kl(self) -> Tensor:
        """(channels,), ``KL[q, p]`` summed over the random parameters (arXiv:2104.04543, eq. 8).

        Of a parameter: ``(sigma_q^2 - sigma_p^2 + mu_q^2) / (2 sigma_p^2) + log(sigma_p/sigma_q)``.
        """
        width = self.prior_width**2
        spread = (torch.exp(2.0 * self.log_sigma) - width + self.mean**2) / (2.0 * width)
        terms = spread + log(self.prior_width) - self.log_sigma
        return torch.sum(terms.to(torch.float64) * self.random, dim=1)

    def loss(
        self,
        y: Tensor,
        weight: Tensor,
        n_train: Tensor,
        noise: Tensor,
        context: Tensor | None = None,
        channel: Tensor | None = None,
    ) -> Tensor:
        """Negative ELBO per event, summed over channels: ``- <w log p(y|theta)>/<w> + KL/N_train``.

        Each of the weight draws sees its own part of the events (every draws-th one): all of them are one call of
        the kernel, to which draws and channels are sets of parameters of one architecture.

        Arguments:
            y: (n, dim), points of the flow; order of no meaning.
            weight: (n,), not negative; their scale drops out.
            n_train: (channels,), number of training events, for weighted ones ``(sum w)^2 / sum w^2``.
            noise: (draws, channels, P), standard normal.
            context: (n, context), conditions of the flow.
            channel: (n,), int64; the first channel if None.

        Raises:
            UserError: a weight is negative or not finite, or all are zero.
        """
        check_weights(weight.detach().numpy())
        sets, index = self._sets(noise, len(y), channel)
        number = torch.zeros(len(y), dtype=torch.int64) if channel is None else channel
        total = torch.zeros(self.channels, dtype=weight.dtype).index_add(0, number, weight)
        share = weight / total[number]
        likelihood = kernel_weighted_sum(sets, self.spec, y, share, context, index, self.threads)
        return torch.sum(self.kl() / n_train) - likelihood

    def log_prob(
        self, y: Tensor, noise: Tensor, context: Tensor | None = None, channel: Tensor | None = None
    ) -> Tensor:
        """(n,), logarithm of the density of every point under one of the draws (point i under draw i modulo draws)."""
        sets, index = self._sets(noise, len(y), channel)
        return kernel_log_prob(sets, self.spec, y, context, index, self.threads)

    def _sets(self, noise: Tensor, n: int, channel: Tensor | None) -> tuple[Tensor, Tensor]:
        draws = len(noise)
        part = torch.arange(n, dtype=torch.int64) % draws * self.channels
        index = part if channel is None else part + channel
        return self.draw(noise).reshape(draws * self.channels, -1), index

    def replicas(self, number: int, generator: np.random.Generator, scale: float = 1.0) -> Floats:
        """Parameters (number, channels, P) drawn from the posterior.

        Arguments:
            number: of replicas.
            generator: of random numbers.
            scale: factor for all standard deviations (:mod:`plugin.bayesian.temper`).

        Raises:
            UserError: number is below 2, from which no spread can be taken.
        """
        if number < 2:
            raise UserError(f"the number of replicas is {number}; it must be at least 2")
        noise = generator.standard_normal((number, *self.mean.shape), dtype=np.float32) * np.float32(scale)
        with torch.no_grad():
            return self.draw(torch.from_numpy(noise)).numpy()
