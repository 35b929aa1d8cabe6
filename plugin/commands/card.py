"""``binnis card``: templates and the schema of the run card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mcbridge.errors import UserError
from mcbridge.files import write_text
from plugin.card import Card, dump_card, load_card, template

__all__ = ["command"]


def command(
    template_of: Annotated[
        str | None, typer.Option("--template", metavar="PROCESS", help="Print a commented card for a process.")
    ] = None,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of the card.")] = False,
    check: Annotated[
        Path | None, typer.Option("--check", metavar="CARD", help="Validate a card and print it with all defaults.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file instead of the terminal.")
    ] = None,
) -> None:
    """Print run cards: a template to start from, the schema for an editor, or a card with its defaults.

    Example: `binnis card --template drell-yan -o card.yaml`
    """
    chosen = [template_of is not None, schema, check is not None]
    if sum(chosen) != 1:
        raise UserError("binnis card needs one of --template PROCESS, --schema and --check CARD")
    if template_of is not None:
        text = template(template_of)
    elif check is not None:
        text = dump_card(load_card(check))
    else:
        text = json.dumps(Card.model_json_schema(), indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
    elif output.exists():
        raise UserError(f"--output: {output} exists already; name a new file")
    else:
        write_text(output, text)
