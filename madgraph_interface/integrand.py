"""MadEvent as an integrand: a job of the user's own process directory that answers with weights."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from madgraph_interface.directory import Channel
from mcbridge.errors import AmplitudeError
from mcbridge.integrands import Array, Evaluation

__all__ = ["MadEventIntegrand"]

_OFFSET = 7001  # of MadEvent's random numbers, far from those of its own jobs
_CALLS = (
    10_000_000  # points of an iteration, which must never end; 200 times as many must fit into an integer of MadEvent
)


class MadEventIntegrand:
    """The weight of a channel of MadEvent at points of the unit hypercube.

    A point u is the position between the limits that MadEvent gives to each coordinate, in the bins of its frozen
    grid; a uniform u is MadEvent's own sampling. The weight is in pb, and zero outside the cuts. MadEvent picks the
    subprocess (and the helicity, where it samples them) at random at each call, so that the weight is a noisy function
    of u; its mean is what counts.

    Arguments:
        channel: whose ``madevent`` was compiled with the hook.
        grid: MadEvent's grid (its ``ftn26``); flat where None.
        offset: other numbers give other choices of subprocesses.

    Raises:
        AmplitudeError: the job ends early.
    """

    def __init__(self, channel: Channel, grid: Path | None, offset: int = 0) -> None:
        self.name = str(channel)
        self.channels = 1
        self.periodic: tuple[int, ...] = ()
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.evaluations = 0  # points, those outside the cuts included
        self.calls = 0  # of them with a weight other than 0: calls of the matrix element
        self.cpu_seconds = 0.0
        self.channel = channel
        self._folder = channel.madevent.parent / f"binnis_{channel.name}_{os.getpid()}"
        self._folder.mkdir(exist_ok=True)
        try:
            self._write_input(grid, offset)
            self._start()
        except BaseException:
            self.close()
            raise

    def _write_input(self, grid: Path | None, offset: int) -> None:
        lines = (self.channel.directory / "input_app.txt").read_text(encoding="utf-8").splitlines()
        lines[0] = f"{_CALLS} 1 1"
        (self._folder / "input.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self._folder / "moffset.dat").write_text(f"{_OFFSET + offset}\n", encoding="utf-8")
        if grid is not None:
            shutil.copyfile(grid, self._folder / "ftn25")

    def _start(self) -> None:
        from_us, to_us = os.pipe(), os.pipe()
        environment = dict(os.environ, BINNIS_MADEVENT_SERVE=f"{from_us[0]},{to_us[1]}")
        with (self._folder / "input.txt").open("rb") as commands, (self._folder / "log.txt").open("wb") as log:
            self._process = subprocess.Popen(
                [str(self.channel.madevent)],
                cwd=self._folder,
                stdin=commands,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(from_us[0], to_us[1]),
                env=environment,
            )
        os.close(from_us[0])
        os.close(to_us[1])
        self._out: IO[bytes] = os.fdopen(from_us[1], "wb")
        self._in: IO[bytes] = os.fdopen(to_us[0], "rb")
        self.dim = struct.unpack("q", self._read(8))[0]

    def _read(self, size: int) -> bytes:
        data = self._in.read(size)
        if len(data) != size:
            raise AmplitudeError(f"MadEvent ended early in channel {self.name}: {self._last_words()}")
        return data

    def _last_words(self) -> str:
        text = (self._folder / "log.txt").read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1].strip() if text else "it wrote nothing"

    def __call__(self, u: Array, channel: int = 0) -> Evaluation:
        """Weights of points ``u`` (n, dim) [pb].

        Raises:
            AmplitudeError: the job has ended.
        """
        n = len(u)
        if not n:
            return Evaluation(np.zeros(0))
        points = np.ascontiguousarray(u, dtype=np.float64)
        try:
            self._out.write(struct.pack("q", n))
            self._out.write(points.tobytes())
            self._out.flush()
        except OSError:
            raise AmplitudeError(f"MadEvent ended early in channel {self.name}: {self._last_words()}") from None
        answer = np.frombuffer(self._read(8 * (n + 1)), dtype=np.float64)
        self.evaluations += n
        self.calls += int(np.count_nonzero(answer[:n]))
        self.cpu_seconds += float(answer[n])
        return Evaluation(answer[:n].copy())

    @property
    def seconds_per_evaluation(self) -> float:
        """CPU time of one evaluation, in the job [s]; 0 before the first."""
        return self.cpu_seconds / self.evaluations if self.evaluations else 0.0

    def close(self) -> None:
        """End the job and remove its folder."""
        for stream in (getattr(self, "_out", None), getattr(self, "_in", None)):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process = getattr(self, "_process", None)
        if process is not None:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> MadEventIntegrand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
