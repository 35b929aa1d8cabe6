"""``binnis run``: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mcbridge.errors import UserError
from plugin.card import Card, load_card, override
from plugin.commands.resume import refuse_beside_resume

__all__ = ["command"]

_SCALING = "Where the work is done"


def command(
    context: typer.Context,
    card: Annotated[
        Path | None, typer.Argument(metavar="[CARD]", help="Run card (YAML); see `binnis card --template`.")
    ] = None,
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
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with the interrupted run in this folder; takes no card."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            "-w",
            metavar="N",
            help="Local worker processes, or workers of a cluster.",
            rich_help_panel=_SCALING,
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="tcp://HOST:PORT",
            help="Use the workers of a running Dask scheduler.",
            rich_help_panel=_SCALING,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="local|slurm|htcondor",
            help="Start Dask workers: here, or as batch jobs.",
            rich_help_panel=_SCALING,
        ),
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            "--time-limit",
            metavar="SECONDS",
            help="Replace a worker whose chunk takes longer.",
            rich_help_panel=_SCALING,
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Compute the cross section of a run card and write unweighted events.

    Leaves in the run folder: `card.yaml` (all defaults filled in), `sampler.mcb` (VEGAS map and flow),
    `events.lhe.gz`, `summary.json`, `decision.json`, `run.log`, the same for programs in `run.jsonl`, and `state.json`.

    Whatever ends a run (Ctrl-C, a crash, the batch system), `binnis run --resume DIR` goes on, and the run ends with
    the events that it would have had. `binnis status DIR` shows from another terminal how far it is. Cross section
    and events do not depend on the number of workers or where they are.

    Example: `binnis run examples/drell_yan.yaml --events 50000 --output runs/dy`

    Example: `binnis run card.yaml --workers 8`, and after a crash `binnis run --resume runs/drell-yan_01 --workers 8`

    Example: `binnis run card.yaml --cluster slurm --workers 200`
    """
    scaling = {"workers": workers, "scheduler": scheduler, "cluster": cluster, "time_limit": time_limit}
    if resume is not None:
        refuse_beside_resume(context, "workers", "scheduler", "cluster", "time_limit", "quiet")
        _resume(resume, scaling, quiet)
        return
    if card is None:
        raise UserError("binnis run needs a run card (binnis card --template drell-yan makes one), or --resume DIR")
    settings = override(_with_scaling(load_card(card), scaling), events=events, seed=seed, sampler=sampler)
    from plugin.choice import load_decision
    from plugin.run import run
    from plugin.run.present import print_result

    pinned = None if decision is None else load_decision(decision)
    result = run(settings, output, decision=pinned, sampler_file=sampler_file, quiet=quiet)
    print_result(result)


def _resume(folder: Path, scaling: dict[str, Any], quiet: bool) -> None:
    from plugin.run import resume
    from plugin.run.present import print_result
    from plugin.run.statefile import StateFile

    StateFile.load(folder)  # which tells what is wrong with a folder that is none of a run
    changed = None
    if any(value is not None for value in scaling.values()):
        changed = _with_scaling(load_card(folder / "card.yaml"), scaling).scaling
    print_result(resume(folder, quiet=quiet, scaling=changed))


def _with_scaling(card: Card, given: dict[str, Any]) -> Card:
    """The card with what the command line says of workers; a place given there replaces the one in the card."""
    entries = {name: value for name, value in given.items() if value is not None}
    if not entries:
        return card
    stored = card.scaling.model_dump(mode="json")
    if "scheduler" in entries or "cluster" in entries:
        stored |= {"scheduler": None, "cluster": None}
    return override(card, scaling={**stored, **entries})
