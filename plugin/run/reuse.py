"""What a sampler file remembers of its run, and whether it fits another one."""

from __future__ import annotations

import json
from typing import Any

from mcbridge.errors import UserError
from mcbridge.integrands import Integrand
from mcbridge.samplers import Sampler
from plugin.card import Card

__all__ = ["check_sampler", "sampler_metadata"]


def sampler_metadata(card: Card, process: Integrand) -> dict[str, Any]:
    """The metadata of a sampler file: what it was trained for.

    Arguments:
        card: the run card.
        process: the integrand.
    """
    return {
        "process": json.loads(card.process.model_dump_json()),
        "dim": process.dim,
        "channels": process.channels,
        "seed": card.seed,
    }


def check_sampler(sampler: Sampler, card: Card, process: Integrand) -> Sampler:
    """The sampler, if it was made for this process.

    Raises:
        UserError: dimension, channels, process or one of its settings differ; the sentence names the first.
    """
    metadata = sampler.metadata
    for name, given in (("dim", process.dim), ("channels", process.channels)):
        if metadata.get(name) != given:
            raise UserError(
                f"--sampler-file: it was made for {name} = {metadata.get(name)}, but the process has {name} = {given}"
            )
    made_for = metadata.get("process") or {}
    wanted = json.loads(card.process.model_dump_json())
    for key in [*wanted, *(key for key in made_for if key not in wanted)]:
        if made_for.get(key) != wanted.get(key):
            raise UserError(
                f"--sampler-file: it was made for process.{key} = {made_for.get(key)}, but the card has "
                f"process.{key} = {wanted.get(key)}; train a new sampler, or use the card of that run"
            )
    return sampler
