"""The sampler file that the plug-in reads: one channel for each process, found by the process's name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcbridge import core
from sherpa_interface.training import Trained

__all__ = ["plugin_entry", "write_samplers"]


def plugin_entry(processes: Sequence[Trained]) -> str:
    """What the plug-in looks for in the metadata: ``version;name|channel|fingerprint;...``, without quotes."""
    parts = [str(processes[0].description["sherpa"])]
    for channel, process in enumerate(processes):
        fingerprint = ",".join(repr(float(value)) for value in process.description["fingerprint"])
        parts.append(f"{process.name}|{channel}|{fingerprint}")
    return ";".join(parts)


def write_samplers(path: Path, processes: Sequence[Trained], information: dict[str, Any]) -> None:
    """Write the samplers of all processes into one file.

    Arguments:
        path: the file.
        processes: trained processes, in the order of their channels; dimensions may differ.
        information: what else is known of the run, as JSON.
    """
    metadata = {
        "name": "Sherpa",
        "sherpa": plugin_entry(processes),
        "processes": [
            {"name": process.name, "channel": channel, "sampler": process.decision.sampler}
            for channel, process in enumerate(processes)
        ],
        **information,
    }
    content = {"sampler": metadata, "active": [True] * len(processes)}
    channels = [process.sampler.channels[0] for process in processes]
    core.write_sampler_file(path, channels, json.dumps(content, sort_keys=True), {})
