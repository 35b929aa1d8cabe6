"""A user's Python function, named on the command line or in a card."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from mcbridge.errors import UserError, nearest

__all__ = ["load_function"]


def load_function(target: str) -> Callable[..., Any]:
    """The function that ``MODULE:FUNCTION`` names; MODULE is importable or a path to a ``.py`` file.

    Raises:
        UserError: the form is wrong, the module cannot be imported, or it has no such function.
    """
    name, _, function = target.rpartition(":")
    if not name or not function:
        raise UserError(f"'{target}' must have the form MODULE:FUNCTION, for instance my_amplitude.py:f")
    try:
        module = _from_file(target, Path(name)) if name.endswith(".py") else _from_path(name)
    except UserError:
        raise
    except ModuleNotFoundError as error:
        if error.name != name:
            raise UserError(f"'{target}': importing {name} failed: {error}") from None
        raise UserError(
            f"'{target}': there is no module '{name}' in the current folder or among the installed packages"
        ) from None
    except Exception as error:
        raise UserError(f"'{target}': importing {name} failed: {type(error).__name__}: {error}") from None
    found = getattr(module, function, None)
    if not callable(found):
        functions = [entry for entry, value in vars(module).items() if callable(value) and not entry.startswith("_")]
        raise UserError(f"'{target}': {name} has no function '{function}'{nearest(function, functions)}")
    callee: Callable[..., Any] = found
    return callee


def _from_file(target: str, path: Path) -> ModuleType:
    if not path.is_file():
        raise UserError(f"'{target}': the file {path} does not exist")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)  # what the file imports from its own folder
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # a path that ends in .py always has one
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # so that its functions can be sent to other processes
    spec.loader.exec_module(module)
    return module


def _from_path(name: str) -> ModuleType:
    if "" not in sys.path:
        sys.path.insert(0, "")
    return importlib.import_module(name)
