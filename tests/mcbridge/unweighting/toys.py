"""Small integrands with known moments, and samplers for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbridge.integrands import Array, Evaluation, EventBatch


class Power:
    """A sampler of ``g(u) = (a + 1) u_0^a`` in the first coordinate, uniform in the others."""

    def __init__(self, *powers: float) -> None:
        self.powers = powers

    def draw(self, channel: int, n: int, generator: np.random.Generator, threads: int = 1) -> tuple[Array, Array]:
        a = self.powers[channel]
        u = generator.random((n, 2))
        u[:, 0] = u[:, 0] ** (1.0 / (a + 1.0))
        return u, (a + 1.0) * u[:, 0] ** a

    def alpha(self, evaluation: Evaluation) -> Array | None:
        return evaluation.alpha


@dataclass
class Wedge:
    """``f(u) = 5 * 2 u_0 * 3 u_1^2`` in pb: the cross section is 5 pb, <u_0> = 2/3, <u_1> = 3/4.

    Arguments:
        cut: the weight vanishes for ``u_0 < cut``.
        negative: the sign of f is negative for ``u_1 < negative``.
    """

    cut: float = 0.0
    negative: float = 0.0
    name: str = "wedge"
    dim: int = 2
    channels: int = 1
    periodic: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.recorded = 0

    def __call__(self, u: Array, channel: int) -> Evaluation:
        f = 5.0 * 2.0 * u[:, 0] * 3.0 * u[:, 1] ** 2
        f = np.where(u[:, 0] < self.cut, 0.0, f) * np.where(u[:, 1] < self.negative, -1.0, 1.0)
        return Evaluation(f)

    def events(self, u: Array, channel: int, choice: Array) -> EventBatch:
        """A lepton pair from e+ e- whose scale is u_0 and whose polar angle is u_1: enough to recognise the point."""
        self.recorded += len(u)
        return lepton_pairs(u, np.where(choice[:, 0] < 0.25, 1, 2))


class TwoChannels(Wedge):
    """The wedge in two channels with ``alpha_0 = u_0^2``; both channels map u to itself."""

    def __init__(self) -> None:
        super().__init__(name="two channels", channels=2)

    def __call__(self, u: Array, channel: int) -> Evaluation:
        alpha = u[:, 0] ** 2
        return Evaluation(super().__call__(u, channel).weight, np.stack([alpha, 1.0 - alpha], axis=1))


def lepton_pairs(u: Array, process_id: Array) -> EventBatch:
    """Massless e+ e- -> mu+ mu- at 100 GeV, with scale u_0 and cos(theta) = 2 u_1 - 1."""
    n, e = len(u), 50.0
    cos = 2.0 * u[:, 1] - 1.0
    sin = np.sqrt(1.0 - cos**2)
    momenta = np.zeros((n, 4, 4))
    momenta[:, :, 0] = e
    momenta[:, 0, 3], momenta[:, 1, 3] = e, -e
    momenta[:, 2, 1], momenta[:, 2, 3] = e * sin, e * cos
    momenta[:, 3, 1:] = -momenta[:, 2, 1:]
    return EventBatch(
        momenta=momenta,
        pdg_ids=np.tile([-11, 11, 13, -13], (n, 1)),
        status=np.array([-1, -1, 1, 1]),
        mothers=np.array([[0, 0], [0, 0], [1, 2], [1, 2]]),
        colours=np.zeros((n, 4, 2), dtype=np.int64),
        masses=np.zeros((n, 4)),
        scale=u[:, 0].copy(),
        alpha_s=np.full(n, 0.118),
        alpha_qed=np.full(n, 1.0 / 132.507),
        process_id=process_id,
    )
