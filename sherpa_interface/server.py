"""Sherpa as a server: the plug-in answers requests for its integrand in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import numpy as np

from mcbridge.errors import AmplitudeError
from mcbridge.integrands.protocol import Array
from sherpa_interface.card import binnis_block
from sherpa_interface.paths import absolute_paths, plugin_libraries
from sherpa_interface.process import Installation, dump_settings, error_in_log

__all__ = ["Server"]

_DESCRIBE, _INTEGRAND, _AMPLITUDE = 1, 2, 3


class Server:
    """One Sherpa process that evaluates points of one process of a run card.

    Sherpa may end its process whenever it likes; here that is an error with the last words of its log.

    Arguments:
        installation: program and plug-in.
        card: the run card; it must define a single process, or ``overlay`` must.
        overlay: settings that take precedence over the card.
        base: results (``Results.zip``) of the run whose optimised map is restored; None: the map before optimisation.

    Raises:
        AmplitudeError: Sherpa did not come up.
    """

    def __init__(
        self, installation: Installation, card: Path, overlay: Mapping[str, Any] | None = None, base: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="binnis-sherpa-"))
        self._process: Any = None
        try:
            self._start(installation, card, dict(overlay or {}), base)
            self.description: dict[str, Any] = json.loads(self._ask(_DESCRIBE, 0, b""))
        except BaseException:
            self.close()
            raise

    def _start(self, installation: Installation, card: Path, overlay: dict[str, Any], base: Path | None) -> None:
        requests, self._to = os.pipe()
        self._from, answers = os.pipe()
        place = "None" if base is None else str(base.resolve())
        extra = self.folder / "overlay.yaml"
        content = {
            **absolute_paths(card),
            **overlay,
            "SHERPA_LDADD": plugin_libraries(card),
            "INTEGRATOR": ["Binnis"],
            "GENERATE_RESULT_DIRECTORY": False,
            "EVENT_OUTPUT": "None",
            "ANALYSIS": "None",
            "BINNIS": binnis_block(SERVE=f"{requests},{answers}", BASE=place),
        }
        extra.write_text(dump_settings(content), encoding="utf-8")
        try:
            with (self.folder / "sherpa.log").open("w", encoding="utf-8") as log:
                self._process = installation.start(self.folder, [card, extra], log, (requests, answers))
        finally:
            os.close(requests)
            os.close(answers)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, u: Array) -> None:
        """Ask for the integrand at points ``u`` (n, dim) of the unit cube; :meth:`receive` waits for the answer."""
        self._send(_INTEGRAND, len(u), np.ascontiguousarray(u, dtype=np.float64).tobytes())

    def receive(self) -> tuple[Array, float]:
        """Values (n,) of the last request, for the integrand in pb, and the CPU time that Sherpa needed [s]."""
        values = np.frombuffer(self._receive(), dtype=np.float64)
        return values[:-1].copy(), float(values[-1])

    def integrand(self, u: Array) -> tuple[Array, float]:
        """Sherpa's integrand (n,) [pb] at points ``u`` (n, dim) of the unit cube, and CPU time [s]."""
        self.send(u)
        return self.receive()

    def amplitude(self, momenta: Array) -> tuple[Array, float]:
        """|M|^2 (n,) at ``momenta`` (n, particles, 4) [GeV], E first, and CPU time [s]."""
        self._send(_AMPLITUDE, len(momenta), np.ascontiguousarray(momenta, dtype=np.float64).tobytes())
        return self.receive()

    def close(self) -> None:
        """End Sherpa and remove its folder."""
        for name in ("_to", "_from"):
            descriptor = self.__dict__.pop(name, None)
            if descriptor is not None:
                os.close(descriptor)
        if self._process is not None:
            try:
                self._process.wait(timeout=5)
            except Exception:
                self._process.kill()
                self._process.wait()
            self._process = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def _ask(self, what: int, n: int, payload: bytes) -> bytes:
        self._send(what, n, payload)
        return self._receive()

    def _send(self, what: int, n: int, payload: bytes) -> None:
        view = memoryview(struct.pack("<2q", what, n) + payload)
        try:
            while view:
                view = view[os.write(self._to, view) :]
        except BrokenPipeError:
            self._fail()

    def _receive(self) -> bytes:
        (size,) = struct.unpack("<q", self._read(8))
        answer = self._read(abs(size))
        if size < 0:
            raise AmplitudeError(f"Sherpa could not evaluate a point: {answer.decode('utf-8', 'replace')}")
        return answer

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._from, min(size, 1 << 20))
            if not part:
                self._fail()
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _fail(self) -> NoReturn:
        code = None if self._process is None else self._process.wait()
        log = self.folder / "sherpa.log"
        kept = Path(tempfile.gettempdir()) / f"{self.folder.name}.log"
        shutil.copy(log, kept)  # the folder goes with this object
        text = log.read_text(encoding="utf-8", errors="replace")
        raise AmplitudeError(f"Sherpa ended with an error: {error_in_log(text, code)} (its log: {kept})")
