"""Raw event files: every byte comes back, whatever the blocks and windows are, and broken files are told."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcbridge.errors import UserError
from mcbridge.lhe import raw
from mcbridge.lhe.raw import RawFile
from mcbridge.lhe.records import parse_records

HEAD = b'<LesHouchesEvents version="3.0">\n<header>\n<!-- <init> in a comment -->\n</header>\n<init>\n11 -11\n</init>\n'
EVENT = b"""<event npLO=" 1 ">
 2   1 +1.5D+00 9.1e+01 7.8e-03 1.2e-01
  11 -1 0 0 0 0 0. 0. 45. 45. 0. 0. 9.
  13  1 1 1 0 0 1. 2. 3. 1.4e1 0.1 0. 9.
# a comment of the generator
<mgrwt>
<rscale> 0 0.9E+02</rscale>
</mgrwt>
</event>"""
END = b"</LesHouchesEvents>\n"


def together(file):
    blocks = list(file)
    inner = b"".join(gap + event for block in blocks for gap, event in zip(block.gaps, block.events, strict=True))
    return file.preamble + inner + file.tail, blocks


@given(
    gaps=st.lists(st.sampled_from([b"\n", b"", b"\r\n# note\r\n", b"\n<!-- <event> of no meaning -->\n"]), max_size=6),
    window=st.integers(1, 200),
    block=st.integers(1, 4),
    compressed=st.booleans(),
)
def test_all_bytes_come_back_whatever_window_and_block(tmp_path_factory, gaps, window, block, compressed):
    content = HEAD + b"".join(EVENT + gap for gap in [*gaps, b"\n"]) + END + b"<!-- trailer -->"
    path = tmp_path_factory.mktemp("raw") / "e.lhe"
    path.write_bytes(gzip.compress(content) if compressed else content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(raw, "_CHUNK", window)
        file = RawFile(path, block)
        for _ in range(2):
            found, blocks = together(file)
            assert found == content
    assert file.compressed == compressed
    assert sum(map(len, blocks)) == len(gaps) + 1
    assert [b.first for b in blocks] == list(range(1, len(gaps) + 2, block))
    assert all(event == EVENT for b in blocks for event in b.events)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no event file"),
        (b"some text\n<init>\n</init>\n<event>", "no event file"),
        (b"<LesHouchesEvents>\n<header>", "no <init> block"),
        (HEAD + END, "has no events"),
        (HEAD + EVENT, "cut short"),
        (HEAD + EVENT + EVENT[:40], "event 2 has no </event>"),
        (HEAD + EVENT[:40] + EVENT + END, "event 1 has no </event>"),
        (HEAD + b"<eventgroup>" + EVENT + b"</eventgroup>" + END, "correlated events"),
        (gzip.compress(HEAD + EVENT + END)[:-20], "gzip"),
    ],
)
def test_broken_files_are_told(tmp_path, content, words):
    (tmp_path / "e.lhe").write_bytes(content)
    with pytest.raises(UserError, match=words):
        list(RawFile(tmp_path / "e.lhe"))


def test_numbers_of_events_by_kind(tmp_path):
    other = EVENT.replace(b"  13  1", b" -13  1")
    (tmp_path / "e.lhe").write_bytes(HEAD + EVENT + other + EVENT + END)
    kinds = {}
    (block,) = RawFile(tmp_path / "e.lhe")
    first, second = parse_records(block, kinds)
    assert first.kind.pdg_ids == (11, 13)
    assert first.kind.final == (1,)
    assert first.kind.mothers == ((0, 0), (1, 1))
    assert first.rows.tolist() == [0, 2]
    assert second.rows.tolist() == [1]
    assert first.weight.tolist() == [1.5, 1.5]
    assert first.momenta[0].tolist() == [[45.0, 0.0, 0.0, 45.0], [14.0, 1.0, 2.0, 3.0]]
    assert first.masses[1].tolist() == [0.0, 0.1]
    assert len(kinds) == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b" 2   1 ", b" 3   1 ", "event 1 .* 3 particles need 45 numbers; it has 32"),
        (b" 2   1 ", b" x   1 ", "event 1 .* cannot be read"),
        (b"1.4e1", b"wide", "event 1 .* cannot be read"),
        (b"1.4e1", b"nan", "event 1 .* not finite"),
        (b"+1.5D+00", b"1e400", "event 1 .* not finite"),
        (b" 2   1 ", b" 99999999 1 ", "says it has 99999999 particles"),
    ],
)
def test_broken_events_are_named(tmp_path, old, new, words):
    (tmp_path / "e.lhe").write_bytes(HEAD + EVENT.replace(old, new) + END)
    (block,) = RawFile(tmp_path / "e.lhe")
    with pytest.raises(UserError, match=words):
        parse_records(block, {})
