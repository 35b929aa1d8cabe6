"""The command line ``binnis``: its commands, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from typing import NoReturn

import typer
from rich.console import Console

from mcbridge.errors import UserError
from plugin.commands import annotate, card, integrate, run

__all__ = ["app", "main"]

app = typer.Typer(
    name="binnis",
    help="Normalizing flows as phase-space samplers: cross sections and unweighted events with fewer amplitude calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.command)
app.command("integrate")(integrate.command)
app.command("annotate")(annotate.command)
app.command("card")(card.command)
for _entry in entry_points(group="binnis.interfaces"):
    for _group in _entry.load()():
        app.add_typer(_group)


def main() -> NoReturn:
    """Run the command line; a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]binnis:[/] {_escape(str(error))}", highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print("binnis: interrupted; nothing half-written was left")
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
