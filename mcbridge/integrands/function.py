"""A function of x as an integrand on the unit hypercube: everything that ``vegas.Integrator`` can integrate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import vegas

from mcbridge.errors import AmplitudeError, UserError, of_both_kinds
from mcbridge.integrands.domain import Domain
from mcbridge.integrands.pooled import PooledFunction
from mcbridge.integrands.protocol import Array, Evaluation

__all__ = ["ComponentEvaluation", "FunctionIntegrand", "StandardFunction"]


@dataclass
class ComponentEvaluation(Evaluation):
    """An evaluation of an integrand with several components.

    Attributes:
        components: (n, size), all components; ``weight`` is the first of them, to which samplers adapt.
    """

    components: Array | None = None


class StandardFunction:
    """A user's function in one standard form: points (n, dim) of the region in, values (n, size) out.

    It can be pickled where the function can, so that vegas may send it to its worker processes.

    Arguments:
        function: anything ``vegas.Integrator`` integrates.
        domain: the region.
        uses_jac: whether the function takes the Jacobian of the vegas map as second argument.

    Raises:
        AmplitudeError: where the function raises or returns something that is no number, array or dictionary of
            numbers at a point inside the region.
    """

    def __init__(self, function: Callable[..., Any], domain: Domain, uses_jac: bool = False) -> None:
        if not callable(function) and not hasattr(function, "fcntype"):
            raise UserError(
                f"the integrand is a {type(function).__name__}; it must be a function of a point, or of many points"
                " with the decorator vegas.lbatchintegrand or vegas.rbatchintegrand"
            )
        if isinstance(function, type):
            raise UserError(
                f"the integrand is the class {function.__name__}; give an object of it: {function.__name__}(...)"
            )
        self.name = _name(function)
        self.batched = getattr(function, "fcntype", "scalar") != "scalar"
        self.checked = True
        try:
            self.standard = vegas.VegasIntegrand(
                function, vegas.AdaptiveMap(domain.limits), uses_jac, domain.template, False
            )
        except Exception as error:
            raise self._failure(error) from error
        self.size = int(self.standard.size)
        if self.size == 0:
            raise AmplitudeError(
                f"the integrand {self.name} returned an empty array; it must return at least one number"
            )
        self.evaluate = self.standard.eval

    def __call__(self, x: Array, jac: Array | None = None) -> Array:
        """Values (n, size) at the points ``x`` (n, dim) of the region; non-finite values are passed on."""
        try:
            values = np.asarray(self.evaluate(x, jac=jac), dtype=np.float64)
        except Exception as error:
            if self.batched and isinstance(error, ValueError) and "reshape" in str(error):
                raise AmplitudeError(
                    f"the integrand {self.name} returned the wrong number of values for {len(x)} points; it must return"
                    f" {self.size} number(s) a point ({error})"
                ) from error
            raise self._failure(error) from error
        if values.shape != (len(x), self.size):
            raise AmplitudeError(
                f"the integrand {self.name} returned an array of shape {values.shape} for {len(x)} points; it must"
                f" return {self.size} number(s) a point"
            )
        return values

    def _failure(self, error: Exception) -> UserError:
        hint = ""
        if not self.batched and isinstance(error, (IndexError, TypeError, ValueError)):
            hint = (
                " (it was called with one point; a function of many points needs the decorator vegas.lbatchintegrand)"
            )
        message = f"the integrand {self.name} raised {type(error).__name__}: {error}{hint}"
        return of_both_kinds(AmplitudeError, message, error)


def _name(function: Callable[..., Any]) -> str:
    # Batch objects of vegas pass unknown attributes on to themselves, for ever.
    if isinstance(function, (vegas.LBatchIntegrand, vegas.RBatchIntegrand)) and function.fcn is function:
        return type(function).__name__
    return str(getattr(function, "__name__", type(function).__name__))


class FunctionIntegrand:
    """A function on a region as an integrand with one channel on the unit hypercube.

    The weight is ``f(x) dx/du`` with the volume of the region as ``dx/du``. Samplers adapt to the first component
    (of the first key of a dictionary), as vegas does.

    Arguments:
        function: a function of one point; a batch function with the decorators of vegas; an object of a class
            derived from ``vegas.LBatchIntegrand`` or ``vegas.RBatchIntegrand``. It returns a number, an array or a
            dictionary of them.
        domain: the region of integration (see :class:`Domain`).
        name: short name for logs; the name of the function if None.
        periodic: coordinates in which the two ends of the interval are the same point.
        discrete: edges in the unit hypercube of coordinates that only make a choice.
        uses_jac: whether the function takes the Jacobian of the vegas map as second argument; such a function can
            only be integrated by vegas itself.
        pool: a ``multiprocessing.Pool`` whose processes evaluate the function; None for this process.
        nproc: number of its processes.

    Raises:
        UserError: for an impossible region, or coordinates that do not exist.
        AmplitudeError: where the function fails at a point inside the region.
    """

    channels = 1

    def __init__(
        self,
        function: Callable[..., Any],
        domain: Any,
        name: str | None = None,
        periodic: Sequence[int] = (),
        discrete: Mapping[int, Sequence[float]] | None = None,
        uses_jac: bool = False,
        pool: Any = None,
        nproc: int = 1,
    ) -> None:
        self.domain = Domain(domain)
        self.function = StandardFunction(function, self.domain, uses_jac)
        self.pooled = None if pool is None else PooledFunction(self.function, pool, nproc)
        self.name = name or self.function.name
        self.dim = self.domain.dim
        self.periodic = tuple(int(coordinate) for coordinate in periodic)
        self.discrete = {int(key): tuple(float(edge) for edge in edges) for key, edges in (discrete or {}).items()}
        for coordinate in (*self.periodic, *self.discrete):
            if not 0 <= coordinate < self.dim:
                raise UserError(
                    f"coordinate {coordinate} does not exist; the region has coordinates 0 to {self.dim - 1}"
                )
        for coordinate, edges in self.discrete.items():
            if len(edges) < 2 or edges[0] != 0.0 or edges[-1] != 1.0 or bool(np.any(np.diff(edges) <= 0)):
                raise UserError(f"discrete[{coordinate}] is {edges}; it must be increasing numbers from 0 to 1")

    @property
    def size(self) -> int:
        """Number of components."""
        return self.function.size

    @property
    def worker_seconds(self) -> float:
        """CPU time that worker processes have spent in the function."""
        return 0.0 if self.pooled is None else self.pooled.cpu_seconds

    def __call__(self, u: Array, channel: int = 0) -> Evaluation:
        """Evaluate points ``u`` (n, dim) of the unit hypercube."""
        values = (self.pooled or self.function)(self.domain.from_unit(u)) * self.domain.volume
        if self.size == 1:
            return Evaluation(values[:, 0])
        return ComponentEvaluation(np.ascontiguousarray(values[:, 0]), components=values)
