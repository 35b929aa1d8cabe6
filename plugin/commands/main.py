"""The command line ``binnis``: its commands, and how errors reach the user."""

from __future__ import annotations

import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import NoReturn

import typer
from rich.console import Console

from mcbridge.errors import UserError
from plugin.commands import annotate, card, integrate, report, run, status, validate

__all__ = ["add_commands", "app", "main"]

app = typer.Typer(
    name="binnis",
    help="Normalizing flows as phase-space samplers: cross sections and unweighted events with fewer amplitude calls.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command("run")(run.command)
app.command("status")(status.command)
app.command("integrate")(integrate.command)
app.command("validate")(validate.command)
app.command("report")(report.command)
app.command("annotate")(annotate.command)
app.command("card")(card.command)


def add_commands(entry: EntryPoint) -> None:
    """Add the sub-commands of an interface: an entry of the group ``binnis.commands``, which names a ``typer.Typer``.

    An entry that cannot be loaded stays in the help and says why when it is called; the other commands work.
    """
    try:
        group = entry.load()
        if not isinstance(group, typer.Typer):
            raise TypeError(f"{entry.value} is a {type(group).__name__}, not a typer.Typer")
    except Exception as error:
        said = " ".join(str(error).split())
        reason = f"the commands of '{entry.name}' cannot be loaded from {entry.value}: {type(error).__name__}: {said}"
        options = {"allow_extra_args": True, "ignore_unknown_options": True}

        @app.command(entry.name, help="Not available: it cannot be loaded.", context_settings=options)
        def refuse() -> None:
            raise UserError(reason)

        return
    app.add_typer(group, name=entry.name)


for _entry in entry_points(group="binnis.commands"):
    add_commands(_entry)


def main() -> NoReturn:
    """Run the command line; a user's mistake is one sentence on standard error and exit code 2."""
    try:
        app()
    except UserError as error:
        Console(stderr=True, soft_wrap=True).print(f"[bold red]binnis:[/] {_escape(str(error))}", highlight=False)
        sys.exit(2)
    except KeyboardInterrupt:
        Console(stderr=True).print(
            "binnis: interrupted; nothing half-written was left, and binnis run --resume DIR goes on with a run"
        )
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
