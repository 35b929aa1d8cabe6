"""``binnis run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.card import load_card, override

__all__ = ["command"]


def command(
    card: Annotated[Path, typer.Argument(metavar="CARD", help="Run card (YAML); see `binnis card --template`.")],
    events: Annotated[
        int | None, typer.Option("--events", "-n", metavar="N", help="Unweighted events to write; 0 for none.")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="S", help="Seed of all random numbers.")] = None,
    sampler: Annotated[
        str | None, typer.Option("--sampler", metavar="auto|flow|vegas", help="Measure and choose, or insist.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder to make [runs/PROCESS_NN].")
    ] = None,
    decision: Annotated[
        Path | None,
        typer.Option("--decision", metavar="FILE", help="Pin the choice stored by an earlier run (decision.json)."),
    ] = None,
    sampler_file: Annotated[
        Path | None,
        typer.Option("--sampler-file", metavar="FILE", help="Re-use the sampler trained by an earlier run."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Compute the cross section of a run card and write unweighted events.

    Leaves in the run folder: `card.yaml` (all defaults filled in), `sampler.mcb` (VEGAS map and flow),
    `events.lhe.gz`, `summary.json`, `decision.json` and `run.log`.

    Example: `binnis run examples/drell_yan.yaml --events 50000 --output runs/dy`
    """
    settings = override(load_card(card), events=events, seed=seed, sampler=sampler)
    from plugin.choice import load_decision
    from plugin.run import run
    from plugin.run.present import print_result

    pinned = None if decision is None else load_decision(decision)
    result = run(settings, output, decision=pinned, sampler_file=sampler_file, quiet=quiet)
    print_result(result)
