"""The C++ core: flow kernel, samplers, sampler files.

``sample``, ``log_density`` and ``gradient`` evaluate a coupling flow (see :class:`FlowSpec`) at many points; arrays of
float32 parameters choose the fast kernel, float64 the reference. Points are (n, dim), parameters (P,) or (channels, P).
``fma_peak`` measures what one core could do at most: float32 multiply-adds a second, by instruction set.
"""

from mcbridge.core._core import fma_peak, gradient, instruction_set, instruction_sets, log_density, sample
from mcbridge.core.sampler import Cells, ChannelSampler, read_sampler_file, write_sampler_file
from mcbridge.core.spec import FlowSpec

__all__ = [
    "Cells",
    "ChannelSampler",
    "FlowSpec",
    "fma_peak",
    "gradient",
    "instruction_set",
    "instruction_sets",
    "log_density",
    "read_sampler_file",
    "sample",
    "write_sampler_file",
]
