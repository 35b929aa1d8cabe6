"""The training of the flows of all channels: buffer, rounds of new points, fine-tuning, choice of the mixture."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from math import nan
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, Integrand
from mcbridge.integration import Guard, Samples, allocate, split
from mcbridge.random import Streams
from mcbridge.samplers import ChannelWeights, Sampler
from mcbridge.samplers.smooth import smooth_sampler
from plugin.flows import Flow
from plugin.flows.threads import torch_threads
from plugin.training.buffer import Buffer, FrozenFlow, Space
from plugin.training.channel_weights import ChannelWeightTrainer
from plugin.training.checkpoint import Checkpoint, save_checkpoint
from plugin.training.config import TrainingConfig
from plugin.training.cost import flow_spec
from plugin.training.losses import Loss, loss_by_name
from plugin.training.measures import Moments
from plugin.training.mixture import choose_eps, learned_tables, tuned_tables
from plugin.training.optimise import Best, DivergedError, Optimiser, held_out_moments, parameters_of, run_stage
from plugin.training.request import Request
from plugin.training.result import TrainingResult, TrainingStatus
from plugin.training.reverse import Differentiable, differentiable, run_reverse_stage

__all__ = ["train"]

log = logging.getLogger("plugin.training")

_FAR = 10  # rounds where that is needed
_SHARES = {
    0: (1.0,),
    1: (0.4, 0.6),
    2: (0.2, 0.25, 0.55),
    3: (0.15, 0.15, 0.2, 0.5),
}  # of the steps, before, between and after new points


def train(
    integrand: Integrand,
    sampler: Sampler,
    samples: Samples,
    config: TrainingConfig | None,
    streams: Streams,
    evaluations: int,
    guard: Guard | None = None,
    on_progress: Callable[[TrainingStatus], None] | None = None,
) -> TrainingResult:
    """Train a flow for every channel on top of its VEGAS map.

    The flow sits on smooth maps fitted to the survey's points. Forward KL on these points; then, in rounds, new points
    from the flow as it is, which join the buffer by the balance heuristic; then the variance of the defensive mixture.
    What is kept is the averaged state with the least second moment on points that were never trained on.

    Arguments:
        integrand: what the survey was made for; trained on its absolute value.
        sampler: VEGAS maps of the survey.
        samples: the survey's points.
        config: settings; the defaults if None.
        streams: random numbers; the same seed gives the same sampler.
        evaluations: of the integrand, used up exactly; 0 to train on the survey's points alone.
        guard: what is tolerated of the integrand.
        on_progress: called at every look at the held-out points.

    Returns:
        the defensive mixture of flow and VEGAS, or the VEGAS sampler with ``diverged`` and a reason where the
        training failed.

    Raises:
        UserError: an argument does not fit.
        AmplitudeError: where the integrand fails.
    """
    config = TrainingConfig() if config is None else config
    start = time.process_time()
    evaluations = int(evaluations)
    if evaluations < 0:
        raise UserError(f"evaluations is {evaluations}; it must not be negative")
    if not len(samples):
        raise UserError("samples is empty; a training starts from the points of a survey")
    if samples.dim != sampler.dim or sampler.dim != integrand.dim:
        raise UserError(
            f"integrand, sampler and samples have {integrand.dim}, {sampler.dim} and {samples.dim} dimensions;"
            " they must have the same"
        )
    training = _Training(integrand, sampler, samples, config, streams, evaluations, guard or Guard(), on_progress)
    with torch_threads(1 if config.kernel else config.threads):
        result = training.run()
    result.cpu_seconds = time.process_time() - start
    return result


class _Training:
    """The state of one training."""

    def __init__(
        self,
        integrand: Integrand,
        sampler: Sampler,
        samples: Samples,
        config: TrainingConfig,
        streams: Streams,
        evaluations: int,
        guard: Guard,
        on_progress: Callable[[TrainingStatus], None] | None,
    ) -> None:
        self.integrand, self.vegas, self.survey = integrand, sampler, samples
        self.base = smooth_sampler(sampler, samples, config.knots) if config.knots else sampler
        self.streams, self.evaluations, self.guard = streams, evaluations, guard
        self.on_progress = on_progress
        self.space = Space(self.base, integrand.periodic)
        points = (len(samples) + evaluations) // max(1, self.space.channels)
        self.config = config.resolved(self.space.dim, points)
        self.buffer = Buffer(self.space, config.held_out, config.threads)
        self.tables = [table.copy() for table in self.space.tables]
        self.weights: ChannelWeights | None = None
        self.trainer: ChannelWeightTrainer | None = None
        self.history: list[TrainingStatus] = []
        self.spent = self.done = self.planned = 0
        self.best_rsd = np.inf
        self.far = False
        self.asked: Request | None = None

    def run(self) -> TrainingResult:
        """All stages."""
        self.buffer.add(self.survey, None, self.streams.generator("training held out"))
        if not self.space.dim:
            return self._vegas("the integrand has no continuous coordinate for a flow")
        if not np.any(self.buffer.target):
            return self._vegas("all points of the survey have weight 0")
        if not np.any(self.buffer.target[self.buffer.held]) or np.all(self.buffer.held):
            return self._vegas("too few points of the survey have a weight other than 0")
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                return self._optimise()
        except DivergedError as failure:
            if self.asked is not None:  # paid for already
                asked, self.asked = self.asked, None
                self._take(asked)
            return self._vegas(str(failure))

    def _vegas(self, reason: str) -> TrainingResult:
        samples = self.buffer.samples()
        return TrainingResult(self.vegas, samples, self.history, self.done, self.spent, diverged=True, reason=reason)

    def _optimise(self) -> TrainingResult:
        config, space = self.config, self.space
        assert config.steps is not None
        assert config.fine_tuning_steps is not None
        assert config.rounds is not None
        spec = flow_spec(space.dim, config, space.columns, space.periodic)
        flow = Flow(
            spec,
            space.channels,
            self.streams.generator("flow parameters"),
            kernel="auto" if config.kernel else "off",
            threads=config.threads,
        )
        reverse = differentiable(self.integrand, space) if config.loss == "reverse_kl" else None
        rounds = config.rounds if self.evaluations and reverse is None else 0
        # By the reverse KL the flow learns from no stored point: nothing is to be flattened there.
        least = config.least if reverse is None else 0.0
        beta = self.buffer.flatten(least)
        if rounds and np.any(beta < 1.0):  # far from the target: approach it step by step
            rounds = max(rounds, _FAR)
        shares = _SHARES.get(rounds) or (1.0 / (rounds + 1),) * (rounds + 1)
        self.planned = config.steps + config.fine_tuning_steps
        loss = loss_by_name(config.loss)
        optimiser = Optimiser(flow, config.learning_rate, config.steps, config.clip, config.averaging)
        best = Best(parameters_of(flow), np.full(space.channels, np.inf))
        generator = self.streams.generator("training batches")
        counts = split(self.evaluations, np.ones(rounds)) if rounds else np.zeros(0, dtype=np.int64)
        planned = 0
        for index in range(len(shares)):
            if index:
                self._learn_channel_weights(flow, best, config.training_eps)
                if self.asked is None:
                    self.asked = self._ask(flow, best, index, int(counts[index - 1]))
                asked, self.asked = self.asked, None
                self._take(asked)
                beta = self.buffer.flatten(least)
            if np.any(beta < 1.0):
                log.info("round %d: the target is flattened, exponents %s", index, np.array2string(beta, precision=3))
            self.tables = learned_tables(self.buffer, self.tables)
            self.far = bool(np.any(beta < 1.0))
            best.moments = held_out_moments(self.buffer, flow, best.parameters, self.tables, self._eps, self.far)
            self.best_rsd = np.inf
            planned = round(sum(shares[: index + 1]) * config.steps)
            if reverse is not None:
                self._reverse_stage(optimiser, reverse, best, generator)
                continue
            steps = planned - optimiser.done
            ahead = round(config.ahead * steps) if index < len(shares) - 1 else 0
            early = self._stage("density", optimiser, loss, steps - ahead, best, generator)
            if ahead:  # the next points are evaluated while the training goes on with those that are there
                self.asked = self._ask(flow, best, index + 1, int(counts[index]))
                early = early or self._stage("density", optimiser, loss, ahead, best, generator)
            optimiser.done = planned  # the schedule goes on as if the stage had not ended early
            if early and index < len(shares) - 1:
                optimiser.restart(best.parameters)
        self.buffer.flatten(0.0)
        self.far = False
        share_of_vegas = config.eps or config.fine_tuning_eps
        best.moments = held_out_moments(self.buffer, flow, best.parameters, self.tables, share_of_vegas)
        if config.fine_tuning_steps:
            tuner = Optimiser(
                flow, config.fine_tuning_learning_rate, config.fine_tuning_steps, config.clip, config.averaging
            )
            tuner.restart(best.parameters)
            self.best_rsd = np.inf
            steps, moment = config.fine_tuning_steps, loss_by_name(config.fine_tuning_loss)
            self._stage("fine-tuning", tuner, moment, steps, best, generator, share_of_vegas)
        self.tables = tuned_tables(self.buffer, flow, best, self.tables, share_of_vegas)
        self._learn_channel_weights(flow, best, self._choose_eps(flow, best)[0])
        eps, moments = self._choose_eps(flow, best)
        if not np.all(np.isfinite(best.parameters)):
            raise DivergedError("the parameters of the flow are not finite")
        state = FrozenFlow(spec, best.parameters, self.tables, eps)
        self._checkpoint(state)
        metadata: dict[str, Any] = {**self.base.metadata, "allocation": [found.sigma for found in moments]}
        metadata["vegas_allocation"] = self.base.metadata.get("allocation")
        metadata["training"] = {"eps": [float(value) for value in eps], "steps": self.done, "evaluations": self.spent}
        return TrainingResult(
            state.sampler(self.base, self.weights, metadata),
            self.buffer.samples(),
            self.history,
            self.done,
            self.spent,
            reason=f"held-out relative standard deviation {self._rsd(np.array([m.second for m in moments])):.3g}",
        )

    @property
    def _eps(self) -> float:
        """Share of the VEGAS density in the mixture that early stopping looks at."""
        return self.config.eps or min(0.05, max(self.config.eps_candidates))

    def _stage(
        self,
        name: str,
        optimiser: Optimiser,
        loss: Loss,
        steps: int,
        best: Best,
        generator: np.random.Generator,
        mixture: float | None = None,
    ) -> bool:
        config = self.config
        assert config.batch is not None
        assert config.check_every is not None
        before, already = optimiser.done, self.done

        def look(value: float, moments: Array) -> None:
            self.done = already + optimiser.done - before
            self._report(name, value, moments)

        eps = self._eps if mixture is None else mixture
        return run_stage(
            optimiser, self.buffer, self.tables, loss, steps, config.batch, config.check_every, config.patience, eps,
            best, generator, look, mixture is not None, self.far,
        )  # fmt: skip

    def _reverse_stage(self, optimiser: Optimiser, target: Differentiable, best: Best, generator: Any) -> None:
        """The density stage by new points of the flow in every step; they use up the evaluations."""
        assert self.config.batch is not None
        assert self.config.check_every is not None
        optimiser.steps = self.planned = max(1, -(-self.evaluations // self.config.batch))

        def look(value: float, moments: Array, used: int) -> None:
            self.done, self.spent = optimiser.done, used
            self._report("reverse density", value, moments)

        run_reverse_stage(
            optimiser, self.buffer, self.tables, target, self.evaluations, self.config.batch, self.config.check_every,
            self._eps, best, generator, look,
        )  # fmt: skip
        self.planned += self.config.fine_tuning_steps or 0

    def _rsd(self, second: Array) -> float:
        """Relative standard deviation of all channels together, ``sum_i sigma_i / I_abs``."""
        mean = np.bincount(self.buffer.channel, self.buffer.target / self.buffer.density, self.space.channels)
        absolute = np.bincount(
            self.buffer.channel, np.abs(self.buffer.target) / self.buffer.density, self.space.channels
        )
        n = np.maximum(self.buffer.counts.sum(1), 1)
        sigma = np.sqrt(np.maximum(second - (mean / n) ** 2, 0.0))
        return float(np.sum(sigma) / np.sum(absolute / n))

    def _report(self, stage: str, loss: float, moments: Array | None) -> None:
        rsd = nan if moments is None else self._rsd(moments)
        if moments is not None:
            self.best_rsd = min(self.best_rsd, rsd)
        status = TrainingStatus(stage, self.done, self.planned, loss, rsd, float(self.best_rsd), self.spent)
        self.history.append(status)
        if self.on_progress is not None:
            self.on_progress(status)

    def _ask(self, flow: Flow, best: Best, index: int, n: int) -> Request:
        """Ask for new points from the mixture as it is."""
        channels = self.space.channels
        eps = np.full(channels, self.config.training_eps)
        state = FrozenFlow(flow.spec, best.parameters.copy(), [table.copy() for table in self.tables], eps)
        self._checkpoint(state)
        sampler = state.sampler(self.base, None, {})
        _, moments = self._choose_eps(flow, best)
        shares = allocate(np.array([found.sigma for found in moments]), 0.3) * np.array(self.base.active)
        return Request(
            self.integrand, sampler, split(n, shares), self.streams, index, state, self.guard, self.config.threads
        )

    def _take(self, asked: Request) -> None:
        """Take in the points that were asked for."""
        parts = []
        for part in asked.points():
            parts.append(replace(part, channel_weight=None))
            self.spent += len(part)
            self._report("points", nan, None)
        if parts:
            generator = self.streams.generator("training held out", iteration=asked.index)
            self.buffer.add(Samples.concatenate(parts), asked.state, generator)
            self.buffer.set_channel_weights(self.weights)

    def _choose_eps(self, flow: Flow, best: Best) -> tuple[Array, list[Moments]]:
        """Share of the VEGAS density for each channel, and the moments of its mixture, on held-out points."""
        return choose_eps(self.buffer, flow.spec, best.parameters, self.tables, self.config)

    def _learn_channel_weights(self, flow: Flow, best: Best, eps: Array | float) -> None:
        """Channel weights for the densities as they are.

        Arguments:
            eps: share of the VEGAS density in the mixture, for all channels or each (channels,).
        """
        buffer, config = self.buffer, self.config
        wanted = config.learned_channel_weights and config.channel_weight_steps
        if self.space.channels < 2 or buffer.features is None or not wanted or not all(self.base.active):
            return
        if self.trainer is None:
            self.trainer = ChannelWeightTrainer(buffer, self.streams.generator("channel weights"))
        rows = np.arange(len(buffer))
        eps = np.broadcast_to(eps, self.space.channels)[buffer.channel]
        density = buffer.flow_density(flow.spec, best.parameters, self.tables, rows)
        mixed = eps * buffer.vegas_density(rows) + (1.0 - eps) * density
        improved, _, _ = self.trainer.improve(buffer, mixed, config.channel_weight_steps)
        if improved:
            self.weights = self.trainer.export()
            buffer.set_channel_weights(self.weights)
        self._report("channel weights", nan, None)

    def _checkpoint(self, state: FrozenFlow) -> None:
        if self.config.checkpoint is not None:
            information = {"name": self.integrand.name, "eps": [float(value) for value in state.eps]}
            save_checkpoint(
                self.config.checkpoint, Checkpoint(state.spec, state.parameters, state.tables, self.done, information)
            )
