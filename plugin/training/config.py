"""Everything that can be set about a training, with defaults that need no tuning."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mcbridge.errors import UserError, nearest

__all__ = ["LOSSES", "LossName", "TrainingConfig"]

LossName = Literal[
    "forward_kl", "matching_kl", "variance", "second_moment", "stratified_variance", "renyi", "exponential"
]
LOSSES: tuple[str, ...] = (
    "forward_kl",
    "matching_kl",
    "variance",
    "second_moment",
    "stratified_variance",
    "renyi",
    "exponential",
)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Settings of a training; None means: chosen from the number of dimensions and points (see ``recipe.py``).

    Arguments:
        threads: threads of the flow kernel; the result does not depend on them.
        steps: optimisation steps in all.
        batch: points of a step.
        hidden, layers, bins, blocks, kind: architecture of the flow (:class:`mcbridge.core.FlowSpec`).
        learning_rate: largest learning rate of Adam; it rises linearly over the first steps of a stage and falls as a
            cosine.
        fine_tuning_rate: the same in the last stage.
        loss: loss of the first stages.
        fine_tuning: loss of the last stage, with the mixture in the denominator; ``"none"`` to leave it out.
        fine_tuning_share: share of the steps that the last stage gets.
        clip: largest norm of the gradient.
        averaging: decay of the running average of the parameters; the averaged parameters are what is used.
        rounds: how the new evaluations are divided into rounds of points drawn by the flow so far; adds up to 1.
        draw_eps: share of the VEGAS map in the points drawn for training.
        held_out: share of the points that judge the training and are not trained on.
        checks: how often in a stage the held-out points are asked.
        patience: a stage ends after so many checks without improvement.
        smallest_eps: safe lower bound of the share of the VEGAS map in the final mixture.
        learned_channel_weights: learn the channel weights, starting at the prior (several channels with features).
        minimum_points: a channel with fewer points of non-zero weight keeps its VEGAS map.
        order: order of the Renyi divergence.
        checkpoint: file (safetensors) to resume from and to write to; None for none.

    Raises:
        UserError: a value is out of range.
    """

    threads: int = 1
    steps: int | None = None
    batch: int | None = None
    hidden: int | None = None
    layers: int = 3
    bins: int | None = None
    blocks: int | None = None
    kind: Literal["rqs", "affine"] = "rqs"
    learning_rate: float = 3e-3
    fine_tuning_rate: float = 1e-3
    loss: LossName = "forward_kl"
    fine_tuning: LossName | Literal["none"] = "variance"
    fine_tuning_share: float = 0.3
    clip: float = 2.0
    averaging: float = 0.995
    rounds: tuple[float, ...] | None = None
    draw_eps: float = 0.05
    held_out: float = 0.1
    checks: int = 8
    patience: int = 3
    smallest_eps: float = 0.01
    learned_channel_weights: bool = True
    minimum_points: int = 200
    order: float = 2.0
    checkpoint: str | Path | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("threads", 1, 1024),
            ("steps", 1, 10**9),
            ("batch", 16, 10**7),
            ("hidden", 1, 4096),
            ("layers", 1, 64),
            ("bins", 1, 512),
            ("blocks", 1, 4096),
            ("checks", 1, 10**6),
            ("patience", 1, 10**6),
            ("minimum_points", 2, 10**9),
        ):
            value = getattr(self, name)
            if value is None and name in ("steps", "batch", "hidden", "bins", "blocks"):
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UserError(f"{name} of the training is {value!r}; it must be a whole number from {low} to {high}")
        for name, least, most in (
            ("learning_rate", 0.0, 1.0),
            ("fine_tuning_rate", 0.0, 1.0),
            ("fine_tuning_share", 0.0, 1.0),
            ("clip", 0.0, float("inf")),
            ("averaging", 0.0, 1.0),
            ("draw_eps", 0.0, 1.0),
            ("held_out", 0.0, 0.5),
            ("smallest_eps", 0.0, 1.0),
            ("order", 1.0, 10.0),
        ):
            value = getattr(self, name)
            open_below = name not in ("averaging", "fine_tuning_share")
            proper = isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most
            if not proper or (open_below and value == least):
                bracket = "(" if open_below else "["
                raise UserError(f"{name} of the training is {value!r}; it must be in {bracket}{least:g}, {most:g}]")
        for name, allowed in (("loss", LOSSES), ("fine_tuning", (*LOSSES, "none")), ("kind", ("rqs", "affine"))):
            value = getattr(self, name)
            if value not in allowed:
                hint = nearest(str(value), allowed)
                raise UserError(f"{name} of the training is {value!r}; it must be one of {', '.join(allowed)}{hint}")
        if self.rounds is not None:
            shares = tuple(self.rounds)
            if not shares or min(shares) <= 0.0 or abs(sum(shares) - 1.0) > 1e-6:
                raise UserError(f"rounds of the training is {shares}; it must be positive shares that add up to 1")

    @staticmethod
    def of(**settings: Any) -> TrainingConfig:
        """A configuration from keywords.

        Raises:
            UserError: an unknown name (the nearest valid one is told), or a value out of range.
        """
        names = [field.name for field in fields(TrainingConfig)]
        for name in settings:
            if name not in names:
                raise UserError(f"the training has no setting '{name}'; there are {', '.join(names)}{nearest(name, names)}")
        return TrainingConfig(**settings)
