"""The command group ``binnis sherpa``. What takes long to import is imported by the commands themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    name="sherpa",
    help="Sherpa with a trained sampler: install it, compile the plug-in, run a card with it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Prefix = Annotated[
    Path | None,
    typer.Option(
        "--prefix", metavar="DIR", help="Sherpa's prefix \\[SHERPA_PREFIX, the PATH, or the one that binnis installed]."
    ),
]


@app.command("install")
def install(
    prefix: Annotated[
        Path | None, typer.Option("--prefix", metavar="DIR", help="Folder to make \\[in the user's cache folder].")
    ] = None,
) -> None:
    """Install Sherpa 3.0.3 from its Python wheel into a prefix of its own (48 MB download, no compilation).

    The hash of the file is pinned. Example: `binnis sherpa install`
    """
    from sherpa_interface.install import install_sherpa

    sherpa = install_sherpa(prefix)
    typer.echo(f"Sherpa {sherpa.version}: {sherpa.executable}")


@app.command("build")
def build(
    prefix: Prefix = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder for the library \\[in the user's cache folder]."),
    ] = None,
) -> None:
    """Compile the plug-in library `libSherpaBinnis.so` for an installed Sherpa.

    `binnis sherpa run` does this by itself; this command is for run cards of your own.
    """
    from sherpa_interface.build import build_plugin
    from sherpa_interface.locate import find_sherpa

    library = build_plugin(find_sherpa(prefix), output, rebuild=True)
    typer.echo(f"{library}\n\nTo use it, run Sherpa with\n\n    export LD_LIBRARY_PATH={library.parent}\n")
    typer.echo("and the lines\n\n    SHERPA_LDADD: SherpaBinnis\n    INTEGRATOR: [Binnis]\n\nin Sherpa.yaml.")
