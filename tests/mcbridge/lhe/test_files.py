"""Files are reproducible to the bit, written whole or not at all, and broken ones are told in a sentence."""

import contextlib
import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events import WeightedEvents
from mcbridge.lhe import RunInfo, WeightGroup, read, write
from mcbridge.lhe.stream import OutputStream
from mcbridge.random import Streams
from mcbridge.unweighting import unweight
from tests.mcbridge.unweighting.toys import Power, TwoChannels, lepton_pairs

INFO = RunInfo(5.0, 0.01, (11, -11), (50.0, 50.0), seed=1, card="process: wedge")


def sample(n=3000, chunk=None, seed=3):
    return unweight(TwoChannels(), Power(2.5, 0.2), [18.0, 18.0], n, Streams(seed), chunk=chunk)


def events(n, generator=None):
    generator = np.random.default_rng(0) if generator is None else generator
    batch = lepton_pairs(generator.random((n, 2)), generator.integers(1, 3, n))
    return WeightedEvents(batch, np.ones(n))


@pytest.mark.parametrize("name", ["a.lhe", "a.lhe.gz"])
def test_the_same_run_twice_gives_the_same_bytes(tmp_path, name):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write(tmp_path / "one" / name, sample(), INFO)
    write(tmp_path / "two" / name, sample(), INFO, threads=3)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    write(tmp_path / "two" / name, sample(seed=4), INFO)
    assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()


def test_the_text_does_not_depend_on_how_the_events_were_cut(tmp_path):
    whole = list(sample())
    write(tmp_path / "a.lhe", whole, INFO)
    write(tmp_path / "b.lhe", (c.select_events(slice(k, k + 7)) for c in whole for k in range(0, len(c), 7)), INFO)
    assert (tmp_path / "a.lhe").read_bytes() == (tmp_path / "b.lhe").read_bytes()


def test_gzip_holds_neither_name_nor_time(tmp_path):
    write(tmp_path / "a.lhe.gz", sample(), INFO)
    write(tmp_path / "a.lhe", sample(), INFO)
    data = (tmp_path / "a.lhe.gz").read_bytes()
    assert data[3:8] == b"\0\0\0\0\0"
    assert gzip.decompress(data) == (tmp_path / "a.lhe").read_bytes()


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40).map(lambda b: b.hex() * 5000), max_size=8), st.integers(1, 3))
def test_any_text_survives_compression_with_any_number_of_threads(tmp_path, texts, threads):
    with OutputStream(tmp_path / "x.gz", compressed=True, threads=threads) as stream:
        for text in texts:
            stream.write(text)
    assert gzip.decompress((tmp_path / "x.gz").read_bytes()).decode() == "".join(texts)


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path):
    def failing():
        yield events(10)
        raise AmplitudeError("the amplitude broke")

    with pytest.raises(AmplitudeError, match="broke"):
        write(tmp_path / "a.lhe", failing(), INFO)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_an_earlier_file_as_it_was(tmp_path):
    write(tmp_path / "a.lhe", [events(10)], INFO)
    before = (tmp_path / "a.lhe").read_bytes()
    with pytest.raises(UserError):
        write(tmp_path / "a.lhe", [], INFO)
    assert [path.name for path in tmp_path.iterdir()] == ["a.lhe"]
    assert (tmp_path / "a.lhe").read_bytes() == before


@pytest.mark.parametrize("name", ["a.lhe", "a.lhe.gz"])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_full_disk_is_told_in_a_sentence_and_nothing_is_left(tmp_path, monkeypatch, name, threads):
    class Full:
        def __init__(self, path, mode):
            self.file = open(path, mode)  # noqa: SIM115
            self.room = 20_000

        def write(self, data):
            self.room -= len(data)
            if self.room < 0:
                raise OSError(28, "No space left on device")
            return self.file.write(data)

        def flush(self):
            self.file.flush()

        def close(self):
            self.file.close()

    monkeypatch.setattr("mcbridge.lhe.stream.open", Full, raising=False)
    with pytest.raises(UserError, match=r"a.lhe.* cannot be written: No space left on device"):
        write(tmp_path / name, [events(5000)], INFO, threads=threads)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_told_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="No such file or directory"):
        write(tmp_path / "nowhere" / "a.lhe", [events(10)], INFO)


