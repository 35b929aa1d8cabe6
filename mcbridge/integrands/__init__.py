"""Integrands: what can be integrated."""

from mcbridge.integrands.domain import Domain
from mcbridge.integrands.function import (
    ComponentEvaluation,
    FunctionIntegrand,
    StandardFunction,
)
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import (
    Array,
    Evaluation,
    EventBatch,
    EventSource,
    IntArray,
    Integrand,
)

__all__ = [
    "Array",
    "ComponentEvaluation",
    "Domain",
    "Evaluation",
    "EventBatch",
    "EventSource",
    "FunctionIntegrand",
    "IntArray",
    "Integrand",
    "Metered",
    "StandardFunction",
]
