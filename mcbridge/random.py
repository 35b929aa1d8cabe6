"""Counter-based random numbers: one seed per run, one stream per (purpose, channel, iteration, chunk)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import gvar
import numpy as np

__all__ = ["Streams"]


@dataclass(frozen=True)
class Streams:
    """Independent streams of random numbers, all derived from one seed.

    A stream depends only on its labels, never on which streams were drawn before it or in which process; hence
    results do not depend on the number of workers.

    Arguments:
        seed: any non-negative integer; the same seed gives the same numbers.
    """

    seed: int

    @staticmethod
    def fresh() -> Streams:
        """Streams from a seed of gvar's generator, so that ``gvar.ranseed`` makes them reproducible, as for vegas."""
        return Streams(int(gvar.RNG.integers(2**63)))

    def generator(self, purpose: str, channel: int = 0, iteration: int = 0, chunk: int = 0) -> np.random.Generator:
        """The Philox generator of one piece of work.

        Arguments:
            purpose: what the numbers are for, for instance ``"survey"``.
            channel, iteration, chunk: non-negative labels of the piece.
        """
        label = zlib.crc32(purpose.encode())
        sequence = np.random.SeedSequence(self.seed, spawn_key=(label, channel, iteration, chunk))
        return np.random.Generator(np.random.Philox(sequence))
