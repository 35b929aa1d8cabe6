"""Speed of the flow: vegas, madnis, madspace, pure torch, torch.compile and the C++ kernel on one and on two threads.

The contestants take turns, and every figure is a median over the rounds (a ratio: of the ratios within a round), so
that what else the machine does cancels. One core is timed in CPU seconds, two threads in seconds by the clock.
"""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import torch

from benchmarks import kernel_peers as peers
from benchmarks.table import print_table, store
from mcbridge import core

__all__ = ["add_arguments", "run"]

Seconds = dict[str, dict[str, list[float]]]  # contestant -> task -> seconds of one call, by round


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=9, help="rounds, of which medians are taken [9]")
    parser.add_argument("--compile-seconds", type=float, default=60, help="limit for torch.compile, 0: without it [60]")
    parser.add_argument("--dim", type=int, action="append", help="only these dimensions (repeatable) [4, 8, 16]")


def run(arguments: argparse.Namespace) -> None:
    """Time everything, print one table for each number of threads."""
    dims = arguments.dim or [4, 8, 16]
    content: dict[str, Any] = {"instruction_set": core.instruction_set(), "points_per_second": {}}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        rows: list[list[Any]] = []
        for dim in dims:
            seconds, peak = _rounds(_contestants(dim, threads, arguments.compile_seconds), arguments.rounds, threads)
            rows += _rows(dim, seconds, peak)
            name = f"{threads} thread" + "s" * (threads > 1)
            content["points_per_second"].setdefault(name, {})[str(dim)] = _rates(seconds)
            if threads == 1:
                content["fma_peak"] = peak
                if dim == 8:
                    content["ratios"] = _ratios(dim, seconds, peak)
        print_table(
            f"{threads} thread{'s' * (threads > 1)}: thousand points/s, in brackets the kernel's gain",
            ["dim", "flow", *(f"{task} ({_points(task)})" for task in peers.TASKS), "sampling/peak"],
            rows,
        )
    if "ratios" in content:
        print_table("Ratios (d = 8, one core)", ["ratio", ""], [list(item) for item in content["ratios"].items()])
    store(arguments.json, content)


def _kernel(isa: str) -> str:
    return f"binnis, {isa}"


def _contestants(dim: int, threads: int, compile_seconds: float) -> dict[str, peers.Work]:
    spec = peers.flow_spec(dim)
    found = {"vegas": peers.vegas_work(dim)} if threads == 1 else {}
    found["madnis"] = peers.madnis_work(spec)
    found["madspace"] = peers.madspace_work(spec, threads)
    found["torch, eager"] = peers.torch_work(spec)
    if compile_seconds > 0 and threads == 1:
        try:
            found["torch.compile"] = peers.compiled_work(spec, compile_seconds)
        except Exception as error:  # whatever the compiler of the machine says
            print(f"torch.compile is left out for d = {dim}: {' '.join(str(error).split())[:100]}")
    for isa in core.instruction_sets():
        found[_kernel(isa)] = peers.binnis_work(spec, isa, threads)
    if threads == 1 and dim == 8:
        for channels in (1, 64):
            found[f"{channels} channels"] = peers.channels_work(spec, channels, core.instruction_set())
    return found


def _rounds(contestants: dict[str, peers.Work], rounds: int, threads: int) -> tuple[Seconds, dict[str, float]]:
    """Seconds of every task by round, and the best multiply-add rate of each instruction set."""
    clock = time.process_time if threads == 1 else time.perf_counter
    calls: dict[tuple[str, str], int] = {}
    for name, work in contestants.items():
        for task, function in work.items():
            function()
            start = time.perf_counter()
            function()
            calls[name, task] = max(1, round(0.02 / max(time.perf_counter() - start, 1e-6)))
    seconds: Seconds = {name: {task: [] for task in work} for name, work in contestants.items()}
    peak = dict.fromkeys(core.instruction_sets(), 0.0)
    for _ in range(rounds):
        for isa in peak:
            peak[isa] = max(peak[isa], core.fma_peak(isa))
        for task in (*peers.TASKS, "gradient large"):
            for name, work in contestants.items():
                if task not in work:
                    continue
                n = calls[name, task]
                work[task]()  # the caches are this contestant's again
                start = clock()
                for _ in range(n):
                    work[task]()
                seconds[name][task].append((clock() - start) / n)
    return seconds, peak


def _rates(seconds: Seconds) -> dict[str, dict[str, float]]:
    return {
        name: {task: _points(task) / median(times) for task, times in work.items()} for name, work in seconds.items()
    }


def _points(task: str) -> int:
    return peers.LARGE if task.endswith("large") else peers.BATCH


def _gain(seconds: Seconds, slow: str, fast: str, task: str) -> float:
    """How many times faster, median over the rounds."""
    return median(a / b for a, b in zip(seconds[slow][task], seconds[fast][task], strict=True))


def _rows(dim: int, seconds: Seconds, peak: dict[str, float]) -> list[list[Any]]:
    best = _kernel(core.instruction_set())
    rates = _rates(seconds)
    rows: list[list[Any]] = []
    for name in seconds:
        if name.endswith("channels"):
            continue
        row: list[Any] = [dim if not rows else "", name]
        for task in peers.TASKS:
            if task not in rates[name]:
                row.append("")
                continue
            gain = "" if name.startswith("binnis") else f" ({_gain(seconds, name, best, task):.3g} x)"
            row.append(f"{rates[name][task] / 1e3:.4g}{gain}")
        isa = name.removeprefix("binnis, ")
        share = f"{_share(dim, rates[name]['sampling'], peak[isa]):.2f}" if isa in peak else ""
        rows.append([*row, share])
    return rows


def _share(dim: int, rate: float, peak: float) -> float:
    """The network's multiply-adds over those that the core could do."""
    return rate * peers.multiply_adds(peers.flow_spec(dim)) / peak


def _ratios(dim: int, seconds: Seconds, peak: dict[str, float]) -> dict[str, float]:
    isa = core.instruction_set()
    best = _kernel(isa)
    rates = _rates(seconds)
    found = {
        "sampling_vs_madnis": _gain(seconds, "madnis", best, "sampling"),
        "sampling_vs_madspace": _gain(seconds, "madspace", best, "sampling"),
        "training_vs_madnis": _gain(seconds, "madnis", best, "training step"),
        "training_vs_torch": _gain(seconds, "torch, eager", best, "training step"),
        "density_gradient_vs_madspace": _gain(seconds, "madspace", best, "density+gradient"),
        "sampling_vs_peak": _share(dim, rates[best]["sampling"], peak[isa]),
        "channels64_vs_1": _gain(seconds, "64 channels", "1 channels", "sampling large"),
        "gradient_channels64_vs_1": _gain(seconds, "64 channels", "1 channels", "gradient large"),
    }
    if "avx2" in peak:
        found["sampling_vs_madnis_avx2"] = _gain(seconds, "madnis", _kernel("avx2"), "sampling")
        found["sampling_vs_madspace_avx2"] = _gain(seconds, "madspace", _kernel("avx2"), "sampling")
        found["sampling_vs_peak_avx2"] = _share(dim, rates[_kernel("avx2")]["sampling"], peak["avx2"])
    return found
