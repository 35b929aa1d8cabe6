"""Integrands: what can be integrated."""

from mcbridge.integrands.protocol import Array, Evaluation, EventBatch, EventSource, Integrand, IntArray

__all__ = ["Array", "Evaluation", "EventBatch", "EventSource", "IntArray", "Integrand"]
