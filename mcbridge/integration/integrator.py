"""An integrator called as ``vegas.Integrator`` is: VEGAS+ by vegas itself, or points of a frozen sampler."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import vegas

from mcbridge.errors import AmplitudeError, UserError, of_both_kinds
from mcbridge.integrands.domain import Domain
from mcbridge.integrands.function import FunctionIntegrand
from mcbridge.integrands.protocol import Array
from mcbridge.integration.guard import Guard
from mcbridge.integration.integral import (
    Integral,
    IterationResult,
    vegas_result,
)
from mcbridge.integration.integrate import fresh_weights, integrate
from mcbridge.integration.options import OWN, UNSUPPORTED, checked_options, count, refused, seed_number
from mcbridge.integration.vegas_plus import Budget, GuardedFunction, adaptive_map, open_target
from mcbridge.random import Streams
from mcbridge.samplers.sampler import Sampler

__all__ = ["Integrator"]

_TRIALS = 100_000  # points from which the largest weight is found


class Integrator:
    """Multidimensional Monte Carlo integration with vegas' interface.

    ``Integrator(4 * [[0, 1]])(f, nitn=10, neval=1e5)`` integrates as ``vegas.Integrator`` does and returns the same
    types. With a :class:`mcbridge.samplers.Sampler` the points are independent draws of that frozen sampler, and
    iterations are combined by number of points.

    Arguments:
        domain: the region, in any form ``vegas.Integrator`` accepts.
        sampler: a frozen sampler with one channel, or None for VEGAS+.
        seed: makes the random numbers reproducible; a random seed if None.
        options: the options of ``vegas.Integrator`` (nitn, neval, alpha, adapt, ...), ``max_failure_fraction`` (largest
            tolerated share of results that are not finite) and ``threads`` (of the sampler).

    Raises:
        UserError: for an impossible region, an unknown option, or a sampler of another dimension.
    """

    defaults: ClassVar[dict[str, Any]] = vegas.Integrator.defaults
    """The defaults of all options: the very dictionary of ``vegas.Integrator``."""

    synchronize_random = staticmethod(vegas.Integrator.synchronize_random)

    def __init__(self, domain: Any, sampler: Sampler | None = None, seed: int | None = None, **options: Any) -> None:
        if isinstance(domain, Integrator):
            sampler = domain.sampler if sampler is None else sampler
            domain = domain.vegas
        self.domain = Domain(domain)
        self.vegas: vegas.Integrator
        self.streams: Streams = Streams.fresh() if seed is None else Streams(seed_number(seed))
        self.sampler: Sampler | None = None
        self.result: Integral | None = None
        self.integrand: FunctionIntegrand | None = None
        self.guard = Guard()
        self.max_failure_fraction = 1e-3
        self.threads = 1
        self._calls = 0
        self._last = 0
        self._spent = 0  # evaluations of the present call that were used before the iterations
        self._keep_strata = "nstrat" in options
        self._seeded = seed is not None or options.get("ran_array_generator") is not None
        options = self._check(options)
        try:
            self.vegas = vegas.Integrator(self.domain.vegas_region(), **options)
        except (ValueError, TypeError, AttributeError, MemoryError) as error:
            raise refused(options, error) from error
        if self.vegas.ran_array_generator is None or seed is not None:
            self.vegas.set(ran_array_generator=self.streams.generator("vegas").random)
        if sampler is not None:
            self.use(sampler)

    # ---- options ----

    def _check(self, options: dict[str, Any]) -> dict[str, Any]:
        """Options for vegas from ``options``; our own are taken out and stored."""
        options = checked_options(options)
        for name in OWN:
            if name in options:
                setattr(self, name, options.pop(name))
        return options

    def set(self, ka: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """Change options as ``vegas.Integrator.set`` does; returns the old values of those that changed.

        With ``seed`` the random numbers start anew, with ``sampler`` the points come from another sampler, with
        ``map`` the region (or the grid) is another one.
        """
        options = {**options, **(ka or {})}
        old: dict[str, Any] = {}
        if "seed" in options:
            old["seed"] = self.streams.seed
            self.streams = Streams(seed_number(options.pop("seed")))
            self._calls, self._seeded = 0, True
            self.vegas.set(ran_array_generator=self.streams.generator("vegas").random)
        if "sampler" in options:
            old["sampler"] = self.sampler
            self.use(options.pop("sampler"))
        if options.get("map") is not None:
            domain = Domain(options["map"])
            if self.sampler is not None and domain.dim != self.domain.dim:
                raise UserError(f"the sampler has {self.domain.dim} dimensions; the new map has {domain.dim}")
            self.domain, options["map"] = domain, domain.vegas_region()
            options.setdefault("neval", self.vegas.neval)  # lets vegas find the strata of the new dimension
        if "nstrat" in options or "neval" in options:
            self._keep_strata = options.get("nstrat") is not None
        own = {name: getattr(self, name) for name in OWN if name in options}
        options = self._check(options)
        if not options:
            return {**old, **own}
        try:
            changed = self.vegas.set(options)
        except (ValueError, TypeError, AttributeError, MemoryError) as error:
            raise refused(options, error) from error
        return {**old, **own, **changed}

    def use(self, sampler: Sampler | None) -> None:
        """Draw from another sampler from now on (None for VEGAS+)."""
        if sampler is not None:
            if sampler.dim != self.domain.dim:
                raise UserError(f"the sampler has {sampler.dim} dimensions; the region has {self.domain.dim}")
            if len(sampler.channels) != 1:
                raise UserError(
                    f"the sampler has {len(sampler.channels)} channels; a function of x has one: use"
                    " mcbridge.integration.integrate for multi-channel integrands"
                )
        self.sampler = sampler

    @property
    def seed(self) -> int:
        """The seed of all random numbers; one was drawn where none was given."""
        return self.streams.seed

    @property
    def map(self) -> vegas.AdaptiveMap:
        """The adapted map from the unit hypercube to the region: that of vegas, or the VEGAS part of the sampler."""
        if self.sampler is None:
            return self.vegas.map
        return adaptive_map(self.sampler.channels[0], self.domain.limits)

    def __getattr__(self, name: str) -> Any:
        # Only called for names this class does not define: options and figures of vegas (nitn, neval, last_neval, ...).
        if name.startswith("_") or "vegas" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self.__dict__["vegas"], name)

    @property
    def last_neval(self) -> int:
        """Number of points of the last iteration."""
        if self.sampler is None:
            return int(self.vegas.last_neval)
        return self._last

    @property
    def neval_hcube_range(self) -> Any:
        """Smallest and largest number of points in a hypercube; a frozen sampler has one hypercube."""
        return self.vegas.neval_hcube_range if self.sampler is None else (self.last_neval, self.last_neval)

    def settings(self, ngrid: int = 0) -> str:
        """A readable list of the settings."""
        if self.sampler is None:
            return str(self.vegas.settings(ngrid))
        return f"{self.sampler}\n{self.nitn} iterations of {self.neval} independent points\n"

    # ---- integration ----

    def __call__(self, function: Callable[..., Any], save: Any = None, saveall: Any = None, **options: Any) -> Any:
        """Integrate ``function``; the result is a ``vegas.RAvg``, ``RAvgArray`` or ``RAvgDict``.

        Arguments:
            function: a function of one point, or of many with the decorators of vegas; it returns a number, an array
                or a dictionary.
            save, saveall: files for the results after every iteration, as in vegas.
            options: options that stay set, as in vegas.

        Raises:
            AmplitudeError: where the function raises, returns the wrong shape or too many results that are not finite.
            UserError: for unknown options.
        """
        self.set(options)
        self.guard = Guard(max_failure_fraction=self.max_failure_fraction)
        self._calls += 1
        if self.sampler is None:
            return self._vegas(function, save, saveall)
        return self._frozen(function, save, saveall)

    def _vegas(self, function: Callable[..., Any], save: Any, saveall: Any) -> Any:
        self.result = None
        self.integrand = FunctionIntegrand(function, self.domain, uses_jac=self.vegas.uses_jac)
        inner = self.integrand.function
        analyzer = self.vegas.analyzer

        def after(result: Any) -> None:
            if saveall is not None:
                budget.restore()
                self.vegas.set(analyzer=analyzer)
                self._save_all(result, saveall)
                self.vegas.set(analyzer=budget)

        budget = Budget(self.vegas, analyzer, self._spent, after)
        if self.vegas.mpi and not self._seeded:  # gvar's generator is what vegas keeps in step over the processes
            self.vegas.set(ran_array_generator=None)
        if self.vegas.nproc == 1:  # worker processes would count in vain
            inner.standard.eval = GuardedFunction(inner, self.domain, self.guard)
        try:
            self.vegas.set(analyzer=budget)
            return self.vegas(inner.standard, save=str(save) if isinstance(save, Path) else save)
        except UserError:
            raise
        except Exception as error:
            message = f"the integration of {inner.name} failed: {error}"
            raise of_both_kinds(AmplitudeError, message, error) from error
        finally:
            inner.standard.eval = inner.evaluate
            self.vegas.set(analyzer=analyzer)
            budget.restore()
            # A cycle would leave the end of vegas' worker processes to the garbage collection of some later child.
            budget.after = None

    def _frozen(self, function: Callable[..., Any], save: Any, saveall: Any) -> Any:
        for name, reason in UNSUPPORTED.items():
            if getattr(self.vegas, name):
                raise UserError(f"'{name}' does not go with a frozen sampler: {reason}")
        assert self.sampler is not None
        self.integrand = integrand = self._shared_out(function)
        settings, analyzer = self.vegas, self.vegas.analyzer
        running: Any = None

        def after(results: list[IterationResult]) -> bool:
            nonlocal running
            self._last = results[-1].n
            running = vegas_result(integrand, results, settings.correlate_integrals)
            if analyzer is not None:
                analyzer.end(running.result.itn_results[-1], running.result)
                if len(results) < settings.nitn:
                    analyzer.begin(len(results), self)
            if save is not None:
                running.save(str(save) if isinstance(save, Path) else save)
            if saveall is not None:
                self._save_all(running.result, saveall)
            return bool(running.converged(settings.rtol, settings.atol))

        if analyzer is not None:
            analyzer.begin(0, self)
        self.result = integrate(
            integrand,
            self.sampler,
            settings.nitn * settings.neval,
            settings.nitn,
            self.streams,
            f"integrate call {self._calls}",
            guard=self.guard,
            threads=self.threads,
            converged=after,
        )
        return running.result

    def _shared_out(self, function: Callable[..., Any]) -> FunctionIntegrand:
        """The integrand, evaluated by the worker processes where ``nproc`` says so."""
        nproc = int(self.vegas.nproc)
        return FunctionIntegrand(function, self.domain, pool=self.vegas.pool if nproc > 1 else None, nproc=nproc)

    def _save_all(self, result: Any, target: Any) -> None:
        with open_target(target) as file:
            pickle.dump((result, self), file)

    def __getstate__(self) -> dict[str, Any]:
        # The last integrand may be a local function, which cannot be pickled; vegas does not keep it either.
        return {
            **self.__dict__,
            "integrand": None,
            "grid": [np.array(knots) for knots in self.vegas.map.extract_grid()],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        grid = state.pop("grid")
        self.__dict__.update(state)
        self.vegas.set(map=vegas.AdaptiveMap(grid))  # vegas' own pickle interpolates the grid

    # ---- points ----

    def random_batch(self, yield_hcube: bool = False, yield_y: bool = False) -> Iterator[tuple[Array, ...]]:
        """Iterate over the points of one iteration in batches, as ``vegas.Integrator.random_batch`` does.

        Yields:
            ``(x, [y,] wgt[, hcube])``: points (n, dim), their weights (n,) such that ``sum(wgt * f(x))`` over one
            iteration estimates the integral. With a frozen sampler ``len(wgt) * wgt`` is 1/g of independent points, y
            are their coordinates in the unit hypercube of the VEGAS map, and there is one hypercube, number 0.
        """
        if self.sampler is None:
            yield from self.vegas.random_batch(yield_hcube=yield_hcube, yield_y=yield_y)
            return
        self._calls += 1
        n, size = int(self.vegas.neval), int(self.vegas.min_neval_batch)
        for chunk, start in enumerate(range(0, n, size)):
            generator = self.streams.generator(f"sample call {self._calls}", 0, 0, chunk)
            u, density = self.sampler.draw(0, min(size, n - start), generator, self.threads)
            answer: tuple[Array, ...] = (self.domain.from_unit(u),)
            if yield_y:
                answer += (self._latent(u),)
            answer += (self.domain.volume / (density * n),)
            if yield_hcube:
                answer += (np.zeros(len(u), dtype=np.intp),)
            yield answer

    def random(self, yield_hcube: bool = False, yield_y: bool = False) -> Iterator[tuple[Any, ...]]:
        """Iterate over the points of one iteration one by one, as ``vegas.Integrator.random`` does."""
        for batch in self.random_batch(yield_hcube, yield_y):
            yield from zip(*batch, strict=True)

    def sample(self, nbatch: int | None = None, mode: str = "rbatch") -> tuple[Array, Any]:
        """Weights and points, ``(wgt, x)``, as ``vegas.Integrator.sample`` gives them.

        Arguments:
            nbatch: smallest number of points; rounded up to whole iterations. One iteration if None.
            mode: ``"rbatch"`` or ``"lbatch"``, where the index of the point stands in ``x``.
        """
        if mode not in ("rbatch", "lbatch"):
            raise UserError(f"mode is '{mode}'; it must be 'rbatch' or 'lbatch'")
        each = int(self.vegas.neval) if self.sampler is not None else int(self.vegas.last_neval or self.vegas.neval)
        iterations = 1 if nbatch is None else max(1, -(-count("nbatch", nbatch, 1) // each))
        batches = [tuple(map(np.array, batch)) for _ in range(iterations) for batch in self.random_batch()]
        points = np.concatenate([batch[0] for batch in batches])
        weights = np.concatenate([batch[1] for batch in batches]) / iterations
        return weights, self.domain.format(points, mode)

    def unweight(self, n: int, function: Callable[..., Any] | None = None, quantile: float = 1e-3) -> tuple[Array, Any]:
        """Draw points distributed as |f|: ``(weight, x)`` of ``n`` unweighted points.

        Weights are +1 or -1 by the sign of f; points whose |f|/g exceeds the maximum keep their excess as a weight
        above 1, so that nothing is lost. The maximum is that of the quantile policy, from fresh points.

        Arguments:
            n: number of points.
            function: the integrand; that of the last call if None.
            quantile: share of the integral of |f| that may exceed the maximum.
        """
        from mcbridge.unweighting import Quantile, unweight_points

        if function is not None:
            self.integrand = FunctionIntegrand(function, self.domain)
        if self.integrand is None:
            raise UserError("unweight needs the function: call the integrator first, or give function=")
        self._calls += 1
        number, purpose, sampler = count("n", n, 1), f"unweight call {self._calls}", self.frozen()
        trials = fresh_weights(self.integrand, sampler, _TRIALS, self.streams, f"{purpose} maximum", self.guard)
        w_max = Quantile(quantile)(trials.event_weights, self.streams.generator(purpose))
        parts = list(unweight_points(self.integrand, sampler, [w_max], number, self.streams, purpose=purpose))
        points = np.concatenate([part.u for part in parts])[:number]
        weight = np.concatenate([part.weight for part in parts])[:number]
        return weight, self.domain.format(self.domain.from_unit(points), "lbatch")

    def frozen(self) -> Sampler:
        """The frozen sampler: the one given, or the VEGAS map as it is now adapted."""
        if self.sampler is not None:
            return self.sampler
        from mcbridge.maps.vegas import VegasMap

        return VegasMap(self.unit_grid()).sampler()

    def unit_grid(self) -> list[Array]:
        """The knots of the map as it is now adapted, for every coordinate of the unit hypercube."""
        return [
            (np.asarray(knots) - low) / (high - low)
            for knots, (low, high) in zip(self.vegas.map.extract_grid(), self.domain.limits, strict=True)
        ]

    def save(self, path: str | Path) -> None:
        """Write the sampler file: the frozen sampler, or the VEGAS map as it is now adapted."""
        self.frozen().save(path)

    def load(self, path: str | Path) -> None:
        """Draw from the sampler in a file from now on."""
        self.use(Sampler.load(path))

    def _latent(self, u: Array) -> Array:
        assert self.sampler is not None
        channel = self.sampler.channels[0]
        y = np.array(u)
        y[:, list(channel.continuous)] = channel.inverse_grid(u)[0]
        return y
