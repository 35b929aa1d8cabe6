"""Sherpa's integrand on the unit cube, and its matrix elements, for Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import vegas

from mcbridge.errors import UserError
from mcbridge.integrands import Evaluation
from mcbridge.integrands.metered import Metered
from mcbridge.integrands.protocol import Array
from sherpa_interface.build import build_plugin
from sherpa_interface.locate import find_sherpa
from sherpa_interface.process import Installation
from sherpa_interface.server import Server

__all__ = ["MOST_CELLS", "SherpaAmplitude", "SherpaIntegrand", "SherpaMeter", "coarse_edges", "installation"]

MOST_CELLS = 32
"""Intervals of one discrete coordinate; those of least probability share one."""


def installation(prefix: str | Path | None = None) -> Installation:
    """The Sherpa that :func:`sherpa_interface.locate.find_sherpa` finds, with the plug-in compiled for it."""
    sherpa = find_sherpa(prefix)
    return Installation(sherpa, build_plugin(sherpa))


def coarse_edges(edges: Array, most: int = MOST_CELLS, least: float = 1e-4) -> tuple[float, ...]:
    """Edges of a partition in which neighbours are joined until at most ``most`` intervals, none too narrow, are left.

    Arguments:
        edges: (k + 1,), increasing from 0 to 1.
        least: width below which an interval is joined to its narrower neighbour.
    """
    kept = [float(edge) for edge in edges]
    while len(kept) > 2:
        widths = np.diff(kept)
        narrowest = int(np.argmin(widths))
        if len(widths) <= most and widths[narrowest] >= least:
            break
        left = widths[narrowest - 1] if narrowest > 0 else np.inf
        right = widths[narrowest + 1] if narrowest + 1 < len(widths) else np.inf
        del kept[narrowest if left <= right else narrowest + 1]
    return tuple(kept)


class SherpaIntegrand:
    """The full integrand of one process of a Sherpa run card: matrix element, PDFs, cuts, scales, phase space.

    A point of the unit cube stands for all random numbers of Sherpa that shape the weight: the channel of Comix, the
    channel of the initial state and the swap of the beams (discrete), then the continuous ones. At uniform points the
    mean is the cross section [pb], and its spread that of Sherpa's own mapping. Sherpa runs in processes of its own.

    Arguments:
        card: the run card.
        base: ``Results.zip`` of a run of this card, whose optimised map is used; None: the map before optimisation.
        prefix: of Sherpa, or an :class:`~sherpa_interface.process.Installation`.
        overlay: settings that take precedence over the card, for instance another list ``PROCESSES``.
        workers: number of Sherpa processes.

    Raises:
        AmplitudeError: Sherpa does not accept the card, or ends while it evaluates points.
        UserError: no Sherpa, no compiler, or no such file.
    """

    channels = 1
    periodic: tuple[int, ...] = ()

    def __init__(
        self,
        card: str | Path,
        base: str | Path | None = None,
        prefix: str | Path | Installation | None = None,
        overlay: Mapping[str, Any] | None = None,
        workers: int = 1,
    ) -> None:
        card, base = Path(card), None if base is None else Path(base)
        for path in (card, base):
            if path is not None and not path.exists():
                raise UserError(f"{path} does not exist")
        if workers < 1:
            raise UserError(f"workers is {workers}; it must be at least 1")
        program = prefix if isinstance(prefix, Installation) else installation(prefix)
        self._servers: list[Server] = []
        try:
            for _ in range(workers):
                self._servers.append(Server(program, card, overlay, base))
        except BaseException:
            self.close()
            raise
        self.description = self._servers[0].description
        self.name = str(self.description["name"])
        self.dim = int(self.description["dim"])
        self.discrete = {
            int(coordinate): coarse_edges(np.array(edges)) for coordinate, edges in self.description["discrete"].items()
        }
        self.cpu_seconds = 0.0

    def __call__(self, u: Array, channel: int = 0) -> Evaluation:
        """Evaluate ``u`` (n, dim)."""
        parts = np.array_split(u, len(self._servers))
        for server, part in zip(self._servers, parts, strict=True):
            if len(part):
                server.send(part)
        weights = [np.zeros(0)]
        for server, part in zip(self._servers, parts, strict=True):
            if len(part):
                values, seconds = server.receive()
                weights.append(values)
                self.cpu_seconds += seconds
        return Evaluation(np.concatenate(weights))

    @property
    def function(self) -> Callable[[Array], Array]:
        """The integrand as a batched function of points (n, dim), for :class:`binnis.Integrator` and vegas."""
        batched: Callable[[Array], Array] = vegas.lbatchintegrand(lambda u: self(u).weight)
        return batched

    def close(self) -> None:
        """End the Sherpa processes."""
        for server in self._servers:
            server.close()
        self._servers = []

    def __enter__(self) -> SherpaIntegrand:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SherpaMeter(Metered):
    """Counts evaluations with the CPU time that Sherpa reports, which is not that of this process."""

    def __init__(self, integrand: SherpaIntegrand) -> None:
        super().__init__(integrand)
        self._sherpa = integrand

    def __call__(self, u: Array, channel: int) -> Evaluation:
        before = self._sherpa.cpu_seconds
        evaluation = self._sherpa(u, channel)
        self.cpu_seconds += self._sherpa.cpu_seconds - before
        self.evaluations += len(u)
        return evaluation


class SherpaAmplitude:
    """Squared matrix element of a process of a Sherpa run card.

    Averaged over spins and colours of the incoming, summed over those of the outgoing particles, with symmetry factor;
    colours are summed. Cuts of the card are ignored.

    Arguments:
        card: the run card.
        prefix, overlay: as for :class:`SherpaIntegrand`.

    Raises:
        AmplitudeError: Sherpa does not accept the card.
    """

    def __init__(
        self,
        card: str | Path,
        prefix: str | Path | Installation | None = None,
        overlay: Mapping[str, Any] | None = None,
    ) -> None:
        program = prefix if isinstance(prefix, Installation) else installation(prefix)
        self._server = Server(program, Path(card), overlay)
        if self._server.description["colours"] == "sampled":  # Sherpa crashes on the sum over no colours
            self._server.close()
            self._server = Server(program, Path(card), {**(overlay or {}), "COLOR_SCHEME": 1})
        self.flavours: tuple[int, ...] = tuple(self._server.description["flavours"])

    def __call__(self, momenta: Array) -> Array:
        """|M|^2 (n,), in powers of GeV, at ``momenta`` (n, particles, 4) [GeV], E first, incoming particles first."""
        array = np.asarray(momenta, dtype=np.float64)
        if array.ndim != 3 or array.shape[1:] != (len(self.flavours), 4):
            raise UserError(f"momenta have shape {array.shape}; they must have (n, {len(self.flavours)}, 4)")
        return self._server.amplitude(array)[0]

    def close(self) -> None:
        """End Sherpa."""
        self._server.close()

    def __enter__(self) -> SherpaAmplitude:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
