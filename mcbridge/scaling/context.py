"""What a worker needs to know: how to make the integrand, and the sampler file."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mcbridge.integrands.protocol import Integrand
from mcbridge.samplers import Sampler

__all__ = ["Context", "SamplerFile"]

_KEPT = 4  # integrands and samplers that a worker remembers, of each


class _Store(threading.local):
    """What this thread of this worker has made so far; integrands need not be safe to share between threads."""

    def __init__(self) -> None:
        self.made: dict[tuple[str, str], Any] = {}

    def get(self, kind: str, key: str, make: Callable[[], Any]) -> Any:
        if (kind, key) not in self.made:
            self.put(kind, key, make())
        return self.made[kind, key]

    def put(self, kind: str, key: str, value: Any) -> None:
        self.made.pop((kind, key), None)
        same = [name for name in self.made if name[0] == kind]
        for name in same[: max(0, len(same) - _KEPT + 1)]:
            del self.made[name]
        self.made[kind, key] = value


_store = _Store()


@dataclass(frozen=True)
class SamplerFile:
    """A frozen sampler as a file, by path where the worker sees it, otherwise by its content.

    Attributes:
        path: of the file.
        digest: SHA-256 of its content.
        content: for workers that do not share the folder; None elsewhere.
    """

    path: str
    digest: str
    content: bytes | None = field(default=None, repr=False)

    @staticmethod
    def of(path: str | Path) -> SamplerFile:
        """The file as it is now."""
        path = Path(path).resolve()
        return SamplerFile(str(path), hashlib.sha256(path.read_bytes()).hexdigest())

    def with_content(self) -> SamplerFile:
        """The same with its content, to be sent to other machines."""
        return replace(self, content=Path(self.path).read_bytes())

    def load(self) -> Sampler:
        """The sampler.

        Raises:
            UserError: the file cannot be read.
        """
        if self.content is None:
            return Sampler.load(self.path)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "sampler.mcb"
            copy.write_bytes(self.content)
            return Sampler.load(copy)


@dataclass(frozen=True)
class Context:
    """How a worker makes what a chunk of work needs; made once in every thread of a worker, then remembered.

    Attributes:
        factory: makes the integrand; a picklable callable without arguments.
        key: names the integrand; equal keys stand for equal integrands.
        sampler_file: the sampler that draws, or None for work that needs none.
        replicas_file: the sampler whose replicas give events their weights, or None.
        time_limit: wall time of a chunk after which its worker is replaced [s]; None for no limit.
    """

    factory: Callable[[], Integrand]
    key: str
    sampler_file: SamplerFile | None = None
    replicas_file: SamplerFile | None = None
    time_limit: float | None = None

    def integrand(self) -> Integrand:
        """The integrand of this thread."""
        made: Integrand = _store.get("integrand", self.key, self._make)
        return made

    def _make(self) -> Integrand:
        if multiprocessing.parent_process() is not None:  # what there is to say of it, the main process has said
            for name in ("mcbridge", "plugin"):
                logging.getLogger(name).setLevel(logging.ERROR)
        return self.factory()

    def sampler(self) -> Sampler:
        """The sampler that draws."""
        assert self.sampler_file is not None  # whoever asks has given one
        made: Sampler = _store.get("sampler", self.sampler_file.digest, self.sampler_file.load)
        return made

    def replicas(self) -> Sampler | None:
        """The sampler with replicas."""
        if self.replicas_file is None:
            return None
        made: Sampler = _store.get("sampler", self.replicas_file.digest, self.replicas_file.load)
        return made

    def once(self, kind: str, make: Callable[[], Any]) -> Any:
        """Something else that belongs to the integrand, made once in this thread."""
        return _store.get(kind, self.key, make)

    def remember(self, integrand: Integrand) -> Context:
        """Use an integrand that is there already in this thread."""
        _store.put("integrand", self.key, integrand)
        return self

    def made(self) -> Integrand | None:
        """The integrand of this thread, if it was needed yet."""
        return _store.made.get(("integrand", self.key))

    def with_content(self) -> Context:
        """The same with the content of its files, to be sent to other machines."""
        files = {
            name: None if found is None else found.with_content()
            for name, found in (("sampler_file", self.sampler_file), ("replicas_file", self.replicas_file))
        }
        return replace(self, **files)  # type: ignore[arg-type]
