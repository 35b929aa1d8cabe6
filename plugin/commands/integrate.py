"""``binnis integrate``: integrate a Python function from the shell."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mcbridge.errors import UserError, nearest

__all__ = ["command", "load_function"]


def load_function(target: str) -> Callable[..., Any]:
    """The function that ``MODULE:FUNCTION`` names; MODULE is importable or a path to a ``.py`` file.

    Raises:
        UserError: the form is wrong, the module cannot be imported, or it has no such function.
    """
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise UserError(f"'{target}' must have the form MODULE:FUNCTION, for instance my_amplitude:f")
    path = Path(module_name)
    if path.suffix == ".py":
        if not path.exists():
            raise UserError(f"'{target}': the file {path} does not exist")
        sys.path.insert(0, str(path.parent.resolve()))
        module_name = path.stem
    elif "" not in sys.path:
        sys.path.insert(0, "")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name != module_name:
            raise UserError(f"'{target}': importing {module_name} failed: {error}") from None
        raise UserError(
            f"'{target}': there is no module '{module_name}' in the current folder or among the installed packages"
        ) from None
    except Exception as error:
        raise UserError(f"'{target}': importing {module_name} failed: {type(error).__name__}: {error}") from None
    functions = [entry for entry in vars(module) if callable(getattr(module, entry)) and not entry.startswith("_")]
    if not callable(getattr(module, name, None)):
        raise UserError(f"'{target}': {module_name} has no function '{name}'{nearest(name, functions)}")
    function: Callable[..., Any] = getattr(module, name)
    return function


def command(
    function: Annotated[str, typer.Argument(metavar="MODULE:FUNCTION", help="What to integrate.")],
    dim: Annotated[int, typer.Option("--dim", "-d", min=1, help="Number of dimensions.")],
    lower: Annotated[float, typer.Option("--from", help="Lower limit of every dimension.")] = 0.0,
    upper: Annotated[float, typer.Option("--to", help="Upper limit of every dimension.")] = 1.0,
    nitn: Annotated[int, typer.Option("--nitn", min=1, help="Iterations.")] = 10,
    neval: Annotated[int, typer.Option("--neval", min=100, help="Evaluations per iteration.")] = 100_000,
    sampler: Annotated[
        str, typer.Option("--sampler", metavar="auto|flow|vegas", help="Measure and choose, or insist.")
    ] = "auto",
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of all random numbers.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Write the trained sampler to a file.")
    ] = None,
) -> None:
    """Integrate a Python function over a box, as `vegas.Integrator` would be called.

    The function takes one point (an array of length D) and returns a number; decorate it with
    `vegas.lbatchintegrand` if it takes many points at once, which is much faster.

    Example: `binnis integrate my_amplitude.py:f --dim 4 --neval 100000`
    """
    integrand = load_function(function)
    from plugin.integrator import Integrator

    integrator = Integrator(dim * [[lower, upper]], sampler=sampler, seed=seed)
    result = integrator(integrand, nitn=nitn, neval=neval)
    typer.echo(result.summary())
    typer.echo(f"integral = {result}")
    typer.echo(f"choice: {integrator.decision.sampler}; {integrator.decision.reason}")
    if save is not None:
        integrator.save(save)
