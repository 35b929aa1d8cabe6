"""The result of a run with Sherpa as tables for a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from sherpa_interface.run import SherpaRunResult

__all__ = ["print_result"]


def print_result(result: SherpaRunResult, console: Console | None = None) -> None:
    """Print cross sections, figures of merit, the choice for each process, and the files."""
    console = console or Console()
    content = result.summary
    table = Table(title=f"{content['process']}: {result.folder}", title_justify="left")
    table.add_column("process", no_wrap=True)
    table.add_column("mapping", no_wrap=True)
    for name in ("cross section \\[pb]", "rel. std", "efficiency", "us/point"):
        table.add_column(name, justify="right", no_wrap=True)
    for process in content["processes"]:
        for sampler, label in (("vegas", "Sherpa's own"), ("flow", "flow")):
            figures = process.get(sampler)
            if not figures:
                continue
            chosen = process["decision"]["sampler"] == sampler
            table.add_row(
                process["name"] if sampler == "vegas" else "",
                label,
                f"{figures['cross_section_pb']:.6g} +- {figures['cross_section_error_pb']:.2g}",
                f"{figures['relative_std']:.4g}",
                f"{figures['unweighting_efficiency']:.4g}",
                f"{1e6 * figures['cpu_seconds_per_point']:.2f}",
                style="bold" if chosen else "",
            )
    console.print(table)
    _line(console, "Sherpa's own", f"{_pb(content, 'own_cross_section')} from its optimisation run")
    _line(console, "Result", f"{_pb(content, 'cross_section')} with the chosen mapping")
    for process in content["processes"]:
        decision = process["decision"]
        name = "flow" if decision["sampler"] == "flow" else "Sherpa's own mapping"
        _line(console, f"Choice for {process['name']}", f"{name}; {decision['reason']}")
    if content["events"]:
        _line(
            console,
            "Events",
            f"{content['events']} in {result.folder / 'events.lhe.gz'}, {content['unweighting_efficiency']:.4g} per "
            f"trial (Sherpa's efficiency {content['sherpa_efficiency']:.4g}); cross section of the events "
            f"{_pb(content, 'cross_section_of_the_events')}",
        )
    calls = content["matrix_element_calls"]
    spent = ", ".join(f"{number:.0f} {stage}" for stage, number in calls.items() if number)
    _line(console, "Matrix elements", f"{spent}; {content['cpu_seconds']:.1f} s of CPU time in all")


def _pb(content: dict[str, Any], name: str) -> str:
    return f"{content[name + '_pb']:.6g} +- {content[name + '_error_pb']:.2g} pb"


def _line(console: Console, head: str, text: str) -> None:
    console.print(f"[bold]{head}:[/] {text}", highlight=False, soft_wrap=True)
