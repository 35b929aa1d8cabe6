"""Chunks of work on local processes, threads or a Dask cluster; results do not depend on where."""

from mcbridge.scaling.context import Context, SamplerFile
from mcbridge.scaling.cost import Cost
from mcbridge.scaling.evaluator import BLOCK, Evaluator
from mcbridge.scaling.event_parts import EventParts, Part
from mcbridge.scaling.journal import Journal
from mcbridge.scaling.processes import Processes
from mcbridge.scaling.tasks import Done, integration_map, run_chunk, work_through
from mcbridge.scaling.workers import InProcess, Threads, Workers

__all__ = [
    "BLOCK",
    "Context",
    "Cost",
    "Done",
    "Evaluator",
    "EventParts",
    "InProcess",
    "Journal",
    "Part",
    "Processes",
    "SamplerFile",
    "Threads",
    "Workers",
    "integration_map",
    "run_chunk",
    "work_through",
]
