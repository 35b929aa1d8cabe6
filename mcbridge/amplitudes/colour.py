"""Colour of gluons: structure constants, the colour matrix of adjoint chains, and colour lines of a trace."""

from __future__ import annotations

from functools import cache
from itertools import permutations

import numpy as np
import numpy.typing as npt

from mcbridge.integrands.protocol import Array, IntArray

__all__ = ["chain_colour_matrix", "chain_orders", "colour_lines", "cyclic_orders", "structure_constants"]

Orders = npt.NDArray[np.int32]


@cache
def structure_constants() -> Array:
    """The totally antisymmetric f^abc of SU(3), shape (8, 8, 8), from [T^a, T^b] = i f^abc T^c and Tr T^a T^b = 1/2."""
    root = np.sqrt(3.0) / 2.0
    values = {
        (0, 1, 2): 1.0,
        (0, 3, 6): 0.5,
        (0, 4, 5): -0.5,
        (1, 3, 5): 0.5,
        (1, 4, 6): 0.5,
        (2, 3, 4): 0.5,
        (2, 5, 6): -0.5,
        (3, 4, 7): root,
        (5, 6, 7): root,
    }
    f = np.zeros((8, 8, 8))
    for (a, b, c), value in values.items():
        for x, y, z in ((a, b, c), (b, c, a), (c, a, b)):
            f[x, y, z] = value
            f[y, x, z] = -value
    f.flags.writeable = False
    return f


@cache
def chain_orders(legs: int) -> Orders:
    """Orders (0, permutation of the others, legs - 1) of the adjoint colour basis, shape ((legs - 2)!, legs)."""
    orders = np.array([(0, *middle, legs - 1) for middle in permutations(range(1, legs - 1))], dtype=np.int32)
    orders.flags.writeable = False
    return orders


@cache
def cyclic_orders(legs: int, reflected: bool) -> Orders:
    """Cyclic orders of all gluons, written with the last leg at the end.

    Shape ((legs - 1)!, legs) with both directions of every order (``reflected``), otherwise half as many.
    """
    kept = [p for p in permutations(range(legs - 1)) if reflected or p[0] < p[-1]]
    orders = np.array([(*p, legs - 1) for p in kept], dtype=np.int32)
    orders.flags.writeable = False
    return orders


@cache
def chain_colour_matrix(legs: int) -> Array:
    """Colour sums of products of two chains f^{a1 as x} f^{x at y} ... f^{z au an} over all gluons.

    The basis of Del Duca, Dixon, Maltoni, hep-ph/9910563, eq. (10); shape ((legs - 2)!, (legs - 2)!), symmetric.
    """
    f = structure_constants()
    chain = f
    for _ in range(legs - 3):
        chain = np.tensordot(chain, f, axes=(-1, 0))
    orders = chain_orders(legs)
    middle = [tuple(order[1:-1]) for order in orders.tolist()]
    index = {order: k for k, order in enumerate(middle)}
    identity = middle[0]
    # The sum depends only on the relative permutation of the two chains.
    relative = np.array([np.vdot(chain, np.transpose(chain, (0, *order, legs - 1))) for order in middle])
    matrix = np.empty((len(middle), len(middle)))
    for row, first in enumerate(middle):
        place = {leg: identity[k] for k, leg in enumerate(first)}
        for column, second in enumerate(middle):
            matrix[row, column] = relative[index[tuple(place[leg] for leg in second)]]
    matrix = 0.5 * (matrix + matrix.T)
    matrix.flags.writeable = False
    return matrix


def colour_lines(orders: IntArray, incoming: int = 2) -> IntArray:
    """Colour and anticolour lines of gluons in the cyclic order of a colour trace.

    Arguments:
        orders: (n, legs), the order of the legs in each event.
        incoming: number of leading legs that are incoming; their lines are those of the reversed momentum.

    Returns:
        (n, legs, 2), lines numbered from 501 as in LHE (hep-ph/0109068).
    """
    n, legs = orders.shape
    lines = np.empty((n, legs, 2), dtype=np.int64)
    rows = np.arange(n)
    for place in range(legs):
        leg = orders[:, place]
        out = np.array([501 + place, 501 + (place - 1) % legs])
        lines[rows, leg] = np.where((leg < incoming)[:, None], out[::-1], out)
    return lines
