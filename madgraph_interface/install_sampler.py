"""Putting a trained sampler to use: its files, and the survey of the channel done once more with it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from madgraph_interface.channel_training import Outcome
from madgraph_interface.directory import Channel
from mcbridge.errors import UserError
from mcbridge.files import write_text

__all__ = ["ACCEPTANCE", "discard", "install"]

ACCEPTANCE = 0.7
"""Points of so large a share of the largest weight become candidates for events; MadEvent unweights those."""

_OFFSET = 6007  # of MadEvent's random numbers: no point of the first survey comes again
_RESULTS = ("results.dat", "events.lhe", "ftn26")


def discard(channel: Channel) -> None:
    """Take a sampler out of use."""
    for name in ("trained", "sampler.mcb", "grid"):
        (channel.folder / name).unlink(missing_ok=True)


def install(channel: Channel, outcome: Outcome) -> None:
    """Put a sampler to use, and let MadEvent find its efficiency.

    Raises:
        UserError: the survey with it failed; MadEvent's results are those of before.
    """
    assert outcome.sampler is not None
    folder = channel.folder
    if outcome.grid != folder / "grid":
        shutil.copyfile(outcome.grid, folder / "grid.new")
        (folder / "grid.new").replace(folder / "grid")
    outcome.sampler.replace(folder / "sampler.mcb")
    write_text(
        folder / "trained",
        f"{outcome.fingerprint} {ACCEPTANCE * outcome.largest:.17g} {outcome.density:.17g} {outcome.highest:.17g}\n",
    )
    _survey(channel)


def _survey(channel: Channel) -> None:
    directory = channel.directory
    kept = channel.folder / "before"
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir()
    for name in _RESULTS:
        if (directory / name).exists():
            shutil.copy2(directory / name, kept / name)
    (directory / "results.dat").unlink(missing_ok=True)
    offset = directory / "moffset.dat"
    try:
        offset.write_text(f"{_OFFSET}\n", encoding="utf-8")
        code = _madevent(channel, directory)
    finally:
        offset.unlink(missing_ok=True)
    result = channel.result
    if code != 0 or result is None or not result.absolute:
        for name in _RESULTS:
            (directory / name).unlink(missing_ok=True)
            if (kept / name).exists():
                shutil.copy2(kept / name, directory / name)
        shutil.rmtree(kept)
        raise UserError(f"the survey of {channel} with the trained sampler failed (exit code {code})")
    # The scripts of MadGraph look for the grid of the survey.
    if not (directory / "ftn26").exists() and (kept / "ftn26").exists():
        shutil.copy2(kept / "ftn26", directory / "ftn26")
    shutil.rmtree(kept)


def _madevent(channel: Channel, directory: Path) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BINNIS_")}
    environment["BINNIS_MADEVENT_AGAIN"] = "1"  # the end of this survey starts no training
    with (directory / "input_app.txt").open("rb") as orders, (directory / "run1_app.log").open("ab") as log:
        done = subprocess.run(
            [str(channel.madevent)], cwd=directory, stdin=orders, stdout=log, stderr=log, env=environment, check=False
        )
    return done.returncode
