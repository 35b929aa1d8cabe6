"""The drop-in for ``vegas.Integrator`` that trains a flow where that pays."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Literal

from mcbridge.errors import UserError, nearest
from mcbridge.integrands import FunctionIntegrand
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard, fresh_weights
from mcbridge.integration import Integrator as McbridgeIntegrator
from mcbridge.random import Streams
from mcbridge.samplers import Sampler, survey
from plugin.choice import Decision, Figures, Goal, decide, decide_early, figures_of_channels

__all__ = ["Integrator", "sampler_named"]

Choice = Literal["auto", "flow", "vegas"]
SAMPLERS: dict[str, Choice] = {"auto": "auto", "flow": "flow", "vegas": "vegas"}


def sampler_named(name: str) -> Choice:
    """The name of a sampler, checked.

    Raises:
        UserError: there is no such sampler.
    """
    if name not in SAMPLERS:
        raise UserError(f"sampler is '{name}'; it must be one of {', '.join(SAMPLERS)}{nearest(name, list(SAMPLERS))}")
    return SAMPLERS[name]


class Integrator(McbridgeIntegrator):
    """Adaptive integration as ``vegas.Integrator`` does it, with a flow where that pays.

    A call uses ``nitn x neval`` evaluations of the integrand in all, survey, training and choice included. With
    ``sampler="auto"`` the time of the integrand is measured first; where the whole call is cheaper than a training,
    vegas does it alone. Otherwise a VEGAS map is adapted, a flow is trained on top of it, both are compared on fresh
    points, and the rest of the evaluations is integrated with the better map, frozen. A second call with the same
    object uses the map that the first one has found, as with vegas.

    Arguments:
        domain: the region of integration, in any form ``vegas.Integrator`` takes.
        sampler: ``"auto"``, ``"flow"``, ``"vegas"``, or a trained :class:`mcbridge.samplers.Sampler`.
        seed: seed of all random numbers; None for a fresh one.
        threads: threads of the flow kernel.
        options: those of ``vegas.Integrator`` (``nitn``, ``neval``, ...).

    Attributes:
        decision: flow or VEGAS, with figures and reason, after the first call.

    Raises:
        UserError: an argument is wrong.
    """

    def __init__(
        self,
        domain: Any,
        sampler: Literal["auto", "flow", "vegas"] | Sampler = "auto",
        seed: int | None = None,
        threads: int = 1,
        **options: Any,
    ) -> None:
        if isinstance(sampler, str):
            sampler = sampler_named(sampler)
        super().__init__(domain, sampler=sampler if isinstance(sampler, Sampler) else None, seed=seed, **options)
        self.mode = sampler if isinstance(sampler, str) else "given"
        self.threads = threads
        self.decision: Decision | None = None
        if self.mode == "given":
            self.decision = _asked("flow", "a trained sampler was given")
        self._calls = 0

    def __call__(self, function: Callable[..., Any], save: Any = None, saveall: Any = None, **options: Any) -> Any:
        """Integrate a function.

        Arguments:
            function: as for ``vegas.Integrator``.
            options: ``nitn``, ``neval`` and others, for this and later calls.

        Returns:
            vegas' result types: averages over iterations with chi2, dof, Q and ``summary()``.

        Raises:
            AmplitudeError: the function raises, returns the wrong shape or too many non-finite numbers.
        """
        self._calls += 1
        if self.mode in ("vegas", "given") or self.decision is not None:
            if self.decision is None:
                self.decision = _asked("vegas", "the caller asked for sampler='vegas'")
            return super().__call__(function, save=save, saveall=saveall, **options)
        if options:
            self.set(**options)
        integrand = Metered(FunctionIntegrand(function, self.domain))
        total = self.nitn * self.neval
        spent = self._prepare(integrand, total)
        left = max(total - spent, self.nitn * 2)
        neval = self.neval
        try:
            result = super().__call__(function, save=save, saveall=saveall, neval=left // self.nitn)
        finally:
            self.set(neval=neval)
        result.sum_neval += spent  # what survey, training and choice have cost counts as well
        return result

    def _prepare(self, integrand: Metered, total: int) -> int:
        """Survey, training and choice; sets ``sampler`` and ``decision``, returns the evaluations spent."""
        from plugin.training.cost import estimate_training_seconds, split_budget

        streams = Streams(self.seed if self.seed is not None else Streams.fresh().seed)
        guard = Guard(minimum_points=min(1000, total))
        budget = split_budget(total, choice=True)
        training_seconds = estimate_training_seconds(integrand.dim, budget.survey + budget.training)
        if self.mode == "auto":
            probe = max(10, min(1000, total // 100))
            generator = streams.generator("probe")
            integrand(generator.random((probe, integrand.dim)), 0)
            whole = integrand.seconds_per_evaluation * total
            if whole < training_seconds:
                self.decision = Decision(
                    "vegas",
                    "vegas",
                    f"all {total} evaluations take about {whole:.2g} s of CPU time, less than training a flow "
                    f"({training_seconds:.2g} s)",
                    {"vegas": whole},
                    {},
                    "after survey",
                )
                return integrand.evaluations
        found = survey(integrand, budget.survey, streams, guard=guard)
        vegas = self._figures(integrand, found.sampler, budget.choice, streams, guard, "choice vegas")
        goal = Goal(0, total - integrand.evaluations)
        if self.mode == "auto":
            early = decide_early(vegas, goal, training_seconds, budget.training + budget.choice)
            if early is not None:
                self._use(found.sampler, early)
                return integrand.evaluations
        from plugin.training import TrainingConfig, train

        trained = train(
            integrand,
            found.sampler,
            found.samples,
            TrainingConfig(threads=self.threads),
            streams,
            budget.training,
            guard=guard,
        )
        if trained.diverged:
            reason = f"the training of the flow diverged ({trained.reason}); VEGAS takes over"
            self._use(found.sampler, Decision("vegas", "vegas", reason, {}, {"vegas": vegas}, "after training"))
            return integrand.evaluations
        flow = self._figures(integrand, trained.sampler, budget.choice, streams, guard, "choice flow")
        measured = decide(vegas, flow, Goal(0, total - integrand.evaluations))
        if self.mode == "flow":
            reason = f"the caller asked for sampler='flow'; measured: {measured.reason}"
            measured = Decision("flow", measured.measured, reason, measured.seconds, measured.figures, "pinned")
        self._use(trained.sampler if measured.sampler == "flow" else found.sampler, measured)
        return integrand.evaluations

    def _use(self, sampler: Sampler, decision: Decision) -> None:
        self.sampler = sampler
        self.decision = decision

    def _figures(
        self, integrand: Metered, sampler: Sampler, points: int, streams: Streams, guard: Guard, purpose: str
    ) -> Figures:
        """Figures of merit on fresh points, which enter neither training nor integral."""
        start = time.process_time()
        sampler.draw(0, points, streams.generator("sampling cost"))
        drawing = (time.process_time() - start) / points
        fresh = fresh_weights(integrand, sampler, points, streams, purpose=purpose, guard=guard)
        return figures_of_channels([fresh.event_weights], integrand.seconds_per_evaluation + drawing)


def _asked(sampler: Literal["flow", "vegas"], reason: str) -> Decision:
    return Decision(sampler, None, reason, {}, {}, "pinned")
