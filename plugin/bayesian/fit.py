"""The fit of a Bayesian flow: means first where there is no trained flow, then the ELBO."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from mcbridge.core import FlowSpec
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from plugin.bayesian.events import Events
from plugin.bayesian.posterior import BayesianFlow, Floats, Scope
from plugin.flows.threads import torch_threads
from plugin.training.adam import Adam, cosine
from plugin.training.optimise import DivergedError

__all__ = ["BayesianConfig", "FitResult", "fit"]

_WARM_UP = 50


@dataclass(frozen=True)
class BayesianConfig:
    """Settings of :func:`fit`.

    Attributes:
        prior_width: standard deviation of the prior of every parameter.
        scope: ``"all"`` parameters are random, or those of the ``"output"`` layers only.
        initial_sigma: where all widths start. They grow from there: wide ones would drown a trained flow in noise
            before the first gradients arrive.
        steps: optimisation steps of the ELBO.
        mean_steps: steps before them with means alone, for a flow that is not trained yet.
        draws: weight draws a step, each on its own part of the batch.
        batch: events of a step and channel.
        learning_rate: largest of the means.
        mean_learning_rate: largest in the steps with means alone.
        sigma_learning_rate: largest of the logarithms of the widths.
        clip: largest norm of the gradient of the means of a channel.
        temperature: factor on the KL divergence from the prior; below 1 the posterior is narrower, as if there were
            more events (a cold posterior).
        threads: of the kernel.

    Raises:
        UserError: a value is out of range.
    """

    prior_width: float = 1.0
    scope: Scope = "all"
    initial_sigma: float = 1e-3
    steps: int = 2000
    mean_steps: int = 0
    draws: int = 8
    batch: int = 1024
    learning_rate: float = 1e-3
    mean_learning_rate: float = 3e-3
    sigma_learning_rate: float = 5e-2
    clip: float = 2.0
    temperature: float = 1.0
    threads: int = 1

    def __post_init__(self) -> None:
        for name, low in (("steps", 0), ("mean_steps", 0), ("draws", 1), ("batch", 1), ("threads", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise UserError(f"{name} is {value!r}; it must be a whole number of at least {low}")
        if self.batch < self.draws:
            raise UserError(f"batch is {self.batch}; it must be at least the number of draws, {self.draws}")
        for name in (
            "prior_width",
            "initial_sigma",
            "learning_rate",
            "mean_learning_rate",
            "sigma_learning_rate",
            "clip",
            "temperature",
        ):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0.0):
                raise UserError(f"{name} is {value!r}; it must be a positive number")


def default_steps(events: int) -> int:
    """Steps from a trained flow on, for a number of events."""
    return min(1500, 300 + events // 200)


@dataclass
class FitResult:
    """What a fit leaves behind.

    Attributes:
        flow: the posterior.
        n_eff: (channels,), effective number of training events.
        history: negative ELBO per event, averaged over every tenth of the steps.
    """

    flow: BayesianFlow
    n_eff: Array
    history: list[float] = field(default_factory=list)


def fit(
    spec: FlowSpec,
    parameters: Floats,
    events: Events,
    config: BayesianConfig,
    generator: np.random.Generator,
    on_progress: Callable[[int, int], None] | None = None,
) -> FitResult:
    """Fit the posterior to events; the same arguments give the same result.

    Arguments:
        spec, parameters: the flow to start from, parameters of shape (channels, P): a trained one, or the identity
            with ``mean_steps`` above 0.
        events: what is learned; batches are drawn in proportion to their weights.
        config: settings.
        generator: batches and weight draws.
        on_progress: called with steps done and planned.

    Raises:
        UserError: settings or shapes do not fit.
        DivergedError: the ELBO was not finite.
    """
    with torch_threads(1):
        return _Fit(spec, parameters, events, config, generator, on_progress).run()


class _Fit:
    def __init__(
        self,
        spec: FlowSpec,
        parameters: Floats,
        events: Events,
        config: BayesianConfig,
        generator: np.random.Generator,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self.events, self.config, self.generator, self.on_progress = events, config, generator, on_progress
        self.flow = BayesianFlow(
            spec, parameters, config.prior_width, config.initial_sigma, config.scope, config.threads
        )
        if self.flow.channels != events.channels:
            raise UserError(
                f"parameters are for {self.flow.channels} channels; the events have {events.channels} channels"
            )
        self.n_train = torch.from_numpy(events.n_eff / config.temperature)
        self.done = 0

    def run(self) -> FitResult:
        config, flow = self.config, self.flow
        if config.mean_steps:
            self._stage(config.mean_steps, config.mean_learning_rate, None)
        result = FitResult(flow, self.events.n_eff)
        if config.steps:
            result.history = self._stage(config.steps, config.learning_rate, config.sigma_learning_rate)
        return result

    def _stage(self, steps: int, rate: float, sigma_rate: float | None) -> list[float]:
        """Adam with warm-up and cosine schedule; the widths stand still where ``sigma_rate`` is None."""
        flow, config, events = self.flow, self.config, self.events
        groups = [(Adam([flow.mean], betas=(0.9, 0.99)), rate)]
        draws = 1
        if sigma_rate is not None:
            groups.append((Adam([flow.log_sigma], betas=(0.9, 0.99)), sigma_rate))
            draws = config.draws
        history: list[float] = []
        tenth = max(1, steps // 10)
        total, planned = 0.0, self.config.steps + self.config.mean_steps
        many = flow.channels > 1
        weight = torch.ones(config.batch * len(events.live))
        for step in range(steps):
            rows = events.draw(config.batch, self.generator)
            noise = self.generator.standard_normal((draws, *flow.mean.shape), dtype=np.float32)
            loss = flow.loss(
                torch.from_numpy(events.y[rows]),
                weight,
                self.n_train,
                torch.from_numpy(noise if sigma_rate is not None else 0.0 * noise),
                None if events.context is None else torch.from_numpy(events.context[rows]),
                torch.from_numpy(events.channel[rows]) if many else None,
            )
            flow.mean.grad = flow.log_sigma.grad = None
            loss.backward()  # type: ignore[no-untyped-call]
            if not bool(torch.isfinite(loss)):
                raise DivergedError(f"the ELBO of the Bayesian flow was {float(loss):.3g} in step {self.done + 1}")
            self._clip()
            scale = min(1.0, (step + 1) / min(_WARM_UP, steps)) * cosine(step, steps)
            for adam, peak in groups:
                adam.step_along_grad(peak * scale)
            self.done += 1
            total += float(loss.detach())
            if (step + 1) % tenth == 0:
                history.append(total / tenth)
                total = 0.0
                if self.on_progress is not None:
                    self.on_progress(self.done, planned)
        return history

    def _clip(self) -> None:
        gradient = self.flow.mean.grad
        assert gradient is not None  # the likelihood depends on all means
        norm = gradient.norm(dim=1, keepdim=True)
        gradient.mul_(torch.clamp(self.config.clip / (norm + 1e-12), max=1.0))
