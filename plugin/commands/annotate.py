"""``binnis annotate``: uncertainties for event files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["command"]


def command(
    events: Annotated[Path, typer.Argument(metavar="EVENTS", help="Event file (.lhe or .lhe.gz) of any generator.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to make [EVENTS_binn.lhe.gz].")
    ] = None,
    replicas: Annotated[int, typer.Option("--replicas", "-m", metavar="M", help="Replica weights of an event.")] = 32,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Seed of all random numbers.")] = 1,
    threads: Annotated[int, typer.Option("--threads", metavar="N", help="Threads.")] = 1,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Steps of the flow [by the number of events].")
    ] = None,
    bayesian_steps: Annotated[
        int | None,
        typer.Option("--bayesian-steps", metavar="N", help="Steps of the Bayesian flow [by the number of events]."),
    ] = None,
    prior: Annotated[
        float, typer.Option("--prior", metavar="WIDTH", help="Width of the prior of every network weight.")
    ] = 1.0,
    training_events: Annotated[
        int, typer.Option("--training-events", metavar="N", help="Most events of a final state that are learned from.")
    ] = 100_000,
    min_events: Annotated[
        int,
        typer.Option("--min-events", metavar="N", help="Effective events below which a final state gets nothing."),
    ] = 1000,
    merge_jets: Annotated[
        bool, typer.Option("--merge-jets", help="Light quarks and gluons count as one kind of particle.")
    ] = False,
    absolute: Annotated[
        bool, typer.Option("--absolute", help="With negative weights: learn the density of their absolute values.")
    ] = False,
    pdf_errors: Annotated[
        str | None,
        typer.Option(
            "--pdf-errors",
            metavar="replicas|hessian|symmhessian",
            help="Error type of the PDF weights, where the file does not say.",
        ),
    ] = None,
    syst: Annotated[
        str | None,
        typer.Option("--syst", metavar="MODULE:FUNCTION", help="Weights by a nuisance parameter, for sigma_syst."),
    ] = None,
    syst_span: Annotated[
        tuple[float, float], typer.Option("--syst-span", metavar="LOW HIGH", help="Span of the nuisance parameter.")
    ] = (-1.0, 1.0),
    syst_nominal: Annotated[
        float, typer.Option("--syst-nominal", metavar="A", help="Its value for the events as they are.")
    ] = 0.0,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Only sigma_stat and sigma_th, no replica weights.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Give the events of any LHE file the uncertainty of a Bayesian flow.

    For every final state (multiplicity and flavours) with enough events, a flow and then a Bayesian flow learn the
    density of the events in phase space. Every event leaves with `sigma_stat`, with `sigma_th` where the generator has
    written weights of scales or PDF members, and with M replica weights `binn_001`, ... All that was in the file
    stays, byte for byte. The file is read twice and may be of any length.

    With `--syst`, a function of momenta (n, particles, 4), PDG ids (particles,) and a nuisance parameter (n,) that
    returns factors (n,) of the weights, events get `sigma_syst`: half the envelope of their relative density.

    Example: `binnis annotate unweighted_events.lhe.gz -o annotated.lhe.gz --merge-jets`
    """
    from plugin.annotate import LearnConfig, Systematic, annotate
    from plugin.annotate.present import print_annotation
    from plugin.run.functions import load_function
    from plugin.run.progress import Progress

    config = LearnConfig(replicas, prior, steps, bayesian_steps, threads)
    systematic = None if syst is None else Systematic(load_function(syst), syst_span, syst_nominal, syst)
    with Progress(quiet) as progress:
        result = annotate(
            events,
            _default_output(events) if output is None else output,
            config,
            seed=seed,
            weights=not no_weights,
            training_events=training_events,
            min_events=min_events,
            jets=merge_jets,
            absolute=absolute,
            pdf_errors=pdf_errors,
            systematic=systematic,
            on_progress=progress.stages(),
        )
    print_annotation(result)


def _default_output(events: Path) -> Path:
    name = events.name
    for ending in (".gz", ".gzip", ".lhe"):
        name = name.removesuffix(ending)
    return events.with_name(f"{name}_binn.lhe.gz")
