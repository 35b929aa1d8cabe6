"""A validation in the terminal and in a notebook."""

from __future__ import annotations

from rich.console import Console, Group
from rich.text import Text

from plugin.report.tables import as_html, as_rich
from plugin.validate.agreement_sections import table_of_tests
from plugin.validate.document import performance_table
from plugin.validate.result import Validation

__all__ = ["print_validation", "validation_html", "validation_rich"]


def validation_rich(found: Validation) -> Group:
    """Tables for a terminal, the verdict last."""
    parts: list[object] = []
    both = [entry for entry in (found.vegas, found.flow) if entry is not None]
    if both:
        parts.append(as_rich(performance_table(both), found.title))
    parts.append(as_rich(table_of_tests(found.agreement.verdict, 6)))
    if found.decision is not None:
        parts.append(Text.assemble(("Decision: ", "bold"), f"{found.decision.sampler}; {found.decision.reason}"))
    parts += [Text.assemble(("Note: ", "bold"), note) for note in found.agreement.notes[:6]]
    parts.append(Text(found.verdict_line(), style="bold green" if found.agree else "bold red"))
    return Group(*parts)  # type: ignore[arg-type]


def validation_html(found: Validation) -> str:
    """The same for a notebook."""
    import html

    colour = "#1f6f3a" if found.agree else "#a3201d"
    both = [entry for entry in (found.vegas, found.flow) if entry is not None]
    parts = [f'<p style="color:{colour};font-weight:600">{html.escape(found.verdict_line())}</p>']
    if both:
        parts.append(as_html(performance_table(both)))
    parts.append(as_html(table_of_tests(found.agreement.verdict, 6)))
    return "".join(parts)


def print_validation(found: Validation, console: Console | None = None) -> None:
    """Print the tables and the verdict; the verdict is one line, whatever the width of the terminal."""
    console = console or Console()
    group = validation_rich(found)
    for part in group.renderables[:-1]:
        console.print(part, highlight=False)
    console.print(group.renderables[-1], highlight=False, soft_wrap=True)
