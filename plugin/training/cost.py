"""What a training will cost, known without importing torch."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mcbridge.core import FlowSpec, gradient
from mcbridge.errors import UserError
from plugin.training.config import TrainingConfig

__all__ = ["Budget", "estimate_training_seconds", "flow_spec", "least_evaluations", "split_budget"]

# Calibrated on one core, see _slowness for others: CPU time of a gradient per point and parameter of the flow, of a
# density, of the bookkeeping of a step, and of what happens once.
_GRADIENT = 4.2e-11
_DENSITY = 1.5e-11
_SPLINE = 1.0e-8
_STEP = 3.0e-4
_ONCE = 0.3
_IMPORT = 1.5

_LEAST = 400


@dataclass(frozen=True)
class Budget:
    """Numbers of evaluations of the integrand.

    Attributes:
        survey: for the VEGAS map.
        training: drawn from the flow while it is trained.
        choice: fresh points for each of the two samplers, to choose between them.
    """

    survey: int
    training: int
    choice: int


def least_evaluations(choice: bool = False) -> int:
    """The smallest number of evaluations that :func:`split_budget` divides."""
    return 8 * _LEAST if choice else 3 * _LEAST


def split_budget(total: int, choice: bool = False) -> Budget:
    """Divide a number of evaluations.

    Arguments:
        total: number of evaluations.
        choice: False if survey and training share all of them; True if fresh points for the choice and the
            integral itself come out of the total as well: survey 25%, training 20%, choice 5% for each sampler.

    Raises:
        UserError: there are too few evaluations for a training.
    """
    total = int(total)
    least = least_evaluations(choice)
    if total < least:
        raise UserError(f"{total} evaluations are too few to train a flow; at least {least} are needed")
    if not choice:
        survey = max(_LEAST, int(0.4 * total))
        return Budget(survey, total - survey, 0)
    return Budget(
        max(2 * _LEAST, int(0.25 * total)), max(_LEAST, int(0.20 * total)), max(_LEAST // 2, int(0.05 * total))
    )


def flow_spec(dim: int, config: TrainingConfig, context: int = 0, periodic: tuple[int, ...] = ()) -> FlowSpec:
    """The flow that resolved settings ask for."""
    assert config.hidden is not None
    assert config.bins is not None
    return FlowSpec(
        dim,
        context=context,
        blocks=config.blocks,
        hidden=config.hidden,
        layers=config.layers,
        bins=config.bins,
        kind="affine" if config.kind == "affine" else "rqs",
        periodic=periodic,
    )


def estimate_training_seconds(
    dim: int, points: int, config: TrainingConfig | None = None, imports: float = 1.0
) -> float:
    """CPU time [s] of the optimisation, without the evaluations of the integrand.

    Arguments:
        dim: number of coordinates.
        points: points per channel, survey and training together.
        config: settings of the training.
        imports: share of the time to load torch that this training has to pay for, where others follow in the process.
    """
    resolved = (config or TrainingConfig()).resolved(dim, points)
    assert resolved.steps is not None
    assert resolved.fine_tuning_steps is not None
    assert resolved.batch is not None
    assert resolved.check_every is not None
    assert resolved.rounds is not None
    spec = flow_spec(dim, resolved)
    per_gradient, per_density = _calibrated(spec)
    steps = resolved.steps + resolved.fine_tuning_steps
    checks = steps / resolved.check_every * resolved.held_out * points
    densities = checks + (2 + resolved.rounds) * points + resolved.fine_tuning_steps * resolved.batch
    loading = 0.0 if "torch" in sys.modules else imports * _IMPORT
    total = loading + _ONCE + steps * (_STEP + resolved.batch * per_gradient) + densities * per_density
    return total * _slowness(spec)


def _calibrated(spec: FlowSpec) -> tuple[float, float]:
    """CPU time of a gradient and of a density of one point, where this was calibrated [s]."""
    splines = _SPLINE * spec.count * max(1, spec.dim / 2)
    return _GRADIENT * spec.parameters + 2.0 * splines, _DENSITY * spec.parameters + splines


@lru_cache(maxsize=8)
def _slowness(spec: FlowSpec) -> float:
    """How many times longer a gradient takes here than where the figures were calibrated; measured in milliseconds."""
    points, fastest = 512, float("inf")
    generator = np.random.default_rng(0)
    parameters = generator.normal(0.0, 0.1, spec.parameters).astype(np.float32)
    y = generator.random((points, spec.dim), dtype=np.float32)
    context = generator.random((points, spec.context), dtype=np.float32) if spec.context else None
    slope = np.full(points, 1.0 / points, dtype=np.float32)
    for _ in range(4):
        start = time.thread_time()
        gradient(spec, parameters, y, slope, context)
        fastest = min(fastest, time.thread_time() - start)
    return fastest / points / _calibrated(spec)[0]
