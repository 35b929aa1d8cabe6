"""Insertions: what was there stays in its place, and what is new stands where readers look for it."""

from __future__ import annotations

import pytest

from mcbridge.errors import UserError
from mcbridge.lhe import WeightGroup
from mcbridge.lhe.declared import declared_groups, weights_of_event
from mcbridge.lhe.splice import event_attributes, insert_into_event, insert_into_preamble, pdf_of_init

GROUP = WeightGroup("binn", ("binn_001", "binn_002"), combine="replicas")
WEIGHTS = b"<wgt id='binn_001'> 1.0 </wgt>\n"
INIT = b"<init>\n2212 2212 6500. 6500. 0 0 247000 247000 -4 1\n1. 1. 1. 1\n</init>\n"


def test_attributes_go_into_the_tag_and_weights_to_the_end_of_rwgt():
    event = b"<event npLO=\" 1 \" trials='15'>\n 1 2\n<rwgt>\n  <wgt id='1'> 2.0 </wgt>\n  </rwgt>\n</event>"
    found = insert_into_event(event, b' sigma_stat="0.1"', WEIGHTS)
    assert found == (
        b"<event npLO=\" 1 \" trials='15' sigma_stat=\"0.1\">\n 1 2\n<rwgt>\n  <wgt id='1'> 2.0 </wgt>\n"
        + WEIGHTS
        + b"  </rwgt>\n</event>"
    )
    assert event_attributes(event) == {"npLO", "trials"}
    assert weights_of_event(found) == {b"1": b" 2.0 ", b"binn_001": b" 1.0 "}


def test_rwgt_is_made_where_there_is_none_with_the_line_ends_of_the_file():
    assert insert_into_event(b"<event>\r\n 1 2\r\n</event>", b"", WEIGHTS) == (
        b"<event>\r\n 1 2\r\n<rwgt>\r\n<wgt id='binn_001'> 1.0 </wgt>\r\n</rwgt>\r\n</event>"
    )


def test_weights_on_one_line_are_not_lost():
    found = insert_into_event(b"<event>\n1\n<rwgt><wgt id='1'>2</wgt></rwgt></event>", b"", WEIGHTS)
    assert weights_of_event(found) == {b"1": b"2", b"binn_001": b" 1.0 "}
    assert found.replace(b"\n" + WEIGHTS, b"") == b"<event>\n1\n<rwgt><wgt id='1'>2</wgt></rwgt></event>"


def test_a_broken_tag_is_told():
    assert event_attributes(b"<event x=1>\n</event>") is None
    with pytest.raises(UserError, match="is broken"):
        insert_into_event(b"<event x=1>\n</event>", b"", WEIGHTS)


HIDDEN = b"<MG5ProcCard>\n<![CDATA[\n</initrwgt> </header> <init>\n]]>\n</MG5ProcCard>\n<!-- </header> -->\n"
OLD = b"<initrwgt>\n<weightgroup name='scales'>\n<weight id='1'> MUR=2 </weight>\n</weightgroup>\n</initrwgt>\n"


@pytest.mark.parametrize(
    ("header", "before"),
    [
        (b"<header>\n" + HIDDEN + OLD + b"</header>\n", 1),
        (b"<header>\n" + HIDDEN + b"</header>\n" + OLD, 1),  # some generators put it behind the header
        (b"<header>\n</header>\n", 0),
        (b"", 0),
    ],
)
def test_groups_and_blocks_enter_any_header(header, before):
    text = b"<LesHouchesEvents version='1.0'>\n" + header + INIT
    found = insert_into_preamble(text, GROUP, {"binn": {"a": "<&>"}})
    groups = declared_groups(found)
    assert [group.name for group in groups] == ["scales"] * before + ["binn"]
    assert [weight.id for weight in groups[-1].weights] == ["binn_001", "binn_002"]
    assert groups[-1].combine == "replicas"
    assert b'<binn>\n{\n "a": "&lt;&amp;&gt;"\n}\n</binn>\n' in found
    assert found.count(b"<initrwgt>") == 1
    assert found.endswith(INIT)
    lines = iter(found.splitlines())
    assert all(line in lines for line in text.splitlines())  # in the same order
    assert pdf_of_init(found) == 247000


def test_a_header_without_an_end_is_told():
    with pytest.raises(UserError, match="has no </header>"):
        insert_into_preamble(b"<LesHouchesEvents>\n<header>\n" + INIT, GROUP, {"binn": {}})
