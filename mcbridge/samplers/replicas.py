"""Replicas: parameter sets of one flow, drawn from a Bayesian posterior, and the densities they give to points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge import core
from mcbridge.errors import UserError
from mcbridge.integrands.protocol import Array

__all__ = ["Replicas"]

_BLOCK = 16_384  # points whose densities are found at once


class Replicas:
    """M sets of parameters of one architecture, one flow for every channel in each.

    The flows lie on the VEGAS grids and cell tables of a sampler, like its own flow, but without its defensive
    mixture: ``p(u|theta_m) = p_flow(cell)/vol(cell) q_m(y|cell) v(u)``. By definition the Bayesian density is
    ``p(u) = (1/M) sum_m p(u|theta_m)`` over these M (physics.md, section 5; arXiv:2104.04543, eq. 10).

    Arguments:
        spec: the architecture.
        parameters: (M, channels, spec.parameters), float32.
        information: what is known of their making, as JSON: prior width, effective number of events, ...

    Raises:
        UserError: the shape does not fit, there are fewer than two replicas, or a number is not finite.
    """

    def __init__(
        self, spec: core.FlowSpec, parameters: npt.ArrayLike, information: Mapping[str, Any] | None = None
    ) -> None:
        self.spec = spec
        self.parameters = np.ascontiguousarray(parameters, dtype=np.float32)
        self.information: dict[str, Any] = dict(information or {})
        shape = self.parameters.shape
        if len(shape) != 3 or shape[2] != spec.parameters:
            raise UserError(f"replicas have the shape {shape}; it must be (replicas, channels, {spec.parameters})")
        if shape[0] < 2:
            raise UserError(f"there are {shape[0]} replicas; at least 2 are needed for a spread")
        if not np.all(np.isfinite(self.parameters)):
            raise UserError("the parameters of the replicas are not finite")

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.parameters.shape[1])

    def densities(self, source: core.ChannelSampler, channel: int, u: Array, threads: int = 1) -> Array:
        """Densities (M, n) of points ``u`` (n, dim) of a channel under every replica; 0 outside the unit cube.

        Arguments:
            source: the grid and the cells of the channel.
            channel: its number.
            u: the points.
            threads: of the kernel.

        Raises:
            UserError: there is no such channel, or its dimension is not that of the flows.
        """
        if not 0 <= channel < self.channels:
            raise UserError(f"channel {channel} does not exist; the replicas have channels 0 to {self.channels - 1}")
        if len(source.continuous) != self.spec.dim:
            raise UserError(
                f"the channel has {len(source.continuous)} continuous coordinates; the replicas have {self.spec.dim}"
            )
        result = np.empty((len(self), len(u)))
        for start in range(0, len(u), _BLOCK):
            part = u[start : start + _BLOCK]
            result[:, start : start + len(part)] = self._block(source, channel, part, threads)
        return result

    def _block(self, source: core.ChannelSampler, channel: int, u: Array, threads: int) -> Array:
        inside = np.all((u >= 0.0) & (u <= 1.0), axis=1)
        points = np.where(inside[:, None], u, 0.5)
        y, share = source.inverse_grid(points)
        context = None
        if source.cells is not None:
            cell = source.cell(points)
            share = share * source.cells.p_flow[cell] / source.cells.volumes[cell]
            context = source.cells.context[cell] if self.spec.context else None
        share = np.where(inside, share, 0.0)
        single = np.ascontiguousarray(y, dtype=np.float32)
        # One call a replica: the points stay in the cache, and no copy of them is made (measured: as fast as one
        # call over all sets of parameters, without its memory).
        densities = np.empty((len(self), len(u)))
        for index in range(len(self)):
            _, log_q = core.log_density(self.spec, self.parameters[index, channel], single, context, threads=threads)
            densities[index] = np.exp(log_q.astype(np.float64)) * share
        return densities

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Named arrays for the sampler file: the parameters (M, P) of every channel."""
        return {
            f"replicas.{channel}.parameters": np.ascontiguousarray(self.parameters[:, channel])
            for channel in range(self.channels)
        }

    def to_json(self) -> dict[str, Any]:
        """What the metadata of the sampler file hold beside the arrays."""
        return {"spec": self.spec.as_dict(), "information": self.information}

    @staticmethod
    def from_file(arrays: Mapping[str, npt.NDArray[Any]], stored: Mapping[str, Any] | None) -> Replicas | None:
        """Replicas from arrays and metadata of a sampler file; None where it has none.

        Raises:
            UserError: arrays and metadata do not fit together.
        """
        if not stored:
            return None
        parts: list[npt.NDArray[Any]] = []
        while f"replicas.{len(parts)}.parameters" in arrays:
            parts.append(np.asarray(arrays[f"replicas.{len(parts)}.parameters"], dtype=np.float32))
        try:
            settings = dict(stored["spec"])
            spec = core.FlowSpec(**{**settings, "periodic": tuple(settings["periodic"])})
            return Replicas(spec, np.stack(parts, axis=1), stored["information"])
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"the replicas in the sampler file are inconsistent: {error}") from None


def check_channels(replicas: Replicas | None, channels: Sequence[core.ChannelSampler]) -> None:
    """UserError where replicas do not fit the channels of a sampler."""
    if replicas is None:
        return
    if replicas.channels != len(channels):
        raise UserError(f"the replicas are for {replicas.channels} channels; the sampler has {len(channels)}")
    for index, channel in enumerate(channels):
        if len(channel.continuous) != replicas.spec.dim:
            raise UserError(
                f"channel {index} has {len(channel.continuous)} continuous coordinates; the replicas have"
                f" {replicas.spec.dim}"
            )
