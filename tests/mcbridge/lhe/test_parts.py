"""Events in parts: joined they are the file that is written at once, and the checksum of the whole is right."""

from __future__ import annotations

import gzip
import zlib

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.lhe import join_parts, write
from mcbridge.lhe.parts import PartOfFile, arrays_of, events_of, format_events, sums_of
from mcbridge.lhe.stream import Deflated, OutputStream, crc32_joined
from tests.mcbridge.lhe.test_files import INFO
from tests.mcbridge.lhe.test_files import events as some


def test_checksums_of_stretches_make_that_of_the_whole():
    rng = np.random.default_rng(4)
    for first, second in [(0, 0), (1, 1), (1000, 0), (0, 77), (12345, 70001)]:
        a, b = rng.bytes(first), rng.bytes(second)
        assert crc32_joined(zlib.crc32(a), zlib.crc32(b), len(b)) == zlib.crc32(a + b)


def test_stretches_and_text_make_one_gzip_member(tmp_path):
    texts = ["x" * 3, "événement\n" * 200_000, ""]
    with OutputStream(tmp_path / "a.gz", True) as stream:
        stream.write("first ")
        stream.append(Deflated.of(texts[:1], True))
        stream.append(Deflated.of(texts[1:], True))
        stream.write(" last")
    content = (tmp_path / "a.gz").read_bytes()
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert inflater.decompress(content).decode() == "first " + "".join(texts) + " last"
    assert inflater.eof
    assert not inflater.unused_data


@pytest.mark.parametrize("name", ["events.lhe", "events.lhe.gz"])
def test_joined_parts_are_the_file_that_is_written_at_once(tmp_path, name):
    parts = [some(n) for n in (5000, 1, 300)]
    paths = {tmp_path / str(index): events for index, events in enumerate(parts)}
    seen = []
    written = join_parts(
        tmp_path / name,
        [PartOfFile(path, sums_of(events)) for path, events in paths.items()],
        INFO,
        lambda tasks: (format_events(paths[task.part.path], task) for task in tasks),
        lambda done, total: seen.append((done, total)),
    )
    other = write(tmp_path / f"whole_{name}", parts, INFO)
    contents = [(tmp_path / file).read_bytes() for file in (name, f"whole_{name}")]
    if name.endswith(".gz"):
        contents = [gzip.decompress(content) for content in contents]
    assert contents[0] == contents[1]
    assert (written.events, written.mean_weight) == (5301, pytest.approx(other.mean_weight, rel=1e-14))
    assert seen == [(5000, 5301), (5001, 5301), (5301, 5301)]


def test_events_come_back_from_their_arrays():
    events = some(7)
    again = events_of(arrays_of(events), 4)
    assert len(again) == 4
    np.testing.assert_array_equal(again.batch.momenta, events.batch.momenta[:4])
    np.testing.assert_array_equal(again.weight, events.weight[:4])
    with pytest.raises(UserError, match="lacks the array 'weight'"):
        events_of({name: array for name, array in arrays_of(events).items() if name != "weight"})
