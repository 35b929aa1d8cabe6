"""The network of the classifier: learns what the polynomials have left."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from mcbridge.integrands import Array
from plugin.validate.additive import Additive

__all__ = ["score", "train"]

_BATCH = 4096
_RATE = 1e-3
_LOOK = 100  # steps between looks at held-out points
_PATIENCE = 5
_GAIN = 2.5  # standard errors by which the network must improve on the polynomials


def train(
    features: list[Any],
    weights: list[Array],
    halves: list[Any],
    additive: Additive,
    generator: np.random.Generator,
    steps: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[torch.nn.Module, list[tuple[int, float, float]]]:
    """Train on the first halves; a fifth of them is held out and says when to stop."""
    torch_generator = torch.Generator().manual_seed(int(generator.integers(2**62)))
    table = np.concatenate([own[half] for own, half in zip(features, halves, strict=True)])
    x, offset = torch.from_numpy(table), torch.from_numpy(additive(table).astype(np.float32))
    w = np.concatenate([weight[half] / np.sum(weight[half]) for weight, half in zip(weights, halves, strict=True)])
    y = torch.cat([torch.zeros(int(halves[0].sum())), torch.ones(int(halves[1].sum()))])
    held = torch.from_numpy(generator.random(len(w)) < 0.2)
    weight = torch.from_numpy(w * len(w) / 2.0).float()
    learn = np.flatnonzero(~held.numpy())
    model = _network(x.shape[1], torch_generator)
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=1e-2)
    # Batches are drawn in proportion to |w|, with its sign: rare large weights would make single steps wild.
    cumulative = np.cumsum(np.abs(w[learn]))

    def held_out() -> torch.Tensor:
        """Weighted loss of every held-out point; the sum is the loss."""
        with torch.no_grad():
            logit = model(x[held]).flatten() + offset[held]
            each = torch.nn.functional.binary_cross_entropy_with_logits(logit, y[held], reduction="none")
            return (weight[held] * each / weight[held].abs().sum()).double()

    start = held_out()
    history = [(0, float(start.sum()), float(start.sum()))]
    # Without a significant polynomial there is nothing to judge but the network, however little it has learned.
    least = _GAIN if additive.chosen else -np.inf
    best, best_loss, waited = copy.deepcopy(model.state_dict()), np.inf, 0
    batch = min(_BATCH, max(256, len(learn) // 8))
    running, last = 0.0, 0
    for step in range(1, steps + 1):
        for group in optimiser.param_groups:
            group["lr"] = _RATE * 0.5 * (1.0 + np.cos(np.pi * step / steps))
        drawn = np.searchsorted(cumulative, cumulative[-1] * generator.random(batch))
        rows = torch.from_numpy(learn[np.minimum(drawn, len(learn) - 1)])
        loss = _loss(model(x[rows]).flatten() + offset[rows], y[rows], weight[rows].sign())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        running += float(loss.detach())
        if step % _LOOK == 0 or step == steps:
            found = held_out()
            judged, gained = float(found.sum()), start - found
            history.append((step, running / (step - last), judged))
            running, last = 0.0, step
            significant = float(gained.sum()) > least * float((gained**2).sum().sqrt())
            if on_progress is not None:
                on_progress(step, steps)
            if judged < best_loss and significant:
                best, best_loss, waited = copy.deepcopy(model.state_dict()), judged, 0
            else:
                waited += 1
                if waited >= _PATIENCE:
                    break
    if on_progress is not None:
        on_progress(steps, steps)
    model.load_state_dict(best)
    return model, history


def _network(columns: int, generator: torch.Generator) -> torch.nn.Module:
    layers: list[torch.nn.Module] = []
    width = 64
    for size in (columns, width):
        layers += [torch.nn.Linear(size, width), torch.nn.SiLU()]
    layers.append(torch.nn.Linear(width, 1))
    model = torch.nn.Sequential(*layers)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0.0, parameter.shape[1] ** -0.5, generator=generator)
            else:
                parameter.zero_()
        model[-1].weight.mul_(0.01)  # type: ignore[operator] # begins as next to nothing
    return model


def _loss(logit: torch.Tensor, label: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Cross entropy; weights may be negative."""
    each = torch.nn.functional.binary_cross_entropy_with_logits(logit, label, reduction="none")
    return (weight * each).sum() / weight.abs().sum()


def score(model: torch.nn.Module, additive: Additive, table: Any) -> Array:
    """``log10 w`` of every row, w = D/(1 - D)."""
    with torch.no_grad():
        parts = [
            model(torch.from_numpy(part)).flatten() for part in np.array_split(table, max(1, len(table) // 50_000))
        ]
        network: Array = torch.cat(parts).double().numpy()
    logs: Array = (network + additive(table)) / np.log(10.0)
    return logs
