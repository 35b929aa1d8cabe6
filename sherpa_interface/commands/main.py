"""The command group ``binnis sherpa``. What takes long to import is imported by the commands themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mcbridge.errors import UserError
from plugin.commands.resume import refuse_beside_resume

__all__ = ["app"]

app = typer.Typer(
    name="sherpa",
    help="Sherpa with a trained sampler: install it, compile the plug-in, run a card with it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Prefix = Annotated[
    Path | None,
    typer.Option(
        "--prefix", metavar="DIR", help="Sherpa's prefix \\[SHERPA_PREFIX, the PATH, or the one that binnis installed]."
    ),
]


@app.command("install")
def install(
    prefix: Annotated[
        Path | None, typer.Option("--prefix", metavar="DIR", help="Folder to make \\[in the user's cache folder].")
    ] = None,
) -> None:
    """Install Sherpa 3.0.3 from its Python wheel into a prefix of its own (48 MB download, no compilation).

    The hash of the file is pinned. Example: `binnis sherpa install`
    """
    from sherpa_interface.install import install_sherpa

    sherpa = install_sherpa(prefix)
    typer.echo(f"Sherpa {sherpa.version}: {sherpa.executable}")


@app.command("build")
def build(
    prefix: Prefix = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the library \\[in the user's cache folder]."),
    ] = None,
) -> None:
    """Compile the plug-in library `libSherpaBinnis.so` for an installed Sherpa.

    `binnis sherpa run` does this by itself; this command is for run cards of your own.
    """
    from sherpa_interface.build import build_plugin
    from sherpa_interface.locate import find_sherpa

    library = build_plugin(find_sherpa(prefix), output, rebuild=True)
    typer.echo(f"{library}\n\nTo use it, run Sherpa with\n\n    export LD_LIBRARY_PATH={library.parent}\n")
    typer.echo("and the lines\n\n    SHERPA_LDADD: SherpaBinnis\n    INTEGRATOR: [Binnis]\n\nin Sherpa.yaml.")


@app.command("run")
def run(
    context: typer.Context,
    card: Annotated[
        Path | None, typer.Argument(metavar="[CARD]", help="Sherpa's run card (Sherpa.yaml); it is not changed.")
    ] = None,
    events: Annotated[
        int | None, typer.Option("--events", "-n", min=0, metavar="N", help="Unweighted events \\[EVENTS of the card].")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=1, metavar="S", help="Seed of Sherpa and of the training.")] = 1,
    sampler: Annotated[
        str | None,
        typer.Option("--sampler", metavar="auto|flow|vegas", help="Measure and choose, or insist \\[the card's]."),
    ] = None,
    evaluations: Annotated[
        int,
        typer.Option("--evaluations", min=0, metavar="N", help="Points of the integrand for training, per process."),
    ] = 400_000,
    integration: Annotated[
        int,
        typer.Option("--integration", min=5000, metavar="N", help="Points of the final integration, per process."),
    ] = 500_000,
    groups: Annotated[
        bool, typer.Option("--groups", help="Keep groups of processes together instead of one sampler per channel.")
    ] = False,
    replicas: Annotated[
        int, typer.Option("--replicas", min=0, max=999, metavar="M", help="Weights of the Bayesian flow per event.")
    ] = 32,
    threads: Annotated[
        int, typer.Option("--threads", min=1, metavar="N", help="Threads of the training, and Sherpa processes.")
    ] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder to make \\[runs/CARD_NN].")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="DIR", help="Go on with the interrupted run in this folder; takes no card."),
    ] = None,
    prefix: Prefix = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Run a Sherpa card with a trained sampler: optimise, train, choose by measurement, generate events.

    Sherpa's own mapping is optimised first and stays underneath; a flow learns what is left, and is used where it
    saves CPU time. Leaves `events.lhe.gz`, `summary.json`, `sampler.mcb`, `decision.json` and `run.log` in the run
    folder, beside what Sherpa itself wrote in `optimisation/` and `generation/`.

    Whatever ends a run, `binnis sherpa run --resume DIR` goes on: what Sherpa has optimised and what is trained is
    kept, and the run ends with the sampler and the events that it would have had.

    Example: `binnis sherpa run examples/sherpa/ee_to_mumu_photon.yaml --events 10000`
    """
    if resume is not None:
        refuse_beside_resume(context, "prefix", "quiet")
    elif card is None:
        raise UserError("binnis sherpa run needs a run card (Sherpa.yaml), or --resume DIR")
    from plugin.integrator import sampler_named
    from sherpa_interface.present import print_result
    from sherpa_interface.run import Settings, resume_run, run_card

    if resume is not None:
        print_result(resume_run(resume, prefix, quiet))
        return
    assert card is not None
    settings = Settings(
        events=events,
        seed=seed,
        sampler=None if sampler is None else sampler_named(sampler),
        evaluations=evaluations,
        integration=integration,
        split=not groups,
        replicas=replicas,
        threads=threads,
        quiet=quiet,
    )
    print_result(run_card(card, settings, output, prefix))
