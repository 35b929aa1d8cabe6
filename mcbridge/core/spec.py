"""The architecture of a coupling flow: what torch and the C++ kernel agree on."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from mcbridge.errors import UserError

__all__ = ["FlowSpec"]


@dataclass(frozen=True)
class FlowSpec:
    """Coupling flow on the unit hypercube with rational-quadratic splines (arXiv:1906.04032).

    The density direction (point y -> latent z) applies blocks 0, 1, ... with the spline formula of the paper's
    eq. 4; sampling applies the inverse in the opposite order. A block with all-zero output is the identity.

    Arguments:
        dim: number of coordinates.
        context: number of conditional inputs.
        blocks: number of coupling blocks; None for ``2 ceil(log2 dim)`` (1 for one dimension), with which every
            coordinate conditions every other at least once.
        hidden: width of the hidden layers of a conditioner.
        layers: number of linear layers of a conditioner.
        bins: number of spline bins.
        kind: ``"rqs"`` for splines, ``"affine"`` for affine coupling of logits.
        periodic: coordinates in which 0 and 1 are the same point.
        min_bin: smallest width and height of a bin.
        min_derivative: smallest slope at a knot.

    Raises:
        UserError: a value is out of range.
    """

    dim: int
    context: int = 0
    blocks: int | None = None
    hidden: int = 32
    layers: int = 3
    bins: int = 10
    kind: Literal["rqs", "affine"] = "rqs"
    periodic: tuple[int, ...] = ()
    min_bin: float = 1e-3
    min_derivative: float = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "periodic", tuple(sorted(int(coordinate) for coordinate in set(self.periodic))))
        limits = {"dim": (1, 4096), "context": (0, 65536), "hidden": (1, 4096), "layers": (1, 64), "bins": (1, 512)}
        if self.blocks is None:
            object.__setattr__(self, "blocks", 2 * self._bits if self.dim > 1 else 1)
        limits["blocks"] = (1, 4096)
        for name, (low, high) in limits.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise UserError(f"{name} of the flow is {value!r}; it must be a whole number from {low} to {high}")
        if self.kind not in ("rqs", "affine"):
            raise UserError(f"kind of the flow is {self.kind!r}; it must be 'rqs' or 'affine'")
        for coordinate in self.periodic:
            if not 0 <= coordinate < self.dim:
                raise UserError(f"periodic coordinate {coordinate} does not exist; there are 0 to {self.dim - 1}")
        if not 0.0 < self.min_bin * self.bins < 1.0:
            raise UserError(
                f"min_bin of the flow is {self.min_bin}; with {self.bins} bins it must be in (0, {1 / self.bins:g})"
            )
        if not 0.0 < self.min_derivative < 1.0:
            raise UserError(f"min_derivative of the flow is {self.min_derivative}; it must be in (0, 1)")

    @property
    def _bits(self) -> int:
        return max(1, (self.dim - 1).bit_length()) if isinstance(self.dim, int) and self.dim > 0 else 1

    @cached_property
    def masks(self) -> tuple[tuple[bool, ...], ...]:
        """For each block, for each coordinate, whether the block transforms it."""
        if self.dim == 1:
            return ((True,),) * self.count
        return tuple(
            tuple(
                bool(coordinate >> ((block // 2) % self._bits) & 1) == (block % 2 == 0)
                for coordinate in range(self.dim)
            )
            for block in range(self.count)
        )

    @property
    def count(self) -> int:
        """Number of blocks."""
        assert self.blocks is not None  # filled in at construction
        return self.blocks

    @property
    def outputs_per_coordinate(self) -> int:
        """Numbers that the conditioner gives for one transformed coordinate."""
        return 3 * self.bins + 1 if self.kind == "rqs" else 2

    def inputs(self, block: int) -> int:
        """Numbers that the conditioner of a block sees: cos and sin of a periodic coordinate, and the context."""
        seen = [coordinate for coordinate, moved in enumerate(self.masks[block]) if not moved]
        return sum(2 if coordinate in self.periodic else 1 for coordinate in seen) + self.context

    def widths(self, block: int) -> tuple[int, ...]:
        """Numbers of inputs of the linear layers of a block, and of its outputs."""
        outputs = sum(self.masks[block]) * self.outputs_per_coordinate
        return (self.inputs(block), *[self.hidden] * (self.layers - 1), outputs)

    def block_parameters(self, block: int) -> int:
        """Number of parameters of a block."""
        widths = self.widths(block)
        return sum(out * (into + 1) for into, out in itertools.pairwise(widths))

    @cached_property
    def parameters(self) -> int:
        """Number of parameters of one channel."""
        return sum(self.block_parameters(block) for block in range(self.count))

    def as_dict(self) -> dict[str, Any]:
        """The fields, for storage."""
        return {
            "dim": self.dim,
            "context": self.context,
            "blocks": self.blocks,
            "hidden": self.hidden,
            "layers": self.layers,
            "bins": self.bins,
            "kind": self.kind,
            "periodic": list(self.periodic),
            "min_bin": self.min_bin,
            "min_derivative": self.min_derivative,
        }
