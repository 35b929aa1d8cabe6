"""The sampler file: what is written comes back; what is damaged is named, and never crashes."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge import core
from mcbridge.core import _core
from mcbridge.errors import UserError

ARRAYS = {"double": np.arange(6.0).reshape(2, 3), "single": np.arange(4, dtype=np.float32), "empty": np.zeros((0, 2))}


@pytest.fixture(scope="module")
def small(channel, tmp_path_factory):
    """The path and the bytes of a small file that has everything."""
    path = tmp_path_factory.mktemp("file") / "small.mcb"
    cells = core.Cells([1], [[[0, 0.5]], [[0.5, 1]]], [0.5, 0.5], [0.1, 0.9], [[1.0], [0.0]])
    spec = core.FlowSpec(1, context=1, blocks=1, hidden=2, layers=2, bins=2, periodic=(0,))
    params = np.random.default_rng(1).normal(size=spec.parameters)
    channels = [core.ChannelSampler(2, [[0, 0.4, 1]], cells, spec, params, 0.5), channel(1, flow=False, increments=3)]
    core.write_sampler_file(path, channels, '{"name": "small"}', ARRAYS)
    return path, path.read_bytes()


def refused(path, content):
    """The file is refused with a sentence that names it; returns the sentence."""
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        core.read_sampler_file(path)
    assert str(path) in str(error.value)
    with pytest.raises(_core.FileError):
        _core.read_sampler_file(str(path))
    return str(error.value)


def read_or_told(path):
    """What the file holds, or None where it is refused with a sentence that names it."""
    try:
        return core.read_sampler_file(path)
    except UserError as error:
        if str(path) not in str(error):
            raise AssertionError(f"the file is not named: {error}") from error
        return None


def sealed(content):
    """The file with checksums that fit its content: what a writer with a mistake would leave."""
    made = bytearray(content)
    sections = struct.unpack_from("<Q", made, 16)[0]
    for i in range(min(sections, (len(made) - 64) // 64)):
        entry = 64 + 64 * i
        offset, size = struct.unpack_from("<QQ", made, entry + 16)
        if offset + size <= len(made):
            struct.pack_into("<I", made, entry + 32, zlib.crc32(made[offset : offset + size]))
    if 64 + 64 * sections <= len(made):
        struct.pack_into("<I", made, 32, zlib.crc32(made[64 : 64 + 64 * sections]))
    struct.pack_into("<I", made, 36, zlib.crc32(made[:36]))
    return bytes(made)


def test_everything_comes_back(every_kind, tmp_path):
    path = tmp_path / "sampler.mcb"
    core.write_sampler_file(path, [every_kind, every_kind], "Grüße", ARRAYS)
    channels, metadata, arrays = core.read_sampler_file(path)
    assert metadata == "Grüße"
    assert set(arrays) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)
    r = np.random.default_rng(4).random((1000, every_kind.uniforms))
    for again in channels:
        assert again.spec == every_kind.spec
        assert again.eps == every_kind.eps
        for found, expected in zip(again.sample(r), every_kind.sample(r), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_writing_twice_gives_the_same_bytes(every_kind, tmp_path):
    one, two = tmp_path / "one.mcb", tmp_path / "two.mcb"
    core.write_sampler_file(one, [every_kind], "m", ARRAYS)
    core.write_sampler_file(two, core.read_sampler_file(one)[0], "m", ARRAYS)
    assert one.read_bytes() == two.read_bytes()


def test_a_missing_file_a_folder_and_an_empty_file_are_named(tmp_path):
    for path, words in [(tmp_path / "none.mcb", "cannot be read"), (tmp_path, "not a file")]:
        with pytest.raises(UserError, match=words) as error:
            core.read_sampler_file(path)
        assert str(path) in str(error.value)
    assert "0 bytes" in refused(tmp_path / "empty.mcb", b"")


def test_a_file_cut_at_any_length_is_refused(small, tmp_path):
    _, content = small
    for length in range(len(content)):
        sentence = refused(tmp_path / "cut.mcb", content[:length])
        assert "truncated" in sentence


def test_a_wrong_byte_anywhere_is_found(small, tmp_path):
    """Every byte counts, but for the padding between the parts, which nobody reads."""
    path, content = small
    expected = core.read_sampler_file(path)
    generator = np.random.default_rng(1)
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= int(generator.integers(1, 256))
        other = tmp_path / "flip.mcb"
        other.write_bytes(damaged)
        found = read_or_told(other)
        if found is None:
            continue
        assert found[1] == expected[1]
        for one, two in zip(found[0], expected[0], strict=True):
            r = np.full((1, one.uniforms), 0.3)
            np.testing.assert_array_equal(one.sample(r)[1], two.sample(r)[1])


@pytest.mark.parametrize(
    ("place", "format", "value", "words"),
    [
        (0, "8s", b"PNG\r\n\x1a\n\0", "not a sampler file"),
        (8, "<I", 2, "version 2; this binnis reads version 1"),
        (8, "<I", 2**32 - 1, "version"),
        (12, "<I", 0x04030201, "byte order"),
        (16, "<Q", 2**63, "table of sections"),
        (16, "<Q", 0, "no channel"),
        (24, "<Q", 2**62, "truncated"),
        (64 + 16, "<Q", 2**64 - 64, "outside the file"),
        (64 + 16, "<Q", 1, "outside the file"),
        (64 + 24, "<Q", 2**64 - 1, "outside the file"),
    ],
)
def test_a_wrong_entry_of_the_header_is_named(small, tmp_path, place, format, value, words):
    _, content = small
    damaged = bytearray(content)
    struct.pack_into(format, damaged, place, value)
    assert words in refused(tmp_path / "header.mcb", sealed(damaged))


def test_sections_of_an_unknown_kind_are_skipped(small, tmp_path):
    path, content = small
    made = bytearray(content)
    sections = struct.unpack_from("<Q", made, 16)[0]
    last = 64 + 64 * (sections - 1)
    struct.pack_into("16s", made, last, b"of the future")
    (tmp_path / "new.mcb").write_bytes(sealed(made))
    found, expected = core.read_sampler_file(tmp_path / "new.mcb"), core.read_sampler_file(path)
    assert len(found[0]) == len(expected[0])
    assert len(found[2]) == len(expected[2]) - 1


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_content_that_makes_no_sense_never_crashes_the_reader(small, data):
    """Random damage under right checksums: refused with a sentence, or a channel that still works."""
    path, content = small
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 8))
        kind = data.draw(st.sampled_from(["<B", "<i", "<Q", "<d"]))
        values = {"<B": st.integers(0, 255), "<i": st.integers(-(2**31), 2**31 - 1), "<Q": st.integers(0, 2**64 - 1)}
        struct.pack_into(kind, damaged, place, data.draw(values.get(kind, st.floats(width=64))))
    other = path.with_name("fuzz.mcb")
    other.write_bytes(sealed(damaged))
    found = read_or_told(other)
    for each in [] if found is None else found[0]:
        u, _ = each.sample(np.random.default_rng(1).random((20, each.uniforms)))
        each.density(u)


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused(small, content):
    refused(small[0].with_name("noise.mcb"), content)
    refused(small[0].with_name("noise.mcb"), small[1][:64] + content)


def test_a_file_that_cannot_be_written_is_named(channel, tmp_path):
    with pytest.raises((UserError, OSError), match="folder"):
        core.write_sampler_file(tmp_path / "folder" / "x" / "s.mcb", [channel(1)], "", {})


MEMORY = """
import sys
from mcbridge import core

