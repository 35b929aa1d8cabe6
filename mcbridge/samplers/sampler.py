"""What draws points: one density per channel, channel weights, and the file that keeps both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array, Evaluation
from mcbridge.samplers.channel_weights import ChannelWeights
from mcbridge.samplers.replicas import Replicas, check_channels

__all__ = ["Sampler", "UniformSource"]


class UniformSource(Protocol):
    """Anything with the method ``random`` of a NumPy generator."""

    def random(self, size: tuple[int, int]) -> Array:
        """Uniform numbers in [0, 1) of the given shape."""
        ...


class Sampler:
    """Frozen densities of all channels of an integrand.

    Every channel is a defensive mixture ``g = (1 - eps) g_flow + eps g_vegas`` (without a flow, g_vegas alone), so
    that its density is positive wherever the VEGAS map can go.

    Arguments:
        channels: one :class:`mcbridge.core.ChannelSampler` a channel, all of one dimension.
        channel_weights: learned channel weights; the prior ones of the integrand if None.
        metadata: what belongs to the sampler and can be written as JSON. ``allocation`` (one number a channel) is the
            share of points a channel should get, ``name`` the integrand it was made for.
        active: for each channel whether it draws points; all if None. The weights of the others are redistributed.
        replicas: flows from a Bayesian posterior that judge points but draw none; None without.

    Raises:
        UserError: where the parts do not fit together.
    """

    def __init__(
        self,
        channels: Sequence[core.ChannelSampler],
        channel_weights: ChannelWeights | None = None,
        metadata: Mapping[str, Any] | None = None,
        active: Sequence[bool] | None = None,
        replicas: Replicas | None = None,
    ) -> None:
        self.channels = list(channels)
        if not self.channels:
            raise UserError("a sampler needs at least one channel")
        dims = sorted({channel.dim for channel in self.channels})
        if len(dims) > 1:
            raise UserError(f"the channels of a sampler have the dimensions {dims}; they must all have the same")
        if channel_weights is not None and channel_weights.channels != len(self.channels):
            raise UserError(
                f"the channel weights are for {channel_weights.channels} channels; the sampler has {len(self.channels)}"
            )
        self.channel_weights = channel_weights
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.active = tuple(map(bool, active)) if active is not None else (True,) * len(self.channels)
        if len(self.active) != len(self.channels) or not any(self.active):
            raise UserError(f"active is {self.active}; it must name at least one of {len(self.channels)} channels")
        check_channels(replicas, self.channels)
        self.replicas = replicas

    @property
    def dim(self) -> int:
        """Number of coordinates of a point."""
        return int(self.channels[0].dim)

    @property
    def has_flow(self) -> bool:
        """Whether any channel draws from a flow."""
        return any(channel.spec is not None for channel in self.channels)

    @property
    def allocation(self) -> Array:
        """(channels,), share of points of every channel, from ``metadata["allocation"]``; sums to 1.

        Active channels share equally where nothing is stored; others get 0.
        """
        active = np.array(self.active, dtype=np.float64)
        stored = self.metadata.get("allocation")
        given = active if stored is None else np.asarray(stored, dtype=np.float64)
        if given.shape != active.shape or not np.all(np.isfinite(given)) or np.any(given < 0.0):
            raise UserError(f"the allocation of the sampler is {stored}; it must be one number >= 0 a channel")
        shares = given * active
        total = float(np.sum(shares))
        result: Array = shares / total if total > 0.0 else active / np.sum(active)
        return result

    def draw(self, channel: int, n: int, generator: UniformSource, threads: int = 1) -> tuple[Array, Array]:
        """Draw ``n`` independent points of a channel.

        Returns:
            points u (n, dim) and their density g (n,) per unit volume of the hypercube.
        """
        source = self.channels[channel]
        u, density = source.sample(generator.random((n, source.uniforms)), threads=threads)
        return u, density

    def density(self, channel: int, u: Array, threads: int = 1) -> Array:
        """Density g (n,) of a channel at any points ``u`` (n, dim)."""
        density: Array = self.channels[channel].density(u, threads=threads)
        return density

    def replica_densities(self, channel: int, u: Array, threads: int = 1) -> Array:
        """Densities (M, n) of any points ``u`` (n, dim) under every replica of a channel, without the mixture.

        Raises:
            UserError: the sampler has no replicas.
        """
        if self.replicas is None:
            raise UserError("the sampler has no replicas: no Bayesian flow was trained for it")
        return self.replicas.densities(self.channels[channel], channel, u, threads)

    def alpha(self, evaluation: Evaluation) -> Array | None:
        """Channel weights (n, channels) of evaluated points: learned if there are any, otherwise the prior.

        Weights of channels that do not draw are redistributed over the others in proportion. None for one channel.
        """
        if evaluation.alpha is None:
            return None
        alpha = evaluation.alpha
        if self.channel_weights is not None:
            if evaluation.features is None:
                raise UserError("the sampler has learned channel weights, but the integrand returned no features")
            alpha = self.channel_weights(evaluation.features, alpha)
        if all(self.active):
            return alpha
        kept = np.where(np.array(self.active), alpha, 0.0)
        total = np.sum(kept, axis=1, keepdims=True)
        redistributed: Array = kept / np.where(total > 0.0, total, 1.0)
        return redistributed

    def with_eps(self, eps: Sequence[float] | float) -> Sampler:
        """The same sampler with other shares of the VEGAS density (one, or one a channel)."""
        values = [float(eps)] * len(self.channels) if isinstance(eps, (int, float)) else [float(value) for value in eps]
        if len(values) != len(self.channels):
            raise UserError(f"eps has {len(values)} entries; the sampler has {len(self.channels)} channels")
        for value in values:
            if not 0.0 <= value <= 1.0:
                raise UserError(f"eps is {value}; it must be between 0 and 1")
        channels = [channel.with_eps(value) for channel, value in zip(self.channels, values, strict=True)]
        return Sampler(channels, self.channel_weights, self.metadata, self.active, self.replicas)

    def vegas(self) -> Sampler:
        """The VEGAS maps alone: without flow, and with the prior channel weights that they were adapted for."""
        metadata = {name: value for name, value in self.metadata.items() if name not in ("allocation", "training")}
        if "vegas_allocation" in metadata:
            metadata["allocation"] = metadata.pop("vegas_allocation")
        channels = [core.ChannelSampler(c.dim, c.grid, c.cells, None, None, 1.0) for c in self.channels]
        return Sampler(channels, None, metadata, self.active)

    def with_active(self, active: Sequence[bool]) -> Sampler:
        """The same sampler with only some channels drawing."""
        return Sampler(self.channels, self.channel_weights, self.metadata, active, self.replicas)

    def with_replicas(self, replicas: Replicas | None) -> Sampler:
        """The same sampler with other replicas, or with none."""
        return Sampler(self.channels, self.channel_weights, self.metadata, self.active, replicas)

    def save(self, path: str | Path) -> None:
        """Write the sampler file, atomically."""
        arrays: dict[str, Any] = {} if self.channel_weights is None else self.channel_weights.to_arrays()
        content: dict[str, Any] = {"sampler": self.metadata, "active": self.active}
        if self.replicas is not None:
            arrays = {**arrays, **self.replicas.to_arrays()}
            content["replicas"] = self.replicas.to_json()
        text = json.dumps(content, sort_keys=True)
        core.write_sampler_file(path, self.channels, text, arrays)

    @staticmethod
    def load(path: str | Path) -> Sampler:
        """Read a sampler file.

        Raises:
            UserError: naming what is wrong with the file.
        """
        channels, text, arrays = core.read_sampler_file(path)
        try:
            stored = json.loads(text)
            metadata, active = dict(stored["sampler"]), stored["active"]
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f"the sampler file {path} was not written by a sampler: its metadata is not readable"
            ) from None
        replicas = Replicas.from_file(arrays, stored.get("replicas"))
        return Sampler(channels, ChannelWeights.from_arrays(arrays), metadata, active, replicas)

    def __str__(self) -> str:
        kind = "flow on VEGAS maps" if self.has_flow else "VEGAS maps"
        lines = [f"sampler: {kind}, {len(self.channels)} channel(s), {self.dim} dimensions"]
        for index, (channel, share) in enumerate(zip(self.channels, self.allocation, strict=True)):
            increments = max((len(knots) - 1 for knots in channel.grid or []), default=0)
            cells = 0 if channel.cells is None else len(channel.cells.p_vegas)
            text = f"  channel {index}: {share:.1%} of the points, {increments} increments, eps {channel.eps:g}"
            lines.append(text + (f", {cells} cells" if cells else "") + ("" if self.active[index] else ", not used"))
        return "\n".join(lines)
