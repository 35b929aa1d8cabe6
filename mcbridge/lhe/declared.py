"""Weights that the ``<initrwgt>`` of any generator declares, read without a strict XML parser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["DeclaredGroup", "DeclaredWeight", "declared_groups", "weights_of_event"]

_BLOCK = re.compile(r"<initrwgt\b[^>]*>(.*?)</initrwgt\s*>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(
    r"<weightgroup\b(?P<group>[^>]*)>|(?P<close></weightgroup\s*>)|"
    r"<weight\b(?P<weight>[^>]*?)(?:/>|>(?P<text>.*?)</weight\s*>)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_WEIGHT = re.compile(rb"""<wgt\s[^>]*?id\s*=\s*(?:"([^"]*)"|'([^']*)')[^>]*>([^<]*)</wgt\s*>""")


@dataclass(frozen=True)
class DeclaredWeight:
    """One ``<weight>``.

    Attributes:
        id: what the events call it.
        text: its description.
        attributes: of the tag, names in lower case.
    """

    id: str
    text: str
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DeclaredGroup:
    """One ``<weightgroup>``, or all weights outside groups (then without a name).

    Attributes:
        name: its name (or type).
        combine: how its weights are meant to be combined; empty if nothing is said.
        weights: in the order of the file.
    """

    name: str
    combine: str
    weights: tuple[DeclaredWeight, ...]


def declared_groups(preamble: bytes) -> list[DeclaredGroup]:
    """The weight groups that the text before the first event declares; empty groups are left out."""
    text = _COMMENT.sub("", preamble.decode("utf-8", "replace"))
    result: list[DeclaredGroup] = []
    for block in _BLOCK.findall(text):
        name, combine, weights = "", "", list[DeclaredWeight]()
        for tag in _TAG.finditer(block):
            if tag["weight"] is not None:
                attributes = _attributes(tag["weight"])
                weights.append(DeclaredWeight(attributes.get("id", ""), (tag["text"] or "").strip(), attributes))
                continue
            result += _group(name, combine, weights)
            name, combine, weights = "", "", []
            if tag["group"] is not None:
                attributes = _attributes(tag["group"])
                name = attributes.get("name", attributes.get("type", ""))
                combine = attributes.get("combine", "")
        result += _group(name, combine, weights)
    return result


def _group(name: str, combine: str, weights: Iterable[DeclaredWeight]) -> list[DeclaredGroup]:
    kept = tuple(weights)
    return [DeclaredGroup(name, combine, kept)] if kept else []


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): double or single for name, double, single in _ATTRIBUTE.findall(text)}


def weights_of_event(event: bytes) -> dict[bytes, bytes]:
    """The ``<wgt>`` entries of an event: text of the number by id."""
    return {double or single: value for double, single, value in _WEIGHT.findall(event)}
