"""Settings of a training, and what None stands for."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from mcbridge.errors import UserError, nearest

__all__ = ["LOSSES", "TrainingConfig"]

FINE_TUNING_LOSSES = ("variance", "second_moment", "third_moment")
LOSSES = ("forward_kl", "generalised_kl", "variance", "stratified_variance", "renyi", "exponential", "reverse_kl")


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of :func:`plugin.training.train`; None is chosen from dimension and number of points.

    Attributes:
        loss: of the main part of the training (see :mod:`plugin.training.losses`).
        steps: optimisation steps of the main part, over all rounds.
        fine_tuning_steps: steps with a moment of the weights of the defensive mixture as loss.
        fine_tuning_loss: ``"variance"``, in a form without noise where the density is right; ``"second_moment"``, of
            the same mean gradient; or ``"third_moment"``, which lowers the largest weights first and so serves
            unweighting where the mixture keeps them within bounds anyway.
        rounds: how many times new points are drawn from the flow trained so far.
        batch: points of a step.
        learning_rate: its largest value in the main part.
        fine_tuning_learning_rate: its largest value in the fine-tuning.
        fine_tuning_eps: share of the VEGAS density in the mixture of the fine-tuning, where ``eps`` is None.
        knots: of the smooth maps under the flow, by axis; 0 for the grids of the survey as they are.
        ahead: share of the steps before new points during which these are evaluated already, by workers, from the flow
            as it then is.
        least: Kish effective size, as a share of the points, below which the target is flattened; 0 for never.
        clip: largest norm of the gradient of one channel.
        averaging: decay of the running average of the parameters.
        check_every: steps between two looks at the held-out points.
        patience: looks without an improvement after which a stage ends.
        held_out: share of the points that is never trained on.
        hidden, layers, bins, blocks, kind: of the flow (see :class:`mcbridge.core.FlowSpec`).
        eps: share of the VEGAS density in the mixture; chosen on held-out points if None.
        eps_candidates: what is tried; the first is the safe lower bound.
        training_eps: share of the VEGAS density while points are drawn for the training.
        learned_channel_weights: whether channel weights are learned where the integrand returns features.
        channel_weight_steps: steps of each round of their training.
        kernel: whether the C++ kernel computes gradients (otherwise torch).
        threads: of the kernel.
        checkpoint: file for the best parameters after every stage, or None.

    Raises:
        UserError: a value is out of range.
    """

    loss: str = "forward_kl"
    steps: int | None = None
    fine_tuning_steps: int | None = None
    fine_tuning_loss: str = "variance"
    rounds: int | None = None
    batch: int | None = None
    learning_rate: float = 1e-2
    fine_tuning_learning_rate: float = 3e-3
    fine_tuning_eps: float = 0.01
    clip: float = 2.0
    averaging: float = 0.995
    check_every: int | None = None
    patience: int = 8
    held_out: float = 0.15
    knots: int = 20
    least: float = 0.08
    ahead: float = 0.0
    hidden: int | None = None
    layers: int = 3
    bins: int | None = None
    blocks: int | None = None
    kind: str = "rqs"
    eps: float | None = None
    eps_candidates: tuple[float, ...] = (0.01, 0.02, 0.05, 0.1, 0.2)
    training_eps: float = 0.1
    learned_channel_weights: bool = True
    channel_weight_steps: int = 200
    kernel: bool = True
    threads: int = 1
    checkpoint: str | None = None

    def __post_init__(self) -> None:
        if self.loss not in LOSSES:
            raise UserError(f"loss is '{self.loss}'; it must be one of {', '.join(LOSSES)}{nearest(self.loss, LOSSES)}")
        if self.fine_tuning_loss not in FINE_TUNING_LOSSES:
            allowed = ", ".join(FINE_TUNING_LOSSES)
            raise UserError(
                f"fine_tuning_loss is '{self.fine_tuning_loss}'; it must be one of {allowed}"
                f"{nearest(self.fine_tuning_loss, FINE_TUNING_LOSSES)}"
            )
        if self.kind not in ("rqs", "affine"):
            raise UserError(
                f"kind is '{self.kind}'; it must be 'rqs' or 'affine'{nearest(self.kind, ('rqs', 'affine'))}"
            )
        lowest = {
            "steps": 1, "fine_tuning_steps": 0, "rounds": 0, "batch": 2, "check_every": 1, "patience": 1, "hidden": 1,
            "layers": 1, "bins": 1, "knots": 0, "blocks": 1, "channel_weight_steps": 0, "threads": 1,
        }  # fmt: skip
        for name, low in lowest.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < low):
                raise UserError(f"{name} is {value!r}; it must be a whole number of at least {low}")
        for name in ("learning_rate", "fine_tuning_learning_rate", "clip"):
            value = getattr(self, name)
            if not value > 0.0:
                raise UserError(f"{name} is {value!r}; it must be positive")
        if not 0.0 <= self.averaging < 1.0:
            raise UserError(f"averaging is {self.averaging}; it must be at least 0 and below 1")
        if not 0.0 <= self.least < 1.0:
            raise UserError(f"least is {self.least}; it must be at least 0 and below 1")
        if not 0.0 <= self.ahead <= 1.0:
            raise UserError(f"ahead is {self.ahead}; it must be from 0 to 1")
        if not 0.0 < self.held_out <= 0.5:
            raise UserError(f"held_out is {self.held_out}; it must be above 0 and at most 0.5")
        shares = [(name, getattr(self, name)) for name in ("training_eps", "fine_tuning_eps")]
        for name, share in [*shares, *(("eps", value) for value in self._eps)]:
            if not 0.0 < share <= 1.0:
                raise UserError(f"{name} is {share}; it must be above 0 and at most 1")
        if not self.eps_candidates:
            raise UserError("eps_candidates is empty; it must name at least one share of the VEGAS density")
        object.__setattr__(self, "eps_candidates", tuple(sorted(map(float, self.eps_candidates))))

    @property
    def _eps(self) -> tuple[float, ...]:
        return (*self.eps_candidates, *(() if self.eps is None else (self.eps,)))

    @staticmethod
    def from_dict(values: dict[str, Any]) -> TrainingConfig:
        """Settings from a mapping.

        Raises:
            UserError: a name is unknown.
        """
        names = [field.name for field in fields(TrainingConfig)]
        for name in values:
            if name not in names:
                raise UserError(f"TrainingConfig has no setting '{name}'{nearest(name, names)}")
        return TrainingConfig(**values)

    def resolved(self, dim: int, points: int) -> TrainingConfig:
        """The same settings with every None replaced.

        Arguments:
            dim: continuous coordinates of a channel.
            points: points per channel, survey and training together.
        """
        many = points >= 150_000
        some = points >= 50_000
        # From what was measured (docs/benchmarks.md): small batches at a large rate, new points often, few steps of the
        # KL divergence, and most of the work by the variance, whose gradient has no noise where the density is right.
        steps = int(min(1000, 400 + points // 500))
        automatic = {
            "hidden": 32 if many else 16,
            "bins": 10 if many else 8,
            "batch": 512 if some else 256,
            "steps": steps,
            "fine_tuning_steps": int(min(2000, 600 + points // 100)),
            "rounds": 3 if many else 2,
            "check_every": int(min(200, max(50, steps // 5))),
        }
        missing: dict[str, Any] = {name: value for name, value in automatic.items() if getattr(self, name) is None}
        if dim > 12 and "hidden" in missing:
            missing["hidden"] = 48 if many else 32
        return replace(self, **missing)
