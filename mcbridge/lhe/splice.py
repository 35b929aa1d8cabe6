"""Insertions into event files that other programs wrote: every byte that was there stays, in its place."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

from mcbridge.errors import UserError
from mcbridge.lhe.info import WeightGroup

__all__ = ["attribute_text", "event_attributes", "insert_into_event", "insert_into_preamble", "pdf_of_init"]

_OPEN_TAG = re.compile(rb"""<event(?:\s+[\w.:-]+\s*=\s*(?:"[^"]*"|'[^']*'))*\s*>""")
_NAME = re.compile(rb"""([\w.:-]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_HIDDEN = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->", re.DOTALL)
_BLANKS = re.compile(rb"[ \t]*\Z")


def event_attributes(event: bytes) -> set[str] | None:
    """Names of the attributes of an event's tag; None where the tag is broken."""
    tag = _OPEN_TAG.match(event)
    return None if tag is None else {name.decode("utf-8", "replace") for name in _NAME.findall(tag.group())}


def attribute_text(name: str, value: float) -> bytes:
    """An attribute for the tag of an event, with a leading space; empty where the value is not finite."""
    return b' %s="%.6g"' % (name.encode(), value) if math.isfinite(value) else b""


def insert_into_event(event: bytes, attributes: bytes, weights: bytes) -> bytes:
    """An event with attributes in its tag and ``<wgt>`` lines at the end of its ``<rwgt>``, which is made if missing.

    Arguments:
        event: from ``<event`` to ``</event>``.
        attributes: text with a leading space; empty for none.
        weights: whole lines that end in a newline; empty for none.

    Raises:
        UserError: the tag is broken.
    """
    tag = _OPEN_TAG.match(event)
    if tag is None:
        raise UserError(f"the event tag {event[:60].decode('utf-8', 'replace')!r} is broken")
    newline = _newline(event)
    body = event[tag.end() :]
    if weights:
        if newline != b"\n":
            weights = weights.replace(b"\n", newline)
        place = body.rfind(b"</rwgt>")
        if place < 0:
            place = len(body) - len(b"</event>")
            weights = b"<rwgt>" + newline + weights + b"</rwgt>" + newline
        body = _insert_lines(body, place, weights, newline)
    return event[: tag.end() - 1] + attributes + b">" + body


def insert_into_preamble(preamble: bytes, group: WeightGroup | None, blocks: Mapping[str, Any]) -> bytes:
    """The text before the first event with a weight group at the end of ``<initrwgt>`` and JSON header blocks.

    ``<initrwgt>`` and ``<header>`` are made where they are missing.

    Arguments:
        preamble: up to the first ``<event``.
        group: what the events carry from now on; None for nothing.
        blocks: content by element name, written as JSON at the end of the header.

    Raises:
        UserError: the header has no end.
    """
    newline = _newline(preamble)
    # What CDATA sections and comments hold is no tag; blanks of the same length keep all positions.
    visible = _HIDDEN.sub(lambda found: b" " * len(found.group()), preamble)
    init = visible.rfind(b"<init>") if b"<init>" in visible else visible.rfind(b"<init ")
    if init < 0:
        raise UserError("the event file has no <init> block")
    declared = visible.rfind(b"</initrwgt>")
    header = visible.rfind(b"</header>", 0, init)
    if header < 0 and b"<header" in visible[:init]:
        raise UserError("the header of the event file has no </header>")
    texts = [_block(name, content) for name, content in blocks.items()]
    insertions: list[tuple[int, str]] = []
    if group is not None and declared >= 0:
        insertions.append((declared, _group(group)))
    elif group is not None:
        texts.append(f"<initrwgt>\n{_group(group)}</initrwgt>\n")
    if header >= 0:
        insertions.append((header, "".join(texts)))
    elif texts:
        insertions.append((init, "<header>\n" + "".join(texts) + "</header>\n"))
    for place, text in sorted(insertions, reverse=True):
        preamble = _insert_lines(preamble, place, text.encode().replace(b"\n", newline), newline)
    return preamble


def pdf_of_init(preamble: bytes) -> int | None:
    """LHAPDF id of the first beam in ``<init>`` (PDFSUP); None where there is none."""
    start = preamble.rfind(b"<init")
    numbers = preamble[preamble.find(b">", start) + 1 :].split(b"<")[0].split() if start >= 0 else []
    try:
        return int(numbers[6]) or None
    except (IndexError, ValueError):
        return None


def _insert_lines(text: bytes, place: int, lines: bytes, newline: bytes) -> bytes:
    """Insert whole lines before the line of ``place``; within the line where something stands before it."""
    start = text.rfind(b"\n", 0, place) + 1
    if _BLANKS.fullmatch(text[start:place]):
        return text[:start] + lines + text[start:]
    return text[:place] + newline + lines + text[place:]


def _newline(text: bytes) -> bytes:
    end = text.find(b"\n")
    return b"\r\n" if end > 0 and text[end - 1 : end] == b"\r" else b"\n"


def _group(group: WeightGroup) -> str:
    combine = f" combine='{group.combine}'" if group.combine else ""
    lines = [f"<weightgroup name='{group.name}'{combine}>"]
    descriptions = group.descriptions or group.ids
    lines += [f"<weight id='{id}'> {escape(text)} </weight>" for id, text in zip(group.ids, descriptions, strict=True)]
    return "\n".join([*lines, "</weightgroup>\n"])


def _block(name: str, content: Any) -> str:
    return f"<{name}>\n{escape(json.dumps(content, indent=1, sort_keys=True, allow_nan=False))}\n</{name}>\n"
