"""The processes of the Sherpa benchmark: their cards, and the settings of a run."""

from __future__ import annotations

import argparse
from pathlib import Path

from sherpa_interface.run import Settings

__all__ = ["CASES", "MINIMUM", "card_of", "settings_of"]

CARDS = Path(__file__).parents[1] / "examples" / "sherpa"
CASES = ("ee_to_mumu_photon", "pp_to_ee", "pp_to_ee_jet", "ee_to_three_jets")
MINIMUM = 5000  # points of Sherpa's first iteration, its default


def card_of(case: str, itmin: int, folder: Path) -> Path:
    """The card of a process, with another length of Sherpa's optimisation where that is asked for."""
    card = CARDS / f"{case}.yaml"
    if itmin == MINIMUM:
        return card
    changed = folder / card.name
    changed.write_text(f"{card.read_text(encoding='utf-8')}PSI: {{ITMIN: {itmin}}}\n", encoding="utf-8")
    return changed


def settings_of(arguments: argparse.Namespace, seed: int = 1) -> Settings:
    """The settings of a run that the command line asks for."""
    return Settings(
        events=arguments.events,
        seed=seed,
        sampler="auto" if arguments.auto else "flow",
        evaluations=arguments.evaluations,
        choice=arguments.choice,
        integration=arguments.integration,
        replicas=0,
        quiet=True,
    )
