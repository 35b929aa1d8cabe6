"""Files are written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mcbridge.errors import UserError

__all__ = ["atomic", "write_text"]


@contextmanager
def atomic(path: str | Path, durable: bool = True) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its name once the block has ended without an error.

    Arguments:
        path: of the file.
        durable: whether the content is on the disk before the name is, as a power failure demands; a process that ends
            loses nothing either way.

    Raises:
        UserError: the folder does not exist or is read-only, or the disk is full; nothing is left behind.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        if durable:
            with temporary.open("rb") as stream:
                os.fsync(stream.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write a text file (UTF-8) whole or not at all.

    Raises:
        UserError: see :func:`atomic`.
    """
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
