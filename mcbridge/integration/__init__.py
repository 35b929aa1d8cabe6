"""The loop: supervised evaluation, buffers of points, integration with frozen samplers, vegas' interface."""

from mcbridge.integration.allocation import allocate, split
from mcbridge.integration.chunks import CHUNK, Accumulator, Chunk, ChunkMap, ChunkSums
from mcbridge.integration.guard import Failure, FailureLog, Guard, evaluate
from mcbridge.integration.integral import ChannelResult, Integral, IterationResult
from mcbridge.integration.integrate import fresh_weights, integrate
from mcbridge.integration.integrator import Integrator
from mcbridge.integration.restratify import restratify
from mcbridge.integration.samples import Samples

__all__ = [
    "CHUNK",
    "Accumulator",
    "ChannelResult",
    "Chunk",
    "ChunkMap",
    "ChunkSums",
    "Failure",
    "FailureLog",
    "Guard",
    "Integral",
    "Integrator",
    "IterationResult",
    "Samples",
    "allocate",
    "evaluate",
    "fresh_weights",
    "integrate",
    "restratify",
    "split",
]
