"""``sigma_syst`` alone for the events of a file, beside whatever they carry already."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.files import atomic
from mcbridge.lhe.raw import RawBlock, RawFile
from mcbridge.lhe.splice import attribute_text, insert_into_event, insert_into_preamble
from mcbridge.lhe.stream import OutputStream, is_compressed
from mcbridge.preprocessing.reader import Reader
from mcbridge.uncertainties.systematic import ATTRIBUTE, Systematic, Variations

__all__ = ["BLOCK", "add_systematic"]

log = logging.getLogger("mcbridge.uncertainties")

BLOCK = "binn_systematic"


def add_systematic(
    path: Path,
    systematic: Systematic,
    threads: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Give every event of a file the attribute ``sigma_syst``; nothing else in it changes but for a header block.

    The file is read twice; memory does not grow with its length.

    Arguments:
        path: event file, plain or gzip, which is replaced.
        systematic: what changes the weights.
        threads: of the compression.
        on_progress: called with the bytes of the two passes, done and planned.

    Returns:
        what the header block ``binn_systematic`` says.

    Raises:
        UserError: the function of the variation fails; the file stays as it is then.
    """
    tell = on_progress or (lambda done, planned: None)
    file = RawFile(path, on_progress=lambda done, planned: tell(done, 2 * planned))
    reader, found = Reader(jets=False), Variations(systematic)
    for block in file:
        for state, _, records, momenta, _ in reader.parts(block):
            found.add(state, momenta, records.weight)
    header = found.as_json()
    log.info("sigma_syst: %s", header)
    file.on_progress = lambda done, planned: tell(planned + done, 2 * planned)
    with atomic(path) as temporary, OutputStream(temporary, is_compressed(path), threads) as stream:
        stream.write_bytes(insert_into_preamble(file.preamble, None, {BLOCK: header}))
        for block in file:
            for text in _with_attribute(block, reader, found):
                stream.write_bytes(text)
        stream.write_bytes(file.tail)
    return header


def _with_attribute(block: RawBlock, reader: Reader, found: Variations) -> list[bytes]:
    """The text of the events of a block, gaps included."""
    sigma = np.full(len(block), np.nan)
    for state, _, records, momenta, _ in reader.parts(block):
        sigma[records.rows] = found.sigma(state, momenta)
    result = []
    for gap, event, value in zip(block.gaps, block.events, sigma, strict=True):
        result.append(gap + insert_into_event(event, attribute_text(ATTRIBUTE, value), b""))
    return result
