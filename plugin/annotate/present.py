"""The result of an annotation as a table for a terminal."""

from __future__ import annotations

import numpy as np
from rich.console import Console
from rich.table import Table

from plugin.annotate.annotate import Annotation, GroupResult

__all__ = ["print_annotation"]


def print_annotation(result: Annotation, console: Console | None = None) -> None:
    """Print what became of every final state, and of the weights of the generator."""
    console = console or Console()
    table = Table(title=f"{result.events} events in {result.path}", title_justify="left")
    table.add_column("final state")
    for name in ("events", "learned from", "mean sigma_stat", "held-out 68% / 95%", "(band factor)^2", "<p_m/p>"):
        table.add_column(name, justify="right")
    for group in result.groups:
        table.add_row(group.state.name, str(group.events), *_row(group))
    console.print(table)
    for group in result.groups:
        if group.density is None:
            console.print(f"{group.state.name}: no uncertainties; {group.note}", highlight=False)
        elif group.outside:
            console.print(
                f"{group.state.name}: {group.outside} event(s) outside the range that was learned from", highlight=False
            )
    if any(group.density is not None for group in result.groups):
        console.print(
            "Held-out: bins of two-dimensional histograms of events that were not learned from, within 1 and 2 standard"
            " deviations of band and counting error together. There are no exact weights to calibrate with.",
            highlight=False,
        )
    theory = result.theory
    if theory:
        figures = theory.as_json()
        parts = [f"scales {figures['scale_envelope']:.2%}"] if theory.scales else []
        parts += [f"PDF {figures['pdf']:.2%} ({theory.kind})"] if theory.members else []
        console.print(f"[bold]sigma_th[/] of the cross section: {', '.join(parts)}", highlight=False)
    for note in theory.notes:
        console.print(f"  {note}", highlight=False)


def _row(group: GroupResult) -> list[str]:
    density = group.density
    if density is None or density.held_out is None:
        return ["-", "-", "-", "-", "-"]
    held, mean = density.held_out, group.sums / group.total if group.total else np.full(1, np.nan)
    return [
        f"{density.information['effective_training_events']:.0f}",
        f"{group.sigma / group.events:.2%}",
        f"{held.raw['68']:.1%} / {held.raw['95']:.1%}",
        f"{held.factor_squared:.2f} +- {held.factor_error:.2f}",
        f"{mean.min():.4f} to {mean.max():.4f}",
    ]
