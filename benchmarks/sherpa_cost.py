"""What the sampler costs a point inside Sherpa."""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import yaml

from benchmarks.table import print_table, store
from mcbridge import core
from sherpa_interface.output import cross_sections
from sherpa_interface.process import Installation, run_sherpa

__all__ = ["children_seconds", "cost_of_sampler"]


def children_seconds() -> float:
    """CPU time of all finished child processes [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cost_of_sampler(arguments: argparse.Namespace, program: Installation, scratch: Path) -> None:
    """CPU time of the sampler for one point, by difference.

    The sampler is given Sherpa's own mapping as its whole mixture: its flow is evaluated at every point all the same,
    but the points are distributed as without it, so that everything else costs the same.
    """
    folder = Path(arguments.cost)
    overlay = yaml.safe_load((folder / "generation" / "overlay.yaml").read_text(encoding="utf-8"))
    channels, metadata, arrays = core.read_sampler_file(folder / "sampler.mcb")
    core.write_sampler_file(scratch / "cost.mcb", [channel.with_eps(1.0) for channel in channels], metadata, arrays)
    block = {"BASE": str((folder / "optimisation" / "Results.zip").resolve())}
    blocks = {"without": block, "with": {**block, "SAMPLER": "flow", "FILE": str((scratch / "cost.mcb").resolve())}}
    seconds: dict[str, list[float]] = {name: [] for name in blocks}
    points = 0
    for number in range(3):
        for name, settings in blocks.items():
            place = scratch / f"{name}_{number}"
            place.mkdir()
            settings = {**overlay, "BINNIS": settings, "EVENTS": 0, "EVENT_OUTPUT": "None"}
            start = children_seconds()
            text = run_sherpa(program, folder / "Sherpa.yaml", settings, place)
            seconds[name].append(children_seconds() - start)
            points = sum(result.points for result in cross_sections(text).values())
    micro = {name: 1e6 * min(values) / points for name, values in seconds.items()}
    row = [folder.name, points, micro["without"], micro["with"], micro["with"] - micro["without"]]
    print_table("CPU time of a point in Sherpa [us]", ["run", "points", "without", "with sampler", "sampler"], [row])
    store(arguments.json, {"points": points, "seconds": seconds, "microseconds_per_point": micro})
