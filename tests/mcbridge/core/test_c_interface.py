"""A C program reads a sampler file and draws the points that Python draws, without Python."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from mcbridge import core

N, SEED = 500, 12345


def uniforms_of_the_program(count):
    state, found = SEED, np.empty(count)
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        found[i] = (state >> 11) / 2.0**53
    return found


@pytest.fixture(scope="module")
def client(c_program):
    return c_program("client.c")


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_generator_draws_the_points_that_python_draws(client, channel, tmp_path, number):
    channels = [channel(3), channel(3, cells=True, periodic=(0,), seed=2), channel(3, flow=False)]
    path, record = tmp_path / "sampler.mcb", tmp_path / "points"
    core.write_sampler_file(path, channels, '{"name": "test"}', {"numbers": np.arange(3.0)})
    done = subprocess.run(
        [client, path, str(number), str(N), str(SEED), record], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == '1001 3 3 {"name": "test"}'
    found = np.array([line.split() for line in lines], dtype=float)
    u, density = channels[number].sample(uniforms_of_the_program(5 * N).reshape(N, 5))
    np.testing.assert_array_equal(found[:, :3], u)
    np.testing.assert_array_equal(found[:, 3], density)

    raw = record.read_bytes()
    assert raw[:8] == b"MCBRECD1"
    assert np.frombuffer(raw[8:16], np.int64)[0] == 3
    rows = np.frombuffer(raw[16:], np.float64).reshape(N, 6)
    np.testing.assert_array_equal(rows[:, 0], number)
    np.testing.assert_array_equal(rows[:, 1:4], u)
    np.testing.assert_array_equal(rows[:, 4], np.arange(N))
    np.testing.assert_array_equal(rows[:, 5], density)


def test_the_c_library_needs_neither_python_nor_torch():
    library = Path(core.__file__).parent / "lib" / "libmcbridge.so"
    ldd = shutil.which("ldd")
    if ldd is None:
        pytest.skip("no ldd")
    needed = subprocess.run([ldd, library], capture_output=True, text=True, check=True).stdout.lower()
    assert "libstdc++" in needed
    assert "python" not in needed
    assert "torch" not in needed
    assert "not found" not in needed


def test_the_c_library_exports_nothing_but_its_interface():
    library = Path(core.__file__).parent / "lib" / "libmcbridge.so"
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("no nm")
    lines = subprocess.run([nm, "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout
    names = {line.split()[-1].split("@")[0] for line in lines.splitlines()}
    assert {"mcb_open", "mcb_close", "mcb_sample", "mcb_density", "mcb_record"} <= names
    assert not [name for name in names if "kernel" in name or name.startswith("Py")]
