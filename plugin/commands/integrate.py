"""``binnis integrate``: integrate a Python function from the shell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from plugin.run.functions import load_function

__all__ = ["command"]


def command(
    function: Annotated[str, typer.Argument(metavar="MODULE:FUNCTION", help="What to integrate.")],
    dim: Annotated[int, typer.Option("--dim", "-d", min=1, help="Number of dimensions.")],
    lower: Annotated[float, typer.Option("--from", help="Lower limit of every dimension.")] = 0.0,
    upper: Annotated[float, typer.Option("--to", help="Upper limit of every dimension.")] = 1.0,
    nitn: Annotated[int, typer.Option("--nitn", min=1, help="Iterations.")] = 10,
    neval: Annotated[int, typer.Option("--neval", min=100, help="Evaluations per iteration.")] = 100_000,
    sampler: Annotated[
        str, typer.Option("--sampler", metavar="auto|flow|vegas", help="Measure and choose, or insist.")
    ] = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all random numbers.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Write the trained sampler to a file.")
    ] = None,
) -> None:
    """Integrate a Python function over a box, as `vegas.Integrator` would be called.

    The function takes one point (an array of length D) and returns a number; decorate it with
    `vegas.lbatchintegrand` if it takes many points at once, which is much faster.

    Example: `binnis integrate my_amplitude.py:f --dim 4 --neval 100000`
    """
    integrand = load_function(function)
    from plugin.integrator import Integrator, sampler_named
    from plugin.run.progress import Progress, training_note

    chosen = sampler_named(sampler)

    with Progress() as progress:
        integrator = Integrator(
            dim * [[lower, upper]],
            sampler=chosen,
            seed=seed,
            on_progress=progress.status("Training", "step", "steps", training_note),
        )
        result = integrator(integrand, nitn=nitn, neval=neval)
    typer.echo(result.summary())
    typer.echo(f"integral = {result}")
    if integrator.decision is not None:
        typer.echo(f"choice: {integrator.decision.sampler}; {integrator.decision.reason}")
    if save is not None:
        integrator.save(save)
