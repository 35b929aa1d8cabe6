"""From the process section of the run card to the integrand that it describes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.integrands import EventSource
from mcbridge.processes import process
from plugin.card.processes import CustomCard, CutsCard, DrellYanCard, Section, UmamiCard
from plugin.run.functions import load_function

__all__ = ["build_process"]


def build_process(card: Section) -> EventSource:
    """The process that a card describes.

    Raises:
        UserError: the settings contradict each other, or a PDF set, function or library cannot be read.
    """
    settings: dict[str, Any] = {name: getattr(card, name) for name in type(card).model_fields if name != "name"}
    if isinstance(card, DrellYanCard) and card.zprime is not None:
        from mcbridge.processes.drell_yan import ZPrime

        settings["zprime"] = ZPrime(**card.zprime.model_dump())
    if isinstance(card, CustomCard | UmamiCard):
        settings["cuts"] = _cuts(card.cuts)
    if isinstance(card, CustomCard):
        settings["amplitude"] = load_function(card.amplitude)
        settings["convert"] = _tensors() if settings.pop("tensors") else None
    if isinstance(card, UmamiCard):
        settings["card"] = settings.pop("param_card")
    made: EventSource = process(card.name)(**settings)  # type: ignore[attr-defined]
    return made


def _tensors() -> Callable[[Any], Any]:
    import torch

    return lambda momenta: torch.from_numpy(np.array(momenta))  # a copy: torch wants to own what it may write


def _cuts(card: CutsCard) -> Any:
    from mcbridge.processes.cuts import Cuts

    limits: dict[str, Any] = {}
    for name in type(card).model_fields:
        value = getattr(card, name)
        if isinstance(value, dict) and name in ("mass_min", "mass_max", "dr_min"):
            value = {_pair(name, key): limit for key, limit in value.items()}
        if value is not None:
            limits[name] = value
    return Cuts(**limits)


def _pair(name: str, text: str) -> tuple[int, int]:
    try:
        first, second = (int(part) for part in text.replace(",", " ").split())
    except ValueError:
        raise UserError(
            f"process.cuts.{name}: the key '{text}' must name two PDG numbers, for instance '11 -11'"
        ) from None
    return first, second
