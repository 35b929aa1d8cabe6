"""What the hook writes down: the end of a survey, the recorded points, the account of all jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from madgraph_interface.directory import Channel
from mcbridge.errors import UserError
from mcbridge.integrands import Array

__all__ = ["JobCount", "SurveyRecord", "read_jobs", "read_points", "read_survey"]

_MAGIC = b"MCBRECD1"


@dataclass(frozen=True)
class SurveyRecord:
    """The survey of one channel.

    Attributes:
        seed: of the launch.
        mode: ``"record"`` (MadEvent as it is) or ``"flow"`` (a sampler of an earlier launch).
        fingerprint: of the cards that fix the integrand.
        dim: number of coordinates of a point.
        points: drawn in all iterations.
        evaluations: of them with a weight other than 0.
        seconds: CPU time of one point [s].
        weights: (n,), of the points of the last iteration of MadEvent as it is [pb]; None where none was recorded.
    """

    seed: int
    mode: str
    fingerprint: str
    dim: int
    points: int
    evaluations: int
    seconds: float
    weights: Array | None


def read_points(path: Path) -> tuple[Array, Array, Array]:
    """A file of ``mcb_record``: points u (n, dim), weights (n,), densities (n,).

    Raises:
        UserError: it is none, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if data[:8] != _MAGIC or len(data) < 16:
        raise UserError(f"{path} is no file of recorded points")
    dim = int(np.frombuffer(data, np.int64, 1, 8)[0])
    numbers = np.frombuffer(data, np.float64, -1, 16)
    if dim < 1 or len(numbers) % (dim + 3):
        raise UserError(f"{path} is damaged: {len(numbers)} numbers are no points of {dim} dimensions")
    rows = numbers.reshape(-1, dim + 3)
    return rows[:, 1 : dim + 1], rows[:, dim + 1], rows[:, dim + 2]


def read_survey(channel: Channel) -> SurveyRecord | None:
    """What the hook wrote at the end of the survey of a channel; None before the first."""
    try:
        text = (channel.folder / "survey.txt").read_text(encoding="utf-8")
    except OSError:
        return None
    entries = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line)
    try:
        points = int(entries["points"])
        weights: Array | None = None
        if (channel.folder / "survey.rec").exists():
            weights = read_points(channel.folder / "survey.rec")[1]
        return SurveyRecord(
            seed=int(entries["seed"]),
            mode=entries["mode"],
            fingerprint=entries["fingerprint"],
            dim=int(entries["dim"]),
            points=points,
            evaluations=int(entries["evaluations"]),
            seconds=float(entries["seconds"]) / max(points, 1),
            weights=weights if weights is not None and len(weights) else None,
        )
    except (KeyError, ValueError) as error:
        raise UserError(f"{channel.folder / 'survey.txt'} is damaged: {error}") from None


@dataclass(frozen=True)
class JobCount:
    """What one job of MadEvent did.

    Attributes:
        process, directory: for instance ``P1_qq_ll`` and ``G1a0``.
        stage: ``"survey"`` or ``"refine"``.
        mode: ``"madevent"``, ``"record"`` (the survey of MadEvent alone) or ``"flow"``.
        points: drawn.
        evaluations: of them with a weight other than 0: calls of the matrix element.
        seconds: CPU time from the first point to the last [s].
        seed: of the launch.
    """

    process: str
    directory: str
    stage: str
    mode: str
    points: int
    evaluations: int
    seconds: float
    seed: int


def read_jobs(root: Path) -> list[JobCount]:
    """All jobs since the directory was enabled, in the order of their ends."""
    try:
        lines = (root / "binnis" / "jobs.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    jobs = []
    for line in lines:
        fields = line.split()
        if len(fields) == 8:
            process, directory, stage, mode = fields[:4]
            points, evaluations, seed = int(fields[4]), int(fields[5]), int(fields[7])
            jobs.append(JobCount(process, directory, stage, mode, points, evaluations, float(fields[6]), seed))
    return jobs
