"""The drop-in for ``vegas.Integrator`` that trains a flow where that pays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mcbridge.errors import UserError, nearest
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import Array
from mcbridge.integration import Guard, Samples
from mcbridge.integration import Integrator as McbridgeIntegrator
from mcbridge.integration.vegas_plus import adaptive_map, stratified_rsd
from mcbridge.samplers import Sampler, survey
from plugin.choice import Decision, Figures, Goal, decide, decide_early, measured_figures

if TYPE_CHECKING:
    from plugin.training import TrainingStatus

__all__ = ["Integrator", "sampler_named"]

Choice = Literal["auto", "flow", "vegas"]
_FEW = 0.02  # where less of the budget was used before the iterations, vegas keeps its strata
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
    points (VEGAS with its stratification), and the rest of the evaluations is integrated with the better one: the
    frozen flow, or VEGAS from the adapted grid on. A second call for the same function goes on with what the first one
    has found, as with vegas; where the first one was too short for a training, the question is asked again.

    Arguments:
        domain: the region of integration, in any form ``vegas.Integrator`` takes.
        sampler: ``"auto"``, ``"flow"``, ``"vegas"``, or a trained :class:`mcbridge.samplers.Sampler`.
        seed: seed of all random numbers; None for one that gvar's generator draws (``gvar.ranseed``).
        threads: threads of the flow kernel.
        on_progress: called with a :class:`plugin.training.TrainingStatus` while a flow is trained.
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
        on_progress: Callable[[TrainingStatus], None] | None = None,
        **options: Any,
    ) -> None:
        if isinstance(sampler, str):
            sampler = sampler_named(sampler)
        super().__init__(domain, sampler=sampler if isinstance(sampler, Sampler) else None, seed=seed, **options)
        self.mode = sampler if isinstance(sampler, str) else "given"
        self.threads = threads
        self.on_progress = on_progress
        self.decision: Decision | None = None
        self._function: Callable[..., Any] | None = None
        if self.mode == "given":
            self.decision = _asked("flow", "a trained sampler was given")

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
        self.set(options)
        if not self._undecided(function):
            self._function = function
            return super().__call__(function, save=save, saveall=saveall)
        self.sampler, self._function = None, function
        total = self.nitn * self.neval
        by_vegas = self._left_to_vegas()
        if by_vegas:
            self.decision, spent = _cheap(by_vegas), 0
        else:
            spent = self._prepare(Metered(self._shared_out(function)), total)
        neval, nstrat = self.neval, np.array(self.nstrat)
        keep = self.sampler is None and (self._keep_strata or spent < _FEW * total)
        try:
            if keep:
                self._spent = spent
            else:
                self.vegas.set(neval=max(total - spent, self.nitn * 2) // self.nitn)
            result = super().__call__(function, save=save, saveall=saveall)
        finally:
            self._spent = 0
            self.vegas.set(neval=neval, **({"nstrat": nstrat} if keep else {}))
        result.sum_neval += spent  # what survey, training and choice have cost counts as well
        return result

    def set(self, ka: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Change options as ``vegas.Integrator.set`` does; with a new ``map`` flow or VEGAS is decided anew."""
        options = {**options, **(ka or {})}
        if options.get("map") is not None and self.mode != "given":
            self.sampler = self.decision = self._function = None
        return super().set(options)

    def _left_to_vegas(self) -> str:
        """Why the options leave no room for a flow; empty where they do.

        Raises:
            UserError: the caller insists on the flow, and it cannot be.
        """
        reasons = {
            "uses_jac=True": self.vegas.uses_jac and "the function takes the Jacobian of the vegas map",
            "mpi=True": self.vegas.mpi and "vegas distributes the points over the processes of MPI",
            "adapt=False": not self.vegas.adapt and "nothing is to be adapted",
        }
        for option, reason in reasons.items():
            if reason and self.mode == "flow":
                raise UserError(f"sampler='flow' does not go with {option}: {reason}")
            if reason:
                return f"{option}: {reason}"
        return ""

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_function": None, "on_progress": None}

    def _undecided(self, function: Callable[..., Any]) -> bool:
        if self.mode == "vegas":
            self.decision = _asked("vegas", "the caller asked for sampler='vegas'")
        if self.mode in ("vegas", "given"):
            return False
        if self.decision is None or self.decision.stage == "after survey":
            return True
        # After unpickling there is no function: the next one is the one that was meant.
        return self._function is not None and function is not self._function

    def _prepare(self, integrand: Metered, total: int) -> int:
        """Survey, training and choice; sets ``sampler`` and ``decision``, returns the evaluations spent."""
        from plugin.training.cost import estimate_training_seconds, least_evaluations, split_budget

        guard = Guard(max_failure_fraction=self.max_failure_fraction, minimum_points=min(1000, total))
        least = least_evaluations(choice=True)
        if self.mode == "auto" and total < least:
            self.decision = _cheap(f"{total} evaluations are too few to train a flow, which takes at least {least}")
            return 0
        budget = split_budget(total, choice=True)
        training_seconds = estimate_training_seconds(integrand.dim, budget.survey + budget.training)
        if self.mode == "auto":
            probe = max(10, min(1000, total // 100))
            integrand(self.streams.generator("probe").random((probe, integrand.dim)), 0)
            whole = integrand.seconds_per_evaluation * total
            if whole < training_seconds:
                self.decision = _cheap(
                    f"all {total} evaluations take about {whole:.2g} s of CPU time, less than training a flow "
                    f"({training_seconds:.2g} s)"
                )
                return integrand.evaluations
        found = survey(integrand, budget.survey, self.streams, guard=guard, grids=self._adapted())
        if not np.any(found.samples.weight):
            self.decision = _cheap("all points of the survey have weight 0, so there is nothing to learn")
            return integrand.evaluations
        # Where VEGAS is chosen, it goes on from the grid of the survey and keeps its stratification.
        self.vegas.set(map=adaptive_map(found.sampler.channels[0], self.domain.limits))
        stratified, fresh = self._figures_of_vegas(integrand, found.sampler, budget.choice, guard)
        goal = Goal(0, total - integrand.evaluations)
        if self.mode == "auto":
            early = decide_early(stratified, goal, training_seconds, budget.training + budget.choice)
            if early is not None:
                self.decision = early
                return integrand.evaluations
        from plugin.training import TrainingConfig, train

        config = TrainingConfig(threads=self.threads)
        trained = train(
            integrand,
            found.sampler,
            Samples.concatenate([found.samples, fresh]),
            config,
            self.streams,
            budget.training,
            guard,
            self.on_progress,
        )
        if trained.diverged:
            reason = f"the training of the flow diverged ({trained.reason}); VEGAS takes over"
            self.decision = Decision("vegas", "vegas", reason, {}, {"vegas": stratified}, "after training")
            return integrand.evaluations
        flow, _ = measured_figures(integrand, trained.sampler, budget.choice, self.streams, "choice flow", guard)
        measured = decide(stratified, flow, Goal(0, total - integrand.evaluations))
        if self.mode == "flow":
            reason = f"the caller asked for sampler='flow'; measured: {measured.reason}"
            measured = Decision("flow", measured.measured, reason, measured.seconds, measured.figures, "pinned")
        self.decision = measured
        if measured.sampler == "flow":
            self.sampler = trained.sampler
        return integrand.evaluations

    def _adapted(self) -> list[list[Array]] | None:
        """The grid that vegas has adapted so far, or that the caller has given; None for a uniform one."""
        grid = self.unit_grid()
        if all(np.allclose(np.diff(knots), 1.0 / (len(knots) - 1)) for knots in grid):
            return None
        return [grid]

    def _figures_of_vegas(
        self, integrand: Metered, sampler: Sampler, points: int, guard: Guard
    ) -> tuple[Figures, Samples]:
        """Figures of merit of VEGAS+: half of the points are independent, half show what stratification is worth."""
        independent, fresh = measured_figures(integrand, sampler, points // 2, self.streams, "choice vegas", guard)
        generator = self.streams.generator("choice stratified")
        wanted = int(self.neval)
        rsd = stratified_rsd(integrand, sampler.channels[0], points - points // 2, wanted, generator)
        return replace(independent, rsd=min(independent.rsd, rsd)), fresh


def _cheap(reason: str) -> Decision:
    return Decision("vegas", "vegas", reason, {}, {}, "after survey")


def _asked(sampler: Literal["flow", "vegas"], reason: str) -> Decision:
    return Decision(sampler, None, reason, {}, {}, "pinned")
