"""The flows whose speed is compared: the same architecture, random parameters, given points; what each can be timed at.

Every contestant is a table from task to a function without arguments that does the task once:

* ``sampling``, ``sampling large``: points and densities from given uniforms, ``BATCH`` or ``LARGE`` of them;
* ``density+gradient``: sum of log densities of ``BATCH`` given points, and its gradient with respect to the parameters;
* ``training step``: the same with the Kullback-Leibler loss and Adam.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import vegas

from mcbridge import core
from mcbridge.core import FlowSpec
from plugin.flows import Flow, kernel_weighted_sum
from plugin.training.losses import forward_kl
from plugin.training.optimise import Optimiser

__all__ = [
    "BATCH",
    "LARGE",
    "TASKS",
    "Work",
    "binnis_work",
    "channels_work",
    "compiled_work",
    "flow_spec",
    "instructions",
    "madnis_work",
    "madspace_work",
    "multiply_adds",
    "points",
    "torch_work",
    "vegas_work",
]

BATCH, LARGE = 1024, 16384
TASKS = ("sampling", "sampling large", "density+gradient", "training step")
Work = dict[str, Callable[[], object]]


def flow_spec(dim: int) -> FlowSpec:
    """2 ceil(log2 dim) blocks (6 for 8 dimensions, as madnis and madspace have), 3 layers of 32, 10 bins."""
    return FlowSpec(dim, hidden=32, layers=3, bins=10)


def multiply_adds(spec: FlowSpec) -> int:
    """Fused multiply-adds of the conditioners for one point."""
    widths = [spec.widths(block) for block in range(spec.count)]
    return sum(into * out for own in widths for into, out in pairwise(own))


def points(n: int, dim: int) -> Any:
    """(n, dim) uniforms, float32."""
    return np.random.default_rng(n + dim).random((n, dim), dtype=np.float32)


@contextmanager
def instructions(isa: str) -> Iterator[None]:
    """The C++ kernel with one instruction set."""
    old = os.environ.get("BINNIS_ISA")
    os.environ["BINNIS_ISA"] = isa
    try:
        yield
    finally:
        if old is None:
            del os.environ["BINNIS_ISA"]
        else:
            os.environ["BINNIS_ISA"] = old


def _shaken(module: torch.nn.Module) -> None:
    """Random parameters, so that no flow is timed at the identity."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator).to(parameter), alpha=0.1)


def vegas_work(dim: int) -> Work:
    """A VEGAS grid of 128 increments, adapted once: the cost of a point without a flow."""
    grid = vegas.AdaptiveMap([[0.0, 1.0]] * dim, ninc=128)
    work: Work = {}
    for task, n in (("sampling", BATCH), ("sampling large", LARGE)):
        y = points(n, dim).astype(np.float64)
        grid.add_training_data(y, 1.0 + y[:, 0])
        work[task] = partial(grid.map, y, np.empty_like(y), np.empty(n))
    grid.adapt(alpha=0.5)
    return work


def madnis_work(spec: FlowSpec) -> Work:
    """The flow of madnis in float32, torch's default, which is its faster one."""
    from madnis.nn import Flow as MadnisFlow

    masks = ~torch.tensor(spec.masks)  # its masks name the conditions
    flow = MadnisFlow(spec.dim, condition_masks=masks, layers=spec.layers, units=spec.hidden, bins=spec.bins)
    _shaken(flow)
    return _module_work(
        spec.dim, list(flow.parameters()), lambda z: flow.transform(z, inverse=True), lambda y: flow.log_prob(y)
    )


def _module_work(
    dim: int, parameters: list[torch.nn.Parameter], draw: Callable[..., object], log_prob: Callable[..., torch.Tensor]
) -> Work:
    """Tasks of a flow made of torch operations."""
    y, z, large = (torch.from_numpy(points(n, dim)) for n in (BATCH, BATCH + 1, LARGE))
    z = z[:BATCH]
    adam = torch.optim.Adam(parameters, lr=1e-5)

    def sampling(z: torch.Tensor) -> object:
        with torch.inference_mode():
            return draw(z)

    def gradient() -> None:
        adam.zero_grad()
        log_prob(y).sum().backward()  # type: ignore[no-untyped-call]

    def step() -> None:
        adam.zero_grad()
        (-log_prob(y).mean()).backward()  # type: ignore[no-untyped-call]
        adam.step()

    return {
        "sampling": lambda: sampling(z),
        "sampling large": lambda: sampling(large),
        "density+gradient": gradient,
        "training step": step,
    }


