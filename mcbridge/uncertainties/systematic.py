"""sigma_syst of the events of a file: what a nuisance parameter that changes their weights does to their density."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing import FinalState

__all__ = ["ATTRIBUTE", "Systematic", "Variations", "check_span"]

ATTRIBUTE = "sigma_syst"
_PLACES = 25  # values of the nuisance parameter at which the envelope is taken


def check_span(span: tuple[float, float], nominal: float) -> tuple[float, float]:
    """The span as numbers; UserError where it is empty or does not hold the nominal parameter."""
    low, high = float(span[0]), float(span[1])
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UserError(f"the span of the nuisance parameter is {low:g} to {high:g}; it must be increasing numbers")
    if not low <= nominal <= high:
        raise UserError(f"nominal is {nominal}; it must lie in the span of the nuisance parameter, {low:g} to {high:g}")
    return low, high


@dataclass(frozen=True)
class Systematic:
    """A variation of event weights by a nuisance parameter.

    Attributes:
        function: factors (n,) of the weights, given momenta (n, particles, 4) [GeV] of the final state, their PDG
            ids (particles,) in increasing order, and the nuisance parameters (n,).
        span: smallest and largest nuisance parameter.
        nominal: the parameter of the events as they are.
        name: of the function, for the header.
        entry: what named the function, for messages.

    Raises:
        UserError: the span is empty, or does not hold the nominal parameter.
    """

    function: Callable[[Array, tuple[int, ...], Array], Any]
    span: tuple[float, float]
    nominal: float
    name: str = "variation"
    entry: str = "--syst"

    def __post_init__(self) -> None:
        check_span(self.span, self.nominal)

    @property
    def places(self) -> Array:
        """The nuisance parameters (k,) at which the factors are taken, the nominal one first."""
        return np.concatenate([[self.nominal], np.linspace(*self.span, _PLACES)])

    def factors(self, momenta: Array, state: FinalState) -> Array:
        """Factors (k, n) of the weights of events at :attr:`places`.

        Raises:
            UserError: the function fails, or what it returns makes no sense.
        """
        result = []
        for place in self.places:
            try:
                found = np.asarray(self.function(momenta, state.flavours, np.full(len(momenta), place)), np.float64)
            except Exception as error:
                text = f"{self.entry}: {self.name} failed for {state.name}: {type(error).__name__}: {error}"
                raise UserError(text) from error
            if found.shape != (len(momenta),):
                raise UserError(
                    f"{self.entry}: {self.name} returned the shape {found.shape} for {state.name}; it must be"
                    f" ({len(momenta)},)"
                )
            if not np.all(np.isfinite(found) & (found >= 0.0)):
                raise UserError(f"{self.entry}: {self.name} returned factors that are negative or not finite")
            result.append(found)
        return np.stack(result)

    def as_json(self) -> dict[str, Any]:
        """For the header."""
        return {
            "function": self.name,
            "span": list(self.span),
            "nominal": self.nominal,
            "sigma_syst": "relative: half the envelope of p(x|a)/p(x|nominal) over the span, from the factors of the"
            " event weights over their means in the final state of the event",
        }


@dataclass
class Variations:
    """The mean factors of all events of a file, and with them ``sigma_syst`` of each.

    A density is normalised, whatever the parameter: ``p(x|a)`` is proportional to the factor of the event over the mean
    of the factors of all events.

    Attributes:
        systematic: what changes the weights.
        sums: weighted sums (k,) of the factors by final state.
        events: number of events by final state.
    """

    systematic: Systematic
    sums: dict[FinalState, Array] = field(default_factory=dict)
    events: dict[FinalState, int] = field(default_factory=dict)

    def add(self, state: FinalState, momenta: Array, weight: Array) -> None:
        """Count events: momenta (n, particles, 4), weights (n,)."""
        own = self.systematic.factors(momenta, state) @ weight
        self.sums[state] = self.sums.get(state, 0.0) + own
        self.events[state] = self.events.get(state, 0) + len(weight)

    def sigma(self, state: FinalState, momenta: Array) -> Array:
        """(n,), relative: half the envelope of ``p(x|a)/p(x|nominal)`` (arXiv:2110.13632); nan where that is 0."""
        sums = self.sums[state]
        with np.errstate(divide="ignore", invalid="ignore"):
            density = self.systematic.factors(momenta, state) / sums[:, None]
            ratio = density / density[0]
        result: Array = 0.5 * (np.max(ratio, axis=0) - np.min(ratio, axis=0))
        return result

    def as_json(self) -> dict[str, Any]:
        """For the header."""
        groups = [{"final_state": state.name, "events": number} for state, number in self.events.items()]
        return {**self.systematic.as_json(), "groups": groups}
