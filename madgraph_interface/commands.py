"""``binnis madgraph``: the flow inside MadEvent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["app"]

app = typer.Typer(
    help="Sample with a flow inside MadEvent: switch it on in a process directory, then launch as ever.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Process directory that MadGraph's `output` wrote.")]


@app.command("enable")
def enable_command(directory: Directory) -> None:
    """Switch the sampler on in a process directory.

    Adds entries to `Cards/run_card.dat` (`flow_sampler`, `flow_evaluations`, `flow_uncertainties`) and linker options
    to `Source/make_opts`. Then `launch` or `bin/generate_events` as ever: after MadEvent's survey flows are trained
    where they pay, and refine generates with them.

    Example: `binnis madgraph enable PROC_sm_0`
    """
    from madgraph_interface.enable import enable, tested

    found = enable(directory)
    console = Console()
    console.print(f"enabled in {found.path} (MadGraph {found.version})", highlight=False, soft_wrap=True)
    if not tested(found.version):
        console.print(f"MadGraph {found.version} was not tested; compare a cross section first", highlight=False)
    console.print("flow_sampler = auto; change it in Cards/run_card.dat, or type 'set flow_sampler flow' in launch")


@app.command("disable")
def disable_command(
    directory: Directory,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the folder `binnis` with what was trained.")] = False,
) -> None:
    """Switch it off again: every file as it was.

    Example: `binnis madgraph disable PROC_sm_0`
    """
    from madgraph_interface.enable import disable

    disable(directory, keep)
    Console().print(f"disabled in {directory}", highlight=False, soft_wrap=True)


@app.command("status")
def status_command(directory: Directory) -> None:
    """What is on, what was decided for every channel, what the last run cost.

    Example: `binnis madgraph status PROC_sm_0`
    """
    from madgraph_interface.enable import status

    found = status(directory)
    console = Console()
    if not found.enabled:
        console.print(f"{directory} (MadGraph {found.version}): not enabled", highlight=False, soft_wrap=True)
        return
    head = f"{directory} (MadGraph {found.version}): enabled by binnis {found.by}"
    console.print(head, highlight=False, soft_wrap=True)
    entries = {name: "auto" if value is None else value for name, value in found.settings.items()}
    console.print(", ".join(f"{name} = {value}" for name, value in entries.items()), highlight=False)
    for process, linked in found.linked.items():
        text = {True: "linked with the hook", False: "linked WITHOUT the hook", None: "not compiled yet"}[linked]
        console.print(f"  {process}: {text}", highlight=False)
    if found.training:
        console.print(_channels(found.training))
    if found.summary:
        console.print(_cost(found.summary))


def _channels(training: dict[str, Any]) -> Table:
    table = Table(title="channels, at the last training")
    for name in ("channel", "sampler", "events/point", "of MadEvent"):
        table.add_column(name, justify="left" if name in ("channel", "sampler") else "right")
    for channel in training["channels"]:
        figures = channel["figures"]
        own, alone = figures.get(channel["sampler"]), figures.get("madevent")
        cells = [f"{found['efficiency']:.3f}" if found else "-" for found in (own, alone)]
        table.add_row(channel["channel"], channel["sampler"], *cells)
    return table


def _cost(summary: dict[str, Any]) -> Table:
    table = Table(
        title=f"{summary['run']}: {summary['cross_section_pb']:.5g} +- {summary['cross_section_error_pb']:.2g} pb, "
        f"{summary['events']} events"
    )
    for name in ("stage", "jobs", "points", "evaluations", "CPU s"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    rows = dict(summary["madevent"])
    total = rows.pop("total", None)
    if summary["training"]:
        spent = summary["training"]
        rows["training"] = {"jobs": 0, "points": spent["evaluations"], "evaluations": spent["evaluations"]}
        rows["training"]["cpu_seconds"] = spent["cpu_seconds"]
    if total is not None:
        rows["total, training excluded"] = total
    for stage, row in rows.items():
        table.add_row(
            stage, *(f"{row[name]:.0f}" for name in ("jobs", "points", "evaluations")), f"{row['cpu_seconds']:.1f}"
        )
    return table


@app.command("train")
def train_command(directory: Directory) -> None:
    """Train after a survey, as the hook does it (usually there is no need to).

    Example: `binnis madgraph train PROC_sm_0`
    """
    from madgraph_interface.train import train_directory

    Console().print(_channels(train_directory(directory)))


@app.command("install")
def install_command(
    mg5: Annotated[
        Path, typer.Option("--mg5", metavar="DIR", help="Folder of MadGraph5_aMC@NLO (with `bin/mg5_aMC`).")
    ],
) -> None:
    """Install the plug-in for MadGraph's shell: `mg5_aMC --mode=binnis` then has the command `binnis`.

    Not needed where binnis is installed for the Python that runs MadGraph.

    Example: `binnis madgraph install --mg5 ~/MG5_aMC_v3_5_7`
    """
    from madgraph_interface.install import install_plugin

    Console().print(f"installed in {install_plugin(mg5)}", highlight=False, soft_wrap=True)
