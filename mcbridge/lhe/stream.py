"""Byte streams of event files: plain, or gzip whose bytes depend on the content only."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

__all__ = ["Deflated", "OutputStream", "crc32_joined", "is_compressed"]

_LEVEL = 4
_BLOCK = 1 << 20
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no file name, time 0, unknown system


def is_compressed(path: str | Path) -> bool:
    """Whether the name of a file asks for gzip."""
    return str(path).endswith((".gz", ".gzip"))


def crc32_joined(first: int, second: int, length: int) -> int:
    """CRC-32 of two texts one after the other, from those of each and the length of the second.

    The CRC of a text is the remainder of a polynomial over GF(2); bytes that follow multiply it by ``x^(8 length)``.
    """
    power, factor = 0x00800000, 0x80000000  # x^8 and 1, the lowest power in the highest bit
    while length:
        if length & 1:
            factor = _product(factor, power)
        power = _product(power, power)
        length >>= 1
    return _product(first, factor) ^ second


def _product(first: int, second: int) -> int:
    """Product of two polynomials modulo that of CRC-32, bits reversed."""
    result = 0
    for place in range(31, -1, -1):
        if first >> place & 1:
            result ^= second
        second = second >> 1 ^ (0xEDB88320 if second & 1 else 0)
    return result


@dataclass
class Deflated:
    """A stretch of text that was compressed by itself, to be joined with others into one gzip member.

    Attributes:
        data: deflate blocks that end at a byte; or the text itself where nothing is compressed.
        checksum: CRC-32 of the text.
        length: of the text in bytes.
    """

    data: bytes
    checksum: int
    length: int

    @staticmethod
    def of(texts: Iterable[str], compressed: bool) -> Deflated:
        """The stretch that texts make one after the other."""
        packed: list[bytes] = []
        checksum = length = 0
        for text in texts:
            data = text.encode("utf-8")
            checksum, length = zlib.crc32(data, checksum), length + len(data)
            blocks = range(0, len(data), _BLOCK) if compressed else ()
            packed += [_deflate(data[start : start + _BLOCK], False) for start in blocks] if compressed else [data]
        return Deflated(b"".join(packed), checksum, length)


def _deflate(block: bytes, last: bool) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(block) + packer.flush(zlib.Z_FINISH if last else zlib.Z_FULL_FLUSH)


class OutputStream:
    """Writes bytes to a file, as one gzip member if asked.

    Blocks of 1 MiB are compressed independently of each other and joined, as pigz does; so they can be compressed
    at the same time, and the bytes depend neither on the number of threads nor on how the content was cut.

    Arguments:
        path: file to be written.
        compressed: whether to write gzip.
        threads: threads that compress beside the caller's; with 1 the caller compresses.
    """

    def __init__(self, path: Path, compressed: bool, threads: int = 1) -> None:
        self._file: BinaryIO = open(path, "wb")  # noqa: PTH123, SIM115 (closed in __exit__)
        self._compressed = compressed
        self._pool = ThreadPoolExecutor(threads) if compressed and threads > 1 else None
        self._ahead = 2 * threads
        self._waiting: deque[Future[bytes]] = deque()
        self._buffer = bytearray()
        self._checksum = 0
        self._length = 0
        if compressed:
            self._file.write(_HEADER)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            if self._pool is not None:
                self._pool.shutdown(wait=True, cancel_futures=True)
            self._file.close()

    def write(self, text: str) -> None:
        """Append text (UTF-8)."""
        self.write_bytes(text.encode("utf-8"))

    def write_bytes(self, data: bytes) -> None:
        """Append bytes."""
        if not self._compressed:
            self._file.write(data)
            return
        self._checksum = zlib.crc32(data, self._checksum)
        self._length += len(data)
        self._buffer += data
        while len(self._buffer) >= _BLOCK:
            self._compress(bytes(self._buffer[:_BLOCK]))
            del self._buffer[:_BLOCK]

    def append(self, part: Deflated) -> None:
        """Append a stretch that was compressed elsewhere (or not, as the file is)."""
        if not self._compressed:
            self._file.write(part.data)
            return
        if self._buffer:
            self._compress(bytes(self._buffer))
            self._buffer.clear()
        while self._waiting:
            self._file.write(self._waiting.popleft().result())
        self._file.write(part.data)
        self._checksum = crc32_joined(self._checksum, part.checksum, part.length)
        self._length += part.length

    def _compress(self, block: bytes, last: bool = False) -> None:
        if self._pool is None:
            self._file.write(_deflate(block, last))
            return
        self._waiting.append(self._pool.submit(_deflate, block, last))
        while len(self._waiting) > (0 if last else self._ahead):
            self._file.write(self._waiting.popleft().result())

    def _finish(self) -> None:
        if self._compressed:
            self._compress(bytes(self._buffer), last=True)
            self._file.write(struct.pack("<II", self._checksum, self._length & 0xFFFFFFFF))
        self._file.flush()
