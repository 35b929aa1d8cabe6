"""``binnis validate``: are VEGAS and flow the same, and which is better?"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mcbridge.errors import UserError

if TYPE_CHECKING:
    from plugin.validate.generators import Target
    from plugin.validate.result import Validation

__all__ = ["command"]


def command(
    target: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CARD|RUNDIR]", help="Run card, or folder of a finished run (binnis, Sherpa, MadGraph)."
        ),
    ] = None,
    lhe: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--lhe", metavar="A B", help="Compare two event files (.lhe or .lhe.gz) instead; A is the reference."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option("--reference", metavar="PATH", help="Event file or run folder to compare a run's events with."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="DIR", help="Folder to make [runs/validation_NN, or RUNDIR/validation_NN]."
        ),
    ] = None,
    points: Annotated[
        int | None,
        typer.Option("--points", "-n", metavar="N", help="Fresh amplitude evaluations for each sampler [400000]."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="S", help="Seed of all random numbers [that of the card; 1].")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")] = False,
) -> None:
    """Show that flow and VEGAS give the same physics, and what the flow gains.

    For a run card, VEGAS is adapted and a flow is trained as `binnis run` would, with equal numbers of amplitude
    evaluations. Fresh points of both are compared: cross sections (of each channel, too), at least twenty distributions
    by chi2 and Kolmogorov-Smirnov tests, and a classifier that is trained to tell them apart. All tests together have a
    significance of 1%. Efficiencies, weights, costs at equal evaluations and at equal CPU time, training, calibration
    of the uncertainties: all in `report.html` (one file) and `report.json`.

    For a finished run, its sampler and its event file are compared with VEGAS on fresh points. Runs with Sherpa are
    compared with the cross sections of Sherpa's own mapping; with `--reference`, events are compared with those of
    another run, for MadGraph as well.

    The last line is the verdict. Exit code: 0 agree, 1 disagree, 2 nothing could be compared.

    Examples: `binnis validate examples/drell_yan.yaml`, `binnis validate runs/drell-yan_01`,
    `binnis validate --lhe madevent.lhe.gz flow.lhe.gz`
    """
    if (target is None) == (lhe is None):
        raise UserError("binnis validate needs a run card or a run folder, or two event files with --lhe A B")
    if points is not None and points < 2000:
        raise UserError(f"--points is {points}; it must be at least 2000")
    if output is not None and output.exists():
        raise UserError(f"--output: {output} exists already; name a new folder, or remove this one first")
    for path in lhe or ():
        if not path.is_file():
            raise UserError(f"--lhe: {path} does not exist or is no file")
    from mcbridge.files import write_text
    from plugin.report.render import HTML, rendered
    from plugin.validate.document import document
    from plugin.validate.generators import find_target
    from plugin.validate.present import print_validation

    start = time.monotonic()
    if lhe is not None:
        found, parent = _files(lhe, seed, quiet), Path("runs")
    else:
        assert target is not None
        what = find_target(target)
        found = _target(what, target, reference, points, seed, quiet)
        parent = Path("runs") if what.kind in ("card", "events") else what.path
    found.seconds = time.monotonic() - start
    files = rendered(document(found))
    folder = _folder(output, parent)  # made only now that there is something to put into it
    for name, text in files.items():
        write_text(folder / name, text)
    print_validation(found)
    typer.echo(f"report: {folder / HTML}", err=True)
    if not found.agree:
        raise typer.Exit(1)


def _files(lhe: tuple[Path, Path], seed: int | None, quiet: bool) -> Validation:
    from plugin.run.progress import Progress
    from plugin.validate.generators import validate_files

    line = f"binnis validate --lhe {shlex.quote(str(lhe[0]))} {shlex.quote(str(lhe[1]))}{_options(seed=seed)}"
    with Progress(quiet) as progress:
        return validate_files(lhe[0], lhe[1], line, 1 if seed is None else seed, progress.stages())


def _target(
    what: Target, target: Path, reference: Path | None, points: int | None, seed: int | None, quiet: bool
) -> Validation:
    from plugin.run.progress import Progress
    from plugin.validate.generators import validate_generator_run
    from plugin.validate.runs import DEFAULT_POINTS, validate_card, validate_run

    line = f"binnis validate {shlex.quote(str(target))}{_options(reference=reference, points=points, seed=seed)}"
    if what.kind in ("card", "run") and reference is not None:
        raise UserError("--reference is for event files and for runs inside Sherpa and MadGraph; others have VEGAS")
    if what.kind == "card":
        from plugin.card import load_card, override

        return validate_card(override(load_card(target), seed=seed), points or DEFAULT_POINTS, line, quiet)
    if what.kind == "run":
        return validate_run(target, points or DEFAULT_POINTS, line, quiet, seed)
    with Progress(quiet) as progress:
        return validate_generator_run(what, reference, line, 1 if seed is None else seed, progress.stages())


def _options(**given: object) -> str:
    return "".join(f" --{name} {shlex.quote(str(value))}" for name, value in given.items() if value is not None)


def _folder(output: Path | None, parent: Path) -> Path:
    """The folder of the report: the given one, or the first free ``validation_NN``."""
    try:
        if output is not None:
            output.mkdir(parents=True)
            return output
        return _numbered(parent, lambda number: f"validation_{number:02d}")
    except OSError as error:
        raise UserError(f"the folder {output or parent} cannot be made: {error.strerror or error}") from None


def _numbered(parent: Path, name: Callable[[int], str]) -> Path:
    parent.mkdir(exist_ok=True)
    number = 1
    while True:
        path = parent / name(number)
        try:
            path.mkdir()
            return path
        except FileExistsError:
            number += 1
