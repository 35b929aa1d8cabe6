"""Replicas through the C interface: the densities that generators see are those of Python."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from mcbridge import core
from mcbridge.samplers import Replicas, Sampler

LIBRARY = Path(core.__file__).parent / "lib" / "libmcbridge.so"
DOUBLES = ctypes.POINTER(ctypes.c_double)


@pytest.fixture(scope="module")
def library():
    found = ctypes.CDLL(str(LIBRARY))
    found.mcb_open.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_size_t]
    found.mcb_close.argtypes = [ctypes.c_void_p]
    found.mcb_replicas.argtypes = [ctypes.c_void_p]
    found.mcb_replica_densities.argtypes = [
        ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, DOUBLES, DOUBLES, ctypes.c_char_p, ctypes.c_size_t,
    ]  # fmt: skip
    return found


@pytest.fixture
def opened(library):
    handles = []

    def use(path):
        handle = ctypes.c_void_p()
        message = ctypes.create_string_buffer(200)
        assert library.mcb_open(str(path).encode(), ctypes.byref(handle), message, 200) == 0, message.value
        handles.append(handle)
        return handle

    yield use
    for handle in handles:
        library.mcb_close(handle)


def densities(library, handle, channel, u, replicas):
    message = ctypes.create_string_buffer(200)
    points, found = np.ascontiguousarray(u), np.full((replicas, len(u)), -1.0)
    code = library.mcb_replica_densities(
        handle, channel, len(u), points.ctypes.data_as(DOUBLES), found.ctypes.data_as(DOUBLES), message, 200
    )
    return code, found, message.value.decode()


def sampler(flow=True):
    generator = np.random.default_rng(1)
    spec = core.FlowSpec(1, hidden=8, bins=5, context=2)
    cells = core.Cells((1,), [[[0.0, 0.3]], [[0.3, 1.0]]], [0.5, 0.5], [0.2, 0.8], np.eye(2))
    grid = [np.array([0.0, 0.4, 1.0])]
    own = (0.1 * generator.normal(size=(6, 2, spec.parameters))).astype(np.float32)
    channels = [
        core.ChannelSampler(2, grid, cells, spec, own[0, channel], 0.3) if flow else core.ChannelSampler(2, grid, cells)
        for channel in range(2)
    ]
    return Sampler(channels, replicas=Replicas(spec, own))


def test_densities_are_those_of_python(library, opened, tmp_path):
    made = sampler()
    made.save(tmp_path / "s.mcb")
    handle = opened(tmp_path / "s.mcb")
    assert library.mcb_replicas(handle) == 6
    u = np.random.default_rng(2).random((300, 2))
    u[7] = 1.5
    for channel in (0, 1):
        code, found, _ = densities(library, handle, channel, u, 6)
        assert code == 0
        assert found == pytest.approx(made.replica_densities(channel, u), rel=1e-6)
        assert np.all(found[:, 7] == 0.0)


def test_what_cannot_be_answered_is_told_in_a_sentence(library, opened, tmp_path):
    u = np.full((1, 2), 0.5)
    sampler().with_replicas(None).save(tmp_path / "none.mcb")
    handle = opened(tmp_path / "none.mcb")
    assert library.mcb_replicas(handle) == 0
    assert library.mcb_replicas(None) == -1
    assert "holds no replicas" in densities(library, handle, 0, u, 1)[2]
    assert "no such sampler or channel" in densities(library, handle, 5, u, 1)[2]
    sampler(flow=False).save(tmp_path / "vegas.mcb")
    code, _, message = densities(library, opened(tmp_path / "vegas.mcb"), 0, u, 6)
    assert code == 2
    assert "no flow of the replicas' architecture" in message
