"""sigma_syst of the events of a file: a flow conditional on a nuisance parameter that changes their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array
from mcbridge.preprocessing import Coordinates, FinalState
from mcbridge.random import Streams
from plugin.bayesian import ConditionalDensity, augment, learn_conditional
from plugin.bayesian.conditional import check_span

__all__ = ["ATTRIBUTE", "Systematic"]

ATTRIBUTE = "sigma_syst"
_REPLICAS = 8
_COPIES = 4
_MOST = 50_000  # events of which copies are made


@dataclass(frozen=True)
class Systematic:
    """A variation of event weights by a nuisance parameter.

    Attributes:
        function: factors (n,) of the weights, given momenta (n, particles, 4) [GeV] of the final state, their PDG
            ids (particles,) in increasing order, and the nuisance parameters (n,).
        span: smallest and largest nuisance parameter.
        nominal: the parameter of the events as they are.
        name: of the function, for the header.

    Raises:
        UserError: the span is empty, or does not hold the nominal parameter.
    """

    function: Callable[[Array, tuple[int, ...], Array], Any]
    span: tuple[float, float]
    nominal: float
    name: str = "variation"

    def __post_init__(self) -> None:
        check_span(self.span, self.nominal)

    def learn(
        self,
        coordinates: Coordinates,
        momenta: Array,
        masses: Array,
        weight: Array,
        state: FinalState,
        streams: Streams,
        number: int,
        threads: int,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> ConditionalDensity:
        """The conditional density of the events of a final state.

        Raises:
            UserError: the function fails, or what it returns makes no sense.
            DivergedError: the training failed.
        """

        rows = streams.generator("nuisance sample", channel=number).permutation(len(weight))[:_MOST]
        final = np.tile(momenta[rows], (_COPIES, 1, 1))

        def variation(values: Array, nuisance: Array) -> Array:
            try:
                return np.asarray(self.function(final, state.flavours, nuisance), dtype=np.float64)
            except Exception as error:
                raise UserError(
                    f"--syst: {self.name} failed for {state.name}: {type(error).__name__}: {error}"
                ) from error

        values = coordinates(momenta[rows], masses[rows])
        generator = streams.generator("nuisance", channel=number)
        values, nuisance, varied = augment(values, weight[rows], variation, self.span, self.nominal, generator, _COPIES)
        seed = int(streams.generator("conditional flow", channel=number).integers(2**31))
        return learn_conditional(
            values,
            nuisance,
            varied,
            nominal=self.nominal,
            span=self.span,
            kinds=coordinates.kinds,
            replicas=_REPLICAS,
            seed=seed,
            threads=threads,
            on_progress=on_progress,
        )

    def as_json(self) -> dict[str, Any]:
        """For the header."""
        return {
            "function": self.name,
            "span": list(self.span),
            "nominal": self.nominal,
            "sigma_syst": "relative: half the envelope of p(x|a)/p(x|nominal) over the span, from a conditional flow",
        }
