"""What ``--resume`` of a command goes with."""

from __future__ import annotations

import typer

from mcbridge.errors import UserError

__all__ = ["refuse_beside_resume"]


def refuse_beside_resume(context: typer.Context, *allowed: str) -> None:
    """Refuse arguments that a run which is resumed cannot take.

    Arguments:
        context: of the command line.
        allowed: names of the options that it can take.

    Raises:
        UserError: another argument was given; it is named.
    """
    given = [
        "CARD" if name == "card" else _option(name)
        for name in (str(parameter.name) for parameter in context.command.params)
        if name not in ("resume", *allowed) and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if given:
        *most, last = map(_option, allowed)
        raise UserError(
            f"--resume goes on with the card and the settings in its folder and takes no {' and no '.join(given)};"
            f" beside it only {', '.join(most)} and {last} are allowed"
        )


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
