"""Work on several workers: speed-up, overhead of Dask, many workers with simulated amplitudes, cost of event writing.

Each figure is the least wall time of `--repeats` integrations with a frozen sampler, workers already there; Dask and
this process take turns, and medians of their pairs are printed. The
amplitude of the first two parts costs 20 microseconds of CPU time a point in NumPy, which releases Python's lock; that
of the third sleeps. The last parts write events of Drell-Yan with 32 replica weights, and run the command line.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.memory import peak
from benchmarks.table import print_table, store
from mcbridge import core
from mcbridge.integrands import Evaluation, Metered
from mcbridge.integration import integrate
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.scaling import Context, Cost, InProcess, Processes, SamplerFile, Threads, Workers, integration_map

__all__ = ["add_arguments", "run"]

PARTS = ("workers", "dask", "simulated", "training", "events", "memory")
COST = 20e-6
_BLOCK = 512
_THREADS = 8  # of a process of the many workers whose amplitudes sleep


@dataclass(frozen=True)
class Busy:
    """Makes an integrand in two dimensions that computes ``sines`` sines, or sleeps ``sleep`` seconds, a point."""

    sines: int = 0
    sleep: float = 0.0

    name = "busy"
    dim = 2
    channels = 1
    periodic = ()

    def __call__(self) -> Metered:
        return Metered(_Busy(self))


class _Busy:
    """The integrand itself."""

    name = "busy"
    dim = 2
    channels = 1
    periodic: tuple[int, ...] = ()

    def __init__(self, settings: Busy) -> None:
        self.settings = settings
        self.discrete: dict[int, tuple[float, ...]] = {}

    def __call__(self, u: Any, channel: int) -> Evaluation:
        if self.settings.sleep:
            time.sleep(self.settings.sleep * len(u))
        weight = 4.0 * u[:, 0] * u[:, 1]
        if self.settings.sines:
            phase = np.linspace(0.0, 1.0, self.settings.sines)
            for start in range(0, len(u), _BLOCK):
                rows = u[start : start + _BLOCK, :1] + phase
                np.sin(rows, out=rows)
                weight[start : start + _BLOCK] += 1e-300 * rows[:, -1]
        return Evaluation(weight)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--part", choices=PARTS, action="append", help="which parts (repeatable) [all]")
    parser.add_argument("--simulated-workers", type=int, default=64, help="workers with sleeping amplitudes [64]")
    parser.add_argument("--repeats", type=int, default=3, help="times that each integration is done [3]")
    parser.add_argument("--events", type=int, action="append", help="events of the memory part [10000 1000000]")


def run(arguments: argparse.Namespace) -> None:
    """Measure and print the tables."""
    parts = arguments.part or PARTS
    content: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flat.mcb"
        grid = [np.linspace(0.0, 1.0, 3) for _ in range(2)]
        Sampler([core.ChannelSampler(2, grid, None, None, None, 1.0)]).save(path)
        file = SamplerFile.of(path)
        measure: dict[str, Callable[[], dict[str, Any]]] = {
            "workers": lambda: _workers(file, arguments.repeats),
            "dask": lambda: _dask(file, arguments.repeats),
            "simulated": lambda: _simulated(file, arguments.simulated_workers),
            "training": lambda: _training(arguments.repeats),
            "events": lambda: _events(Path(folder)),
            "memory": lambda: _memory(Path(folder), arguments.events or [10_000, 1_000_000]),
        }
        for part in parts:
            content[part] = measure[part]()
            store(arguments.json, content)


def _calibrated() -> Busy:
    """So many sines that a point costs what it should."""
    probe = np.random.default_rng(1).random((20_000, 2))
    sines = 500
    for _ in range(3):
        integrand = _Busy(Busy(sines))
        start = time.process_time()
        integrand(probe, 0)
        sines = max(1, round(sines * COST * len(probe) / (time.process_time() - start)))
    return Busy(sines)


@dataclass(frozen=True)
class _Time:
    """Of an integration.

    Attributes:
        wall: seconds.
        work: CPU seconds inside the chunks.
        beside: CPU seconds of all processes that were spent on anything else.
    """

    wall: float
    work: float
    beside: float


def _cpu() -> float:
    """CPU time [s] of this process and all that it has started."""
    import psutil

    total = time.process_time()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            times = child.cpu_times()
            total += times.user + times.system
    return total


def _wall(workers: Workers, context: Context, chunks: int, points: int, repeats: int) -> _Time:
    """The fastest of several integrations with so many chunks, after one that makes everything."""
    found = []
    for repeat in range(repeats + 1):
        costs: list[Cost] = []
        start, cpu = time.perf_counter(), _cpu()
        few = min(chunks, 2 * workers.count) * 16 if repeat == 0 else chunks * points
        integrate(
            _Busy(Busy()),
            context.sampler(),
            few,
            1,
            Streams(repeat),
            chunk=16 if repeat == 0 else points,
            chunk_map=integration_map(workers, context, costs.append),
        )
        wall, cpu = time.perf_counter() - start, _cpu() - cpu
        work = sum(cost.cpu_seconds for cost in costs)
        found.append(_Time(wall, work, cpu - work))
    return min(found[1:], key=lambda one: one.wall)


def _workers(file: SamplerFile, repeats: int) -> dict[str, Any]:
    busy = _calibrated()
    chunks, points = 16, round(0.5 / COST)
    context = Context(busy, f"busy {busy}", file)
    rows, found = [], {}
    places: dict[str, Callable[[], Workers]] = {
        "in process": InProcess,
        "1 thread": lambda: Threads(1),
        "2 threads": lambda: Threads(2),
        "1 process": lambda: Processes(1),
        "2 processes": lambda: Processes(2),
    }
    for name, make in places.items():
        workers = make()
        try:
            found[name] = _wall(workers, context, chunks, points, repeats)
        finally:
            workers.close()
        alone = found.get(name.replace("2", "1").replace("processes", "process").replace("threads", "thread"))
        own = found[name]
        speed_up = (alone or own).wall / own.wall
        rows.append([name, own.wall, speed_up, 1e6 * own.work / (chunks * points), 1e3 * own.beside / chunks])
    columns = ["workers", "s", "speed-up", "CPU us/point", "CPU ms/chunk beside"]
    print_table(f"{chunks} chunks of {points:,} points, amplitude of 20 us", columns, rows)
    return {
        row[0]: dict(zip(("seconds", "speed_up", "us_per_point", "ms_beside"), row[1:], strict=True)) for row in rows
    }


def _dask(file: SamplerFile, repeats: int) -> dict[str, Any]:
    from mcbridge.scaling.cluster import DaskWorkers

    busy = _calibrated()
    chunks, points = 8, round(1.0 / COST)
    context = Context(busy, f"busy {busy}", file)
    pairs = []  # in turns, since a machine is not equally fast at all times
    workers = DaskWorkers.start("local", 1)
    try:
        for _ in range(repeats):
            pairs.append([_wall(place, context, chunks, points, 1) for place in (InProcess(), workers)])
    finally:
        workers.close()
    rows: list[list[Any]] = []
    for index, name in enumerate(("in process", "Dask, 1 worker")):
        own = [pair[index] for pair in pairs]
        overhead = median(pair[index].wall / pair[0].wall for pair in pairs) - 1.0
        idle = median(one.wall / one.work for one in own) - 1.0
        beside, share = median(one.beside for one in own), median(one.beside / one.work for one in own)
        wall = median(one.wall for one in own)
        rows.append([name, wall, 100.0 * overhead, 100.0 * idle, 1e3 * beside / chunks, 100.0 * share])
    columns = ["workers", "s", "overhead [%]", "beyond its own work [%]", "CPU ms/chunk beside", "% of the work"]
    print_table(f"{chunks} chunks of one second, {repeats} pairs", columns, rows)
    names = ("seconds", "overhead", "beyond_work", "ms_beside", "share")
    return {row[0]: dict(zip(names, row[1:], strict=True)) for row in rows}


def _simulated(file: SamplerFile, workers: int) -> dict[str, Any]:
    from mcbridge.scaling.cluster import DaskWorkers

    start = time.perf_counter()
    processes = max(1, workers // _THREADS)  # the start of a process for each would take minutes on few cores
    threads = -(-workers // processes)
    dask = DaskWorkers.start("local", processes, {"threads_per_worker": threads})
    rows, found = [], {}
    try:
        dask.client.wait_for_workers(processes)
        begun = time.perf_counter() - start
        for cost in (1e-1, 1e-2, 1e-3):
            points = max(16, round(1.0 / cost))
            context = Context(Busy(sleep=cost), f"sleep {cost}", file)
            chunks = 8 * workers
            own = _wall(dask, context, chunks, points, 1)
            ideal, beside = chunks * points * cost / workers, 1e3 * own.beside / chunks
            found[f"{cost:g}"] = {"seconds": own.wall, "efficiency": ideal / own.wall, "ms_beside": beside}
            rows.append([f"{1e3 * cost:g} ms", points * cost, chunks, own.wall, ideal, ideal / own.wall, beside])
    finally:
        dask.close()
    columns = ["amplitude", "chunk [s]", "chunks", "s", "ideal", "efficiency", "CPU ms/chunk beside"]
    print_table(f"{workers} workers of a LocalCluster, sleeping amplitudes", columns, rows)
    print(f"{processes} processes of {threads} threads, started in {begun:.1f} s")
    return {"workers": workers, "start_seconds": begun, "by_amplitude_seconds": found}


def _training(repeats: int) -> dict[str, Any]:
    """Time of the gradient of a batch by threads of the kernel, and how much a second machine would have to send."""
    from plugin.flows import identity_parameters
    from plugin.training import TrainingConfig
    from plugin.training.cost import flow_spec

    rows, found = [], {}
    for dim in (4, 8, 16):
        spec = flow_spec(dim, TrainingConfig().resolved(dim, 400_000))
        parameters = identity_parameters(spec, 1, np.random.default_rng(1)).astype(np.float32)
        for batch in (512, 4096, 32_768):
            y = np.random.default_rng(2).random((batch, dim), dtype=np.float32)
            slope = np.full(batch, 1.0 / batch, dtype=np.float32)
            times = []
            for threads in (1, 2):
                best = np.inf
                for _ in range(repeats + 1):
                    steps = max(2, 20_000 // batch)
                    start = time.perf_counter()
                    for _ in range(steps):
                        core.gradient(spec, parameters, y, slope, None, None, threads=threads)
                    best = min(best, (time.perf_counter() - start) / steps)
                times.append(best)
            kilobytes = spec.parameters * 4e-3
            rows.append([dim, batch, 1e3 * times[0], 1e3 * times[1], times[0] / times[1], kilobytes])
            found[f"{dim}/{batch}"] = {"seconds": times, "gradient_kilobytes": kilobytes}
    columns = ["dim", "batch", "ms, 1 thread", "ms, 2 threads", "speed-up", "gradient [kB]"]
    print_table("A gradient of the training", columns, rows)
    return found


def _events(folder: Path) -> dict[str, Any]:
    """What a part of the events costs: trials with weights, file of the part, text, compression."""
    from dataclasses import replace

    from mcbridge.lhe.parts import FormatTask, PartOfFile, events_of, format_events
    from mcbridge.scaling import EventParts
    from mcbridge.scaling.arrays import load_arrays
    from mcbridge.unweighting import largest_weights, policy_named, unweight_elsewhere
    from plugin.card import Card
    from plugin.run import run as run_card
    from plugin.run.process import build_process

    card = Card.model_validate({"sampler": "flow", "events": 100, "threads": 1})
    made = run_card(card, folder / "run", quiet=True)
    file = SamplerFile.of(made.folder / "sampler.mcb")
    process = Metered(build_process(card.process))
    context = Context(lambda: process, "drell-yan", file, file).remember(process)
    from mcbridge.integration import fresh_weights

    sampler = context.sampler()
    samples = fresh_weights(process, sampler, 50_000, Streams(5), "largest")
    w_max = largest_weights([samples.event_weights], policy_named("quantile", quantile=1e-3), np.random.default_rng(0))
    maker = EventParts(InProcess(), context, folder / "parts", "benchmark", True, True)
    start = time.process_time()
    parts = list(unweight_elsewhere(process, sampler, w_max, 100_000, Streams(1), maker.piece_map()))
    events = sum(part.sums.events for part in parts)
    seconds = {"trials, replicas, scales, file of the part": time.process_time() - start}
    size = sum(part.path.stat().st_size for part in parts) / sum(part.accepted for part in parts)
    arrays, _ = load_arrays(parts[0].path, "events")
    block = events_of(arrays)
    from mcbridge.lhe import RunInfo, WeightGroup

    groups = tuple(
        WeightGroup(name, tuple(f"{name}_{k}" for k in range(ratios.shape[1]))) for name, ratios in block.ratios.items()
    )
    info = RunInfo(1.0, 0.1, (2212, 2212), (6500.0, 6500.0), weight_groups=groups, attributes=tuple(block.attributes))
    task = FormatTask(PartOfFile(parts[0].path, parts[0].sums), 1.0, info, False)
    start = time.process_time()
    text = format_events(block, task)
    plain = time.process_time() - start
    start = time.process_time()
    packed = format_events(block, replace(task, compressed=True))
    compression = time.process_time() - start - plain
    scale = events / len(block)
    seconds |= {"text": plain * scale, "compression": compression * scale}
    rows = [[name, 1e6 * value / events, events / value] for name, value in seconds.items()]
    rows.append(["all", 1e6 * sum(seconds.values()) / events, events / sum(seconds.values())])
    print_table("Drell-Yan with 32 replica weights, one core", ["step", "us/event", "events/s"], rows)
    sizes = {"part": size, "text": text.length / len(block), "compressed": len(packed.data) / len(block)}
    print_table("Size of an event", ["where", "bytes"], [[name, value] for name, value in sizes.items()])
    return {"microseconds": {row[0]: row[1] for row in rows}, "bytes": sizes}


def _memory(folder: Path, numbers: list[int]) -> dict[str, Any]:
    """Peak memory of the main process of a run with a flow, torch loaded."""
    rows, found = [], {}
    for number in sorted(numbers):
        card = folder / f"card_{number}.yaml"
        card.write_text(f"process: drell-yan\nsampler: flow\nevents: {number}\nthreads: 1\n", encoding="utf-8")
        out = folder / f"run_{number}"
        megabytes, seconds = peak("run", str(card), "-q", "-o", str(out))
        found[str(number)] = {"megabytes": megabytes, "cpu_seconds": seconds}
        rows.append([f"{number:,}", megabytes, seconds])
        (out / "events.lhe.gz").unlink()
    print_table("Peak memory of a run with a flow", ["events", "MB", "CPU s"], rows)
    first = rows[0][1]
    print(f"growth: {100.0 * (max(row[1] for row in rows) / first - 1.0):.1f}%")
    return found
