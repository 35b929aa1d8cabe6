"""A trained flow as a map, evaluated by the kernel of the core."""

from __future__ import annotations

import numpy as np

from mcbridge import core
from mcbridge.integrands.protocol import Array
from mcbridge.maps.basic import check_points

__all__ = ["FlowMap"]


class FlowMap:
    """The coupling flow of :func:`mcbridge.core.sample` (arXiv:1906.04032).

    Arguments:
        spec: architecture.
        parameters: (P,) float32 or float64, in the layout of the core; the arithmetic has their type.
        context: (k,), the condition of the flow, or None.
        threads: threads of the kernel.
    """

    def __init__(self, spec: core.FlowSpec, parameters: Array, context: Array | None = None, threads: int = 1) -> None:
        self.spec = spec
        self.parameters = np.ascontiguousarray(parameters)
        self.context = None if context is None else np.asarray(context, dtype=self.parameters.dtype)
        self.threads = threads

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return int(self.spec.dim)

    def forward(self, u: Array) -> tuple[Array, Array]:
        """Points (n, dim) and jacobian (n,) in the direction of sampling."""
        points = check_points(u, self.dim).astype(self.parameters.dtype)
        x, log_density = core.sample(self.spec, self.parameters, points, self._rows(len(points)), threads=self.threads)
        return x.astype(np.float64), np.exp(-log_density.astype(np.float64))

    def inverse(self, x: Array) -> tuple[Array, Array]:
        """Latent points (n, dim) and the density (n,) of ``x``."""
        points = check_points(x, self.dim).astype(self.parameters.dtype)
        u, log_density = core.log_density(
            self.spec, self.parameters, points, self._rows(len(points)), threads=self.threads
        )
        return u.astype(np.float64), np.exp(log_density.astype(np.float64))

    def _rows(self, n: int) -> Array | None:
        return None if self.context is None else np.ascontiguousarray(np.tile(self.context, (n, 1)))
