"""From the process section of the run card to the integrand that it describes."""

from __future__ import annotations

from mcbridge.integrands import EventSource
from plugin.card.model import DrellYanCard, EeToMuMuCard, GluonsCard

__all__ = ["build_process"]


def build_process(card: DrellYanCard | EeToMuMuCard | GluonsCard) -> EventSource:
    """The process that a card describes.

    Raises:
        UserError: the settings contradict each other, or a PDF set cannot be read.
    """
    settings = card.model_dump(exclude={"name"})
    if isinstance(card, DrellYanCard):
        from mcbridge.processes.drell_yan import DrellYan, ZPrime

        if card.zprime is not None:
            settings["zprime"] = ZPrime(**card.zprime.model_dump())
        return DrellYan(**settings)
    if isinstance(card, EeToMuMuCard):
        from mcbridge.processes.ee_to_mumu import EeToMuMu

        return EeToMuMu(**settings)
    from mcbridge.processes.gluons import Gluons

    return Gluons(**settings)
