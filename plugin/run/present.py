"""The result of a run as tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from plugin.run.pipeline import RunResult

__all__ = ["print_result"]


def print_result(result: RunResult, console: Console | None = None) -> None:
    """Print cross sections, the choice and its reason, and the files."""
    console = console or Console()
    content = result.summary
    table = Table(title=f"{content['process']}: {result.folder}", title_justify="left")
    table.add_column("sampler", no_wrap=True)
    for name in ("cross section \\[pb]", "points", "rel. std", "efficiency", "us/point"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("vegas", "flow"):
        figures = content.get(name)
        if figures:
            table.add_row(name, *_row(figures), f"{1e6 * figures['cpu_seconds_per_point']:.2f}")
    chosen = {**content, "points": content["integration"]["points"]}
    table.add_section()
    table.add_row("result", *_row(chosen), "", style="bold")
    console.print(table)
    console.print(f"[bold]Choice:[/] {content['sampler']}; {content['decision']['reason']}", highlight=False)
    integration = content["integration"]
    console.print(
        f"[bold]Integration:[/] chi2/dof {integration['chi2']:.2f}/{integration['dof']}, Q {integration['Q']:.2f}; "
        f"{content['amplitude_evaluations']} amplitude evaluations, {content['cpu_seconds']:.1f} s of CPU time",
        highlight=False,
    )
    if content["events"]:
        console.print(
            f"[bold]Events:[/] {content['events']} in {result.folder / 'events.lhe.gz'} "
            f"(efficiency {content['unweighting_efficiency']:.4g} of all trials)",
            highlight=False,
        )
    _print_uncertainties(content["uncertainties"], console)


def _print_uncertainties(found: dict[str, Any] | None, console: Console) -> None:
    if not found:
        return
    calibration = found["calibration"]
    if calibration is None:
        console.print(f"[bold]Uncertainties:[/] none; {found['note']}", highlight=False)
        return
    central, factor = calibration["central"], calibration["calibration_factor"]
    console.print(
        f"[bold]Uncertainties:[/] {found['replicas']} replicas; the 68% interval covers {central['raw']['68']:.1%}, "
        f"calibrated {central['calibrated']['68']:.1%} (sigma_stat x {factor['68']:.2f})",
        highlight=False,
    )
    for warning in calibration["warnings"]:
        console.print(f"  {warning}", highlight=False)


def _row(figures: dict[str, Any]) -> list[str]:
    efficiency = figures["unweighting_efficiency"]
    return [
        f"{figures['cross_section_pb']:.6g} +- {figures['cross_section_error_pb']:.2g}",
        str(figures["points"]),
        f"{figures['relative_std']:.4g}",
        "" if efficiency is None else f"{efficiency:.4g}",
    ]
