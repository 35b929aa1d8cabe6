"""The result of an annotation as a table for a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from mcbridge.preprocessing import JET
from plugin.annotate.annotate import Annotation, GroupResult

__all__ = ["print_annotation"]

_LEGEND = (
    "trained on: effective events; sigma_stat: mean over the events; 68%/95%: bins of histograms of held-out events"
    " within 1 and 2 standard deviations of band and counting error; factor^2: what these bins would multiply the"
    " square of the band with; norm: largest of |<p_m/p> - 1| over the replicas. There are no exact weights to"
    " calibrate with."
)


def print_annotation(result: Annotation, console: Console | None = None) -> None:
    """Print what became of every final state, and of the weights of the generator."""
    console = console or Console()
    table = Table(
        title=f"{result.events} events in {result.path}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1)
    )
    table.add_column("final state")
    for name in ("events", "trained on", "sigma_stat", "68%/95%", "factor^2", "norm"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in result.groups:
        table.add_row(group.state.name, str(group.events), *_row(group))
    console.print(table)
    _print_notes(result, console)
    if any(group.density is not None for group in result.groups):
        console.print(_LEGEND, highlight=False)
    theory = result.theory
    if theory:
        figures = theory.as_json()
        parts = [f"scales {figures['scale_envelope']:.2%}"] if theory.scales else []
        parts += [f"PDF {figures['pdf']:.2%} ({theory.kind})"] if theory.members else []
        console.print(f"[bold]sigma_th[/] of the cross section: {', '.join(parts)}", highlight=False)
    for note in theory.notes:
        console.print(f"  {note}", highlight=False)


def _print_notes(result: Annotation, console: Console) -> None:
    none = [group for group in result.groups if group.density is None]
    for group in none[:3]:
        console.print(f"{group.state.name}: no uncertainties; {group.note}", highlight=False)
    if len(none) > 3:
        console.print(
            f"{len(none) - 3} more final states without uncertainties; the header of the file says why", highlight=False
        )
    if sum(_has_jet(group) for group in none if not group.state.jets) > 1:
        console.print("--merge-jets counts light quarks and gluons as one kind of particle", highlight=False)
    for group in result.groups:
        if group.outside:
            console.print(
                f"{group.state.name}: {group.outside} event(s) outside the range that was learned from", highlight=False
            )


def _has_jet(group: GroupResult) -> bool:
    return any(abs(flavour) <= 5 or flavour == JET for flavour in group.state.flavours)


def _row(group: GroupResult) -> list[str]:
    density = group.density
    if density is None or density.held_out is None:
        return ["-", "-", "-", "-", "-"]
    held = density.held_out
    return [
        f"{density.information['effective_training_events']:.0f}",
        f"{group.sigma / group.events:.1%}",
        f"{held.raw['68']:.0%}/{held.raw['95']:.0%}",
        f"{held.factor_squared:.1f} +- {held.factor_error:.1f}",
        f"{max(abs(group.sums / group.total - 1.0)):.1%}" if group.total else "-",
    ]
