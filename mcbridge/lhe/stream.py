"""Byte streams of event files: plain, or gzip whose bytes depend on the content only."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

__all__ = ["OutputStream", "is_compressed"]

_LEVEL = 4
_BLOCK = 1 << 20
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # deflate, no file name, time 0, unknown system


def is_compressed(path: str | Path) -> bool:
    """Whether the name of a file asks for gzip."""
    return str(path).endswith((".gz", ".gzip"))


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
