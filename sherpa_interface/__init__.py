"""The interface to Sherpa: what its commands add to the command line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["commands"]


def commands() -> Sequence[Any]:
    """The command groups (``typer.Typer`` objects) that this interface adds to ``binnis``."""
    return ()