def madspace_work(spec: FlowSpec, threads: int) -> Work:
    """The flow of madspace (float64, compiled), with its own operation for torch."""
    import madspace
    from madspace.torch import FunctionModule

    context = madspace.Context(threads)
    flow = madspace.Flow(spec.dim, 0, "flow", spec.bins, spec.hidden, spec.layers)
    flow.initialize_globals(context, 1)
    draw = madspace.FunctionRuntime(flow.forward_function(), context)
    module = FunctionModule(flow.inverse_function(), context)
    _shaken(module)
    y, z, large = (points(n, spec.dim).astype(np.float64) for n in (BATCH, BATCH + 1, LARGE))
    z, y = z[:BATCH], torch.from_numpy(y)
    adam = torch.optim.Adam(module.parameters(), lr=1e-5)

    def gradient() -> None:
        adam.zero_grad()
        torch.log(module(y)[1]).sum().backward()  # type: ignore[no-untyped-call]

    def step() -> None:
        adam.zero_grad()
        (-torch.log(module(y)[1]).mean()).backward()  # type: ignore[no-untyped-call]
        adam.step()

    return {
        "sampling": lambda: draw(z),
        "sampling large": lambda: draw(large),
        "density+gradient": gradient,
        "training step": step,
    }


def torch_work(spec: FlowSpec) -> Work:
    """Our flow in pure torch, trained by the same optimiser as with the kernel."""
    flow = Flow(spec, kernel="off")
    _shaken(flow)
    work = _module_work(spec.dim, [flow.parameters_flat], flow.forward, lambda y: flow.inverse(y)[1])
    work["training step"] = _training(flow)
    return work


def _training(flow: Flow) -> Callable[[], object]:
    optimiser = Optimiser(flow, 1e-5, 10**6, 10.0, 0.999)
    y, offset = points(BATCH, flow.spec.dim), np.zeros(BATCH)
    return lambda: optimiser.step(forward_kl, y, None, None, offset)


def compiled_work(spec: FlowSpec, seconds: float) -> Work:
    """The same through ``torch.compile``, warmed up.

    Raises:
        TimeoutError: the compilation took longer than ``seconds``.
        Exception: there is no compiler, or torch could not use it.
    """
    flow = Flow(spec, kernel="off")
    _shaken(flow)
    draw, density = torch.compile(flow.forward, dynamic=False), torch.compile(flow.inverse, dynamic=False)
    work = _module_work(spec.dim, [flow.parameters_flat], draw, lambda y: density(y)[1])
    del work["sampling large"]  # another compilation for another size

    def late(*_: object) -> None:
        raise TimeoutError(f"it took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        for task in work.values():
            task()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    return work


def binnis_work(spec: FlowSpec, isa: str, threads: int) -> Work:
    """The C++ kernel with one instruction set."""
    flow = Flow(spec, threads=threads)
    _shaken(flow)
    params = flow.parameters_flat.detach().numpy()
    z, large = points(BATCH + 1, spec.dim)[:BATCH], points(LARGE, spec.dim)
    y, ones = torch.from_numpy(points(BATCH, spec.dim)), torch.ones(BATCH)
    train = _training(flow)

    def gradient() -> None:
        flow.parameters_flat.grad = None
        total = kernel_weighted_sum(flow.parameters_flat, spec, y, ones, threads=threads)
        total.backward()  # type: ignore[no-untyped-call]

    def within(task: Callable[[], object]) -> Callable[[], object]:
        def call() -> object:
            with instructions(isa):
                return task()

        return call

    return {
        "sampling": lambda: core.sample(spec, params, z, threads=threads, isa=isa),
        "sampling large": lambda: core.sample(spec, params, large, threads=threads, isa=isa),
        "density+gradient": within(gradient),
        "training step": within(train),
    }


def channels_work(spec: FlowSpec, channels: int, isa: str) -> Work:
    """The C++ kernel on ``LARGE`` points of many channels in random order."""
    generator = np.random.default_rng(5)
    params = (0.1 * generator.normal(size=(channels, spec.parameters))).astype(np.float32)
    channel = generator.integers(0, channels, LARGE)
    z, ones = points(LARGE, spec.dim), np.ones(LARGE, np.float32)
    return {
        "sampling large": lambda: core.sample(spec, params, z, channel=channel, isa=isa),
        "gradient large": lambda: core.gradient(spec, params, z, ones, channel=channel, isa=isa),
    }
