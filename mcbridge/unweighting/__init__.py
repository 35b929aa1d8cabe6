"""Unweighting: the largest weight, figures of merit, and streams of unweighted events."""

from mcbridge.unweighting.measures import efficiency, efficiency_after_cuts, kish, overweight_share
from mcbridge.unweighting.policies import Exact, MedianOfMaxima, Policy, Quantile, largest_weights, policy_named
from mcbridge.unweighting.summary import WeightSummary
from mcbridge.unweighting.totals import UnweightingStatus, UnweightingTotals
from mcbridge.unweighting.unweight import (
    EventStream,
    PointStream,
    UnweightedChunk,
    UnweightedPoints,
    unweight,
    unweight_elsewhere,
    unweight_points,
)

__all__ = [
    "EventStream",
    "Exact",
    "MedianOfMaxima",
    "PointStream",
    "Policy",
    "Quantile",
    "UnweightedChunk",
    "UnweightedPoints",
    "UnweightingStatus",
    "UnweightingTotals",
    "WeightSummary",
    "efficiency",
    "efficiency_after_cuts",
    "kish",
    "largest_weights",
    "overweight_share",
    "policy_named",
    "unweight",
    "unweight_elsewhere",
    "unweight_points",
]
