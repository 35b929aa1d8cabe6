"""Channel samplers of every kind, and the compiler for the tests of the C parts."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcbridge import core


def make_channel(dim=3, eps=0.1, periodic=(), cells=False, flow=True, kind="rqs", size=0.3, seed=1, increments=12):
    """A channel with a random grid and a random flow; with cells, coordinate 0 is discrete with three boxes."""
    generator = np.random.default_rng(seed)
    continuous = dim - 1 if cells else dim
    grid = []
    for _ in range(continuous):
        widths = generator.uniform(0.2, 1.0, increments)
        knots = np.concatenate([[0.0], np.cumsum(widths) / widths.sum()])
        knots[-1] = 1.0
        grid.append(knots)
    table = None
    if cells:
        boxes = [[[0.0, 0.2]], [[0.2, 0.7]], [[0.7, 1.0]]]
        table = core.Cells([0], boxes, [0.2, 0.5, 0.3], [0.6, 0.1, 0.3], np.eye(3))
    spec = params = None
    if flow:
        spec = core.FlowSpec(continuous, context=3 if cells else 0, periodic=periodic, kind=kind, hidden=16, bins=6)
        params = (size * generator.normal(size=spec.parameters)).astype(np.float32)
    return core.ChannelSampler(dim, grid=grid, cells=table, spec=spec, params=params, eps=eps)


@pytest.fixture(scope="session")
def channel():
    """The factory of channels."""
    return make_channel


KINDS = {
    "one dimension": {"dim": 1},
    "one periodic dimension": {"dim": 1, "periodic": (0,)},
    "grid alone": {"dim": 2, "flow": False},
    "splines": {"dim": 3},
    "periodic": {"dim": 3, "periodic": (1,)},
    "affine": {"dim": 2, "kind": "affine"},
    "cells": {"dim": 3, "cells": True},
    "cells and periodic": {"dim": 3, "cells": True, "periodic": (0,)},
    "cells without a flow": {"dim": 2, "cells": True, "flow": False},
}


@pytest.fixture(params=sorted(KINDS))
def every_kind(request):
    """One channel of each kind."""
    return make_channel(**KINDS[request.param])


SETS = {
    "kernel_avx2": ["-mavx2", "-mfma"],
    "kernel_avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}


def compiled(name, source, target, *flags):
    """Compile one program; the test is skipped where there is no compiler."""
    compiler = shutil.which(os.environ.get(*name))
    if compiler is None:
        pytest.skip(f"no compiler: {name[1]}")
    made = subprocess.run([compiler, *map(str, source), "-o", str(target), *flags], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return Path(target)


@pytest.fixture(scope="session")
def c_program(tmp_path_factory):
    """Compile a C program of this folder against the library: name -> path of the program."""
    home = Path(core.__file__).parent

    def build(name):
        target = tmp_path_factory.mktemp("c") / "program"
        library = home / "lib"
        flags = ["-std=c99", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{home / 'include'}", f"-L{library}"]
        source = Path(__file__).with_name(name)
        return compiled(("CC", "cc"), [source], target, *flags, "-lmcbridge", f"-Wl,-rpath,{library}", "-lm")

    return build


@pytest.fixture(scope="session")
def sanitized_program(tmp_path_factory):
    """The core's C++ sources with the driver, under the address and undefined-behaviour sanitizers."""
    home = Path(core.__file__).parent
    folder = tmp_path_factory.mktemp("sanitized")
    units = {"driver": Path(__file__).with_name("driver.cpp")}
    plain = ["architecture", "batch", "channel_sampler", "dispatch", "sampler_file", "kernel_generic", "mcbridge"]
    units |= {name: home / "src" / f"{name}.cpp" for name in plain}
    flags = ["-std=c++17", "-O1", "-g", "-pthread", "-Wno-psabi", f"-I{home / 'src'}", f"-I{home / 'include'}"]
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    if platform.machine().lower() in ("x86_64", "amd64"):
        flags.append("-DMCB_X86")
        units |= {name: home / "src" / f"{name}.cpp" for name in SETS}
    objects = [
        compiled(("CXX", "c++"), [source], folder / f"{name}.o", "-c", *flags, *SETS.get(name, []))
        for name, source in units.items()
    ]
    return compiled(("CXX", "c++"), objects, folder / "driver", *flags)
