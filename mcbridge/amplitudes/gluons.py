"""Tree amplitudes of gg -> 2, 3 or 4 gluons, exact in colour and helicity."""

from __future__ import annotations

from math import factorial, pi

import numpy as np
import numpy.typing as npt

from mcbridge.amplitudes import _gluons
from mcbridge.amplitudes.colour import chain_colour_matrix, chain_orders, colour_lines, cyclic_orders
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["GluonAmplitude"]

COLOURS = 3
_AVERAGE = (2 * (COLOURS**2 - 1)) ** 2


class GluonAmplitude:
    """|M|^2 of gg -> n gluons at tree level: summed over outgoing, averaged over incoming spins and colours.

    Up to five gluons all amplitudes are MHV and the leading-colour sum is exact (Parke and Taylor, Phys. Rev. Lett.
    56 (1986) 2459; Mangano and Parke, hep-th/0509223). With six, partial amplitudes from R-invariants
    (arXiv:1010.3991) are joined by the colour matrix of the adjoint basis (hep-ph/9910563, eq. 10).

    Arguments:
        n_final: number of outgoing gluons, 2, 3 or 4.
        identical: whether the factor 1/n! of identical outgoing particles is included.

    Raises:
        UserError: another number of gluons.
    """

    def __init__(self, n_final: int, identical: bool = True) -> None:
        if n_final not in (2, 3, 4):
            raise UserError(f"n_final is {n_final!r}; gluon amplitudes exist for 2, 3 and 4 outgoing gluons")
        self.n_final = n_final
        self.legs = n_final + 2
        self.identical = identical
        colour = COLOURS**n_final * (COLOURS**2 - 1)
        # With generators normalised to Tr T^a T^b = 1/2, a chain of n f^abc carries (sqrt 2)^n; an order and its
        # reflection are equal.
        self._norm = (2.0**n_final if self.legs == 6 else 2.0 * colour) / _AVERAGE
        if identical:
            self._norm /= factorial(n_final)

    def __call__(self, momenta: Array, alpha_s: float | Array = 0.118) -> Array:
        """|M|^2 of a batch of points.

        Arguments:
            momenta: (n, legs, 4) [GeV], (E, px, py, pz), massless, the two incoming gluons first.
            alpha_s: strong coupling, one number or (n,).

        Returns:
            (n,), in GeV^(2 (2 - n_final)).

        Raises:
            AmplitudeError: momenta of another shape.
        """
        momenta = self._checked(momenta)
        coupling: Array = (4.0 * pi * np.asarray(alpha_s, dtype=np.float64)) ** self.n_final
        if self.legs == 6:
            values, _ = _gluons.squared_six(momenta, chain_orders(6), chain_colour_matrix(6))
        else:
            values = _gluons.ordered(momenta, cyclic_orders(self.legs, reflected=False)).sum(axis=1)
        result: Array = self._norm * coupling * values
        return result

    def cancellation(self, momenta: Array) -> Array:
        """By how much single terms of the six-gluon formula exceed the amplitude, (n,); 1e-16 of that is the error."""
        momenta = self._checked(momenta)
        if self.legs < 6:
            return np.ones(len(momenta))
        _, cancelled = _gluons.squared_six(momenta, chain_orders(6), chain_colour_matrix(6))
        result: Array = np.sqrt(np.maximum(cancelled, 1.0))
        return result

    def flow_probabilities(self, momenta: Array) -> tuple[npt.NDArray[np.int32], Array]:
        """The colour orders and their shares of the leading-colour |M|^2.

        Arguments:
            momenta: as for a call.

        Returns:
            orders ((legs - 1)!, legs) and shares (n, (legs - 1)!), each row summing to 1.
        """
        orders = cyclic_orders(self.legs, reflected=True)
        squares = _gluons.ordered(self._checked(momenta), orders)
        return orders, squares / squares.sum(axis=1, keepdims=True)

    def colour_flow(self, momenta: Array, choice: Array) -> IntArray:
        """Colour lines of events, drawn with the leading-colour shares.

        Arguments:
            momenta: (n, legs, 4) [GeV].
            choice: (n,) uniform numbers.

        Returns:
            (n, legs, 2), colour and anticolour line of each gluon, numbered from 501.
        """
        orders, shares = self.flow_probabilities(momenta)
        drawn = np.sum(np.cumsum(shares, axis=1) < np.asarray(choice)[:, None], axis=1)
        chosen = orders[np.minimum(drawn, len(orders) - 1)].astype(np.int64)
        return colour_lines(chosen)

    def _checked(self, momenta: Array) -> Array:
        momenta = np.asarray(momenta, dtype=np.float64)
        if momenta.ndim != 3 or momenta.shape[1:] != (self.legs, 4):
            raise AmplitudeError(f"momenta have shape {momenta.shape}; expected (n, {self.legs}, 4)")
        return momenta
