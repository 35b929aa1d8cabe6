"""``sigma_syst`` of the events of a run: what a nuisance parameter of the card does to their density."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcbridge.uncertainties.add_systematic import add_systematic
from mcbridge.uncertainties.systematic import Systematic
from plugin.card import Card
from plugin.run.functions import load_function
from plugin.run.state import State

__all__ = ["add_sigma_syst", "check_systematic"]

_ENTRY = "uncertainties.systematic.function"


def check_systematic(card: Card, start: Path | None = None) -> None:
    """Load the function that the card names, so that a mistake shows before anything is computed.

    Arguments:
        card: of the run.
        start: where relative paths start; None for the working directory.

    Raises:
        UserError: there is no such function.
    """
    _systematic(card, start)


def add_sigma_syst(state: State, path: Path, start: Path | None = None) -> dict[str, Any] | None:
    """Give the events of a finished file the attribute ``sigma_syst``; what there is to say of it, or None.

    Arguments:
        state: of the run.
        path: event file, which is replaced.
        start: where relative paths in the card start; None for the working directory.

    Raises:
        UserError: the function of the variation fails.
    """
    systematic = _systematic(state.card, start)
    if systematic is None:
        return None
    return add_systematic(path, systematic, state.card.threads, state.progress.live("sigma_syst"))


def _systematic(card: Card, start: Path | None) -> Systematic | None:
    entry = card.uncertainties.systematic
    if entry is None:
        return None
    name, _, function = entry.function.rpartition(":")
    target = str(start / name) + f":{function}" if start is not None and name.endswith(".py") else entry.function
    return Systematic(load_function(target), entry.span, entry.nominal, entry.function, _ENTRY)