def test_memory_does_not_grow_with_the_number_of_events(tmp_path, monkeypatch):
    monkeypatch.setattr("mcbridge.lhe.spool._IN_MEMORY", 1 << 20)

    def peak(n):
        generator = np.random.default_rng(1)
        tracemalloc.start()
        write(tmp_path / "a.lhe.gz", (events(1000, generator) for _ in range(n)), INFO)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(1)
    assert peak(40) < 1.1 * peak(10)


def test_events_that_violate_a_law_are_not_written(tmp_path):
    broken = events(10)
    broken.batch.momenta[4, 2] *= 1.01
    with pytest.raises(AmplitudeError, match=r"event 4"):
        write(tmp_path / "a.lhe", [broken], INFO)
    assert list(tmp_path.iterdir()) == []
    assert write(tmp_path / "a.lhe", [broken], INFO, check=False).events == 10


def test_no_events_and_impossible_normalisations_are_refused(tmp_path):
    with pytest.raises(UserError, match="no events to write"):
        write(tmp_path / "a.lhe", [], INFO)
    negative = events(10)
    negative.weight *= -1.0
    with pytest.raises(UserError, match="add up to -10 and the cross section is 5 pb"):
        write(tmp_path / "a.lhe", [negative], INFO)
    assert list(tmp_path.iterdir()) == []


def test_undeclared_attributes_and_groups_are_refused(tmp_path):
    extra = events(10)
    extra.attributes = {"sigma_stat": np.ones(10)}
    with pytest.raises(UserError, match="declared are"):
        write(tmp_path / "a.lhe", [extra], INFO)
    group = RunInfo(5.0, 0.0, (11, -11), (50.0, 50.0), weight_groups=(WeightGroup("g", ("a", "b")),))
    with pytest.raises(UserError, match="weight groups"):
        write(tmp_path / "a.lhe", [WeightedEvents(extra.batch, np.ones(10), {}, {"g": np.ones((10, 3))})], group)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cross_section": float("nan")}, "cross_section is nan"),
        ({"error": -1.0}, "error is -1"),
        ({"absolute": 0.0}, "absolute is 0"),
        ({"attributes": ("sigma stat",)}, "no XML name"),
        ({"attributes": ("a", "a")}, "given twice"),
        ({"blocks": {"init": "x"}}, "another name"),
        ({"weight_groups": (WeightGroup("a", ("x",)), WeightGroup("b", ("x",)))}, "weight id 'x' is given twice"),
    ],
)
def test_nonsense_run_information_is_refused(changes, message):
    given_ = {"cross_section": 5.0, "error": 0.1, "beams": (11, -11), "energies": (50.0, 50.0)}
    with pytest.raises(UserError, match=message):
        RunInfo(**{**given_, **changes})


def test_nonsense_weight_groups_are_refused():
    for arguments in (("g", ()), ("g", ("a b",)), ("g", ("a",), ("one", "two"))):
        with pytest.raises(UserError):
            WeightGroup(*arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"card": "a\0b"}, "no XML file"), ({"figures": {"x": float("inf")}}, "JSON"), ({"figures": {"x": {1}}}, "JSON")],
)
def test_headers_that_no_file_can_hold_are_refused(tmp_path, changes, message):
    broken = RunInfo(5.0, 0.1, (11, -11), (50.0, 50.0), **changes)
    with pytest.raises(UserError, match=message):
        write(tmp_path / "a.lhe", [events(10)], broken)
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_none_are_told_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path / "missing.lhe")
    for content in (b"", b"hello", b"<LesHouchesEvents><header></header></LesHouchesEvents>", b"\x1f\x8b\x08garbage"):
        (tmp_path / "bad.lhe").write_bytes(content)
        with pytest.raises(UserError, match=r"bad\.lhe"):
            read(tmp_path / "bad.lhe").load()


@pytest.mark.parametrize("name", ["a.lhe", "a.lhe.gz"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_told_in_a_sentence(tmp_path, name, share):
    write(tmp_path / name, [events(500)], INFO)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=name):
        read(tmp_path / name).load()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_crashes(tmp_path, data):
    path = tmp_path / "a.lhe"
    write(path, [events(3)], INFO)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content))
    with contextlib.suppress(UserError):
        read(path).load()