def memory():
    with open("/proc/self/smaps_rollup") as lines:
        found = {line.split()[0]: int(line.split()[1]) for line in lines if line.split()[-1] == "kB"}
    return found["Private_Dirty:"], found["Shared_Clean:"] + found["Private_Clean:"]

before = memory()
kept = core._core.read_sampler_file(sys.argv[1])
after = memory()
print(after[0] - before[0], after[1] - before[1])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_processes_share_the_parameters_through_the_mapped_file(tmp_path):
    """Opening 40 MB of parameters costs pages of the file's cache, which processes share, and no memory of its own."""
    spec = core.FlowSpec(16, hidden=256, layers=4)
    params = np.zeros(spec.parameters, np.float32)
    channels = [core.ChannelSampler(16, spec=spec, params=params, eps=0.1) for _ in range(4)]
    size = sum(4 * spec.parameters for _ in channels) / 1024
    assert size > 20_000
    core.write_sampler_file(tmp_path / "big.mcb", channels, "", {})
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "big.mcb"], capture_output=True, text=True, check=True, timeout=60
    )
    own, of_the_file = map(int, done.stdout.split())
    assert own < 0.1 * size
    assert of_the_file > 0.9 * size


def test_a_sampler_outlives_the_name_of_its_file(channel, tmp_path):
    """The mapping is kept by the channels: the file can be replaced or removed while a generator runs."""
    path = tmp_path / "sampler.mcb"
    original = channel(3)
    core.write_sampler_file(path, [original], "", {})
    [opened], _, _ = core.read_sampler_file(path)
    core.write_sampler_file(path, [channel(3, seed=9)], "", {})
    r = np.random.default_rng(4).random((100, 5))
    np.testing.assert_array_equal(opened.sample(r)[0], original.sample(r)[0])
    path.unlink()
    np.testing.assert_array_equal(opened.sample(r)[1], original.sample(r)[1])
