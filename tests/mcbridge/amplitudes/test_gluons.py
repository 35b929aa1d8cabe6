"""Gluon amplitudes against closed forms, another program, and an independent recursion with explicit colour."""

from itertools import permutations
from math import factorial, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcbridge.amplitudes import GluonAmplitude, _gluons
from mcbridge.amplitudes.colour import chain_colour_matrix, chain_orders, cyclic_orders, structure_constants
from mcbridge.errors import AmplitudeError, UserError

ALPHA_S = 0.118
METRIC = np.array([1.0, -1.0, -1.0, -1.0])


def rambo(n, points, energy, seed):
    """Flat massless phase space (Kleiss, Stirling, Ellis 1986), beams along z: (points, n + 2, 4)."""
    r = np.random.default_rng(seed).random((points, n, 4))
    cos, phi, size = 2 * r[..., 0] - 1, 2 * pi * r[..., 1], -np.log(r[..., 2] * r[..., 3])
    sin = np.sqrt(1 - cos**2)
    q = np.stack([size, size * sin * np.cos(phi), size * sin * np.sin(phi), size * cos], axis=-1)
    total = q.sum(axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - np.sum(total[:, 1:] ** 2, axis=1))
    boost, gamma = -total[:, 1:] / mass[:, None], (total[:, 0] / mass)[:, None]
    along = np.einsum("ni,nki->nk", boost, q[..., 1:])
    p = np.empty((points, n + 2, 4))
    p[:, 2:, 0] = gamma * q[..., 0] + along
    p[:, 2:, 1:] = q[..., 1:] + boost[:, None] * (q[..., 0] + along / (1 + gamma))[..., None]
    p[:, 2:] *= energy / mass[:, None, None]
    p[:, :2] = energy / 2 * np.array([[1.0, 0, 0, 1.0], [1.0, 0, 0, -1.0]])
    return p


def dot(x, y):
    return np.sum(x * METRIC * y, axis=-1)


def polarisations(k):
    """Two real vectors across the momentum: (2, 4)."""
    direction = k[1:] / np.linalg.norm(k[1:])
    first = np.cross(direction, np.eye(3)[np.argmin(np.abs(direction))])
    first /= np.linalg.norm(first)
    return np.array([[0.0, *first], [0.0, *np.cross(direction, first)]])


class BerendsGiele:
    """Partial amplitudes of one point for all linear polarisations, by recursion of off-shell currents.

    Berends and Giele, Nucl. Phys. B306 (1988) 759, eqs. (2.13) to (2.17). A current of k gluons has the shape
    (2, ..., 2, 4) with one polarisation index for each of them.
    """

    def __init__(self, momenta):
        self.k = momenta * np.where(np.arange(len(momenta)) < 2, -1.0, 1.0)[:, None]
        self.cache = {}

    def joined(self, *currents):
        """The currents with separate polarisation indices, ready to be multiplied."""
        sizes = [current.ndim - 1 for current in currents]
        result = []
        for i, current in enumerate(currents):
            before, after = sum(sizes[:i]), sum(sizes[i + 1 :])
            result.append(current.reshape((1,) * before + current.shape[:-1] + (1,) * after + (4,)))
        return result

    def vertex(self, legs):
        """The sum of three- and four-gluon vertices, without the propagator."""
        n, total = len(legs), 0.0
        for i in range(1, n):
            one, two = self.joined(self.current(legs[:i]), self.current(legs[i:]))
            p, q = self.k[list(legs[:i])].sum(axis=0), self.k[list(legs[i:])].sum(axis=0)
            bracket = 2 * dot(q, one)[..., None] * two - 2 * dot(p, two)[..., None] * one
            total = total + (bracket + dot(one, two)[..., None] * (p - q)) / np.sqrt(2)
        for i in range(1, n - 1):
            for j in range(i + 1, n):
                one, two, three = self.joined(*(self.current(legs[a:b]) for a, b in ((0, i), (i, j), (j, n))))
                outer = 2 * dot(one, three)[..., None] * two
                total = total + (outer - dot(one, two)[..., None] * three - dot(two, three)[..., None] * one) / 2
        return total

    def current(self, legs):
        if legs not in self.cache:
            if len(legs) == 1:
                self.cache[legs] = polarisations(self.k[legs[0]])
            else:
                p = self.k[list(legs)].sum(axis=0)
                self.cache[legs] = self.vertex(legs) / dot(p, p)
        return self.cache[legs]

    def partial(self, order):
        """Amplitude of a cyclic order, polarisation indices by leg: (2, ..., 2)."""
        one, two = self.joined(self.vertex(order[:-1]), self.current(order[-1:]))
        return np.transpose(dot(one, two), np.argsort(order))

    def squared(self):
        """Sum over polarisations and explicit colours of |M|^2, for g = 1."""
        legs = len(self.k)
        orders = [(0, *middle, legs - 1) for middle in permutations(range(1, legs - 1))]
        f = np.sqrt(2) * structure_constants()
        chain = f
        for _ in range(legs - 3):
            chain = np.tensordot(chain, f, axes=(-1, 0))
        # chain[a_0, a_1, ...] runs over places; its axes are brought to the order of legs
        colours = np.stack([np.transpose(chain, np.argsort(order)).ravel() for order in orders])
        partial = np.stack([self.partial(order).ravel() for order in orders])
        total = 0.0
        for block in np.array_split(partial.T, max(1, 2**legs // 8)):
            total += np.sum((block @ colours) ** 2)
        return total


@pytest.mark.parametrize(("n_final", "points"), [(2, 3), (3, 3), (4, 1)])
def test_the_square_is_that_of_a_recursion_with_explicit_colour(n_final, points):
    momenta = rambo(n_final, points, 1000.0, seed=3)
    coupling = (4 * pi * ALPHA_S) ** n_final
    expected = [BerendsGiele(p).squared() * coupling / 256 / factorial(n_final) for p in momenta]
    np.testing.assert_allclose(GluonAmplitude(n_final)(momenta, ALPHA_S), expected, rtol=1e-10)


@pytest.mark.parametrize("legs", [4, 5, 6])
def test_partial_amplitudes_are_those_of_the_recursion(legs):
    momenta = rambo(legs - 2, 2, 500.0, seed=5)
    orders = cyclic_orders(legs, reflected=True)[:: 1 if legs < 6 else 17]
    found = _gluons.ordered(momenta, orders)
    for point, squares in zip(momenta, found, strict=True):
        recursion = BerendsGiele(point)
        expected = [np.sum(recursion.partial(tuple(order)) ** 2) for order in orders.tolist()]
        np.testing.assert_allclose(squares, expected, rtol=1e-10)


def test_two_gluons_have_the_closed_form():
    momenta = rambo(2, 1000, 800.0, seed=1)
    s, t = 800.0**2, -2 * dot(momenta[:, 0], momenta[:, 2])
    u = -s - t
    expected = (4 * pi * 0.2) ** 2 * 4.5 * (3 - t * u / s**2 - s * u / t**2 - s * t / u**2)
    np.testing.assert_allclose(GluonAmplitude(2, identical=False)(momenta, 0.2), expected, rtol=1e-9)


def test_four_gluons_have_the_value_of_another_program():
    # |M|^2 of pyamplicol 1.0.1, g g > g g g g in full colour, alpha_s = 0.118.
    momenta = np.array(
        [
            [500.0, 0.0, 0.0, 500.0],
            [500.0, 0.0, 0.0, -500.0],
            [255.58570765840852, -44.929656538975195, -27.46344641083036, 250.10225715450596],
            [317.0711932903983, -101.84457795193603, 275.4772320234327, -119.47434114945763],
            [83.15767506827402, -47.665941752789685, -35.72464136649447, 58.025054233629554],
            [344.1854239829189, 194.4401762437007, -212.28914424610784, -188.65297023867785],
        ]
    )
    np.testing.assert_allclose(GluonAmplitude(4)(momenta[None], 0.118), 0.00038076780833579067, rtol=1e-11)


@settings(max_examples=20, deadline=None)
@given(n_final=st.sampled_from([2, 3, 4]), seed=st.integers(0, 10**6), data=st.data())
def test_the_square_sees_neither_labels_nor_frame(n_final, seed, data):
    momenta = rambo(n_final, 8, 1000.0, seed)
    amplitude = GluonAmplitude(n_final)
    value = amplitude(momenta, ALPHA_S)
    order = data.draw(st.permutations(range(2, n_final + 2)))
    np.testing.assert_allclose(amplitude(momenta[:, [1, 0, *order]], ALPHA_S), value, rtol=1e-7)
    # rotation of the beams away from z, and another unit of energy
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    turned = momenta * 0.01
    turned[..., 1:] = turned[..., 1:] @ rotation.T
    np.testing.assert_allclose(amplitude(turned, ALPHA_S), value * 0.01 ** (4 - 2 * n_final), rtol=1e-7)


def test_a_soft_gluon_factorises_from_partial_amplitudes():
    # Both helicities of a gluon k between a and b together: |A|^2 -> a.b / (a.k k.b) |A without it|^2.
    soft = 1e-4 * np.array([1.0, 0.6, 0.0, 0.8])
    hard = rambo(3, 1, 1000.0, seed=9)
    # the hard gluons take the recoil: their total is that of the beams without the soft one
    total = hard[0, :2].sum(axis=0) - soft
    mass = np.sqrt(dot(total, total))
    velocity, gamma = total[1:] / mass, total[0] / mass
    p = hard[0, 2:] * mass / 1000.0
    along = p[:, 1:] @ velocity
    p[:, 1:] += velocity * (p[:, :1] + along[:, None] / (1 + gamma))
    p[:, 0] = gamma * p[:, 0] + along
    hard[0, 2:] = p
    momenta = np.concatenate([hard, soft[None, None]], axis=1)
    six = _gluons.ordered(momenta, np.array([[0, 2, 1, 3, 4, 5]], dtype=np.int32))[0, 0]
    five = _gluons.ordered(hard, np.array([[0, 2, 1, 3, 4]], dtype=np.int32))[0, 0]
    a, b = hard[0, 4], hard[0, 0]
    np.testing.assert_allclose(six, dot(a, b) / (dot(a, soft) * dot(soft, b)) * five, rtol=1e-5)


@pytest.mark.parametrize("n_final", [2, 3, 4])
def test_all_instruction_sets_agree_for_every_length_of_batch(n_final, monkeypatch):
    momenta = rambo(n_final, 19, 1000.0, seed=2)
    orders = chain_orders(n_final + 2) if n_final == 4 else cyclic_orders(n_final + 2, reflected=False)
    reference = _gluons.ordered(momenta, orders, "generic")
    for isa in _gluons.instruction_sets():
        for points in (0, 1, 7, 8, 19):
            found = _gluons.ordered(momenta[:points], orders, isa)
            np.testing.assert_allclose(found, reference[:points], rtol=1e-9)
        if n_final == 4:
            squares, _ = _gluons.squared_six(momenta, orders, chain_colour_matrix(6), isa)
            generic, _ = _gluons.squared_six(momenta, orders, chain_colour_matrix(6), "generic")
            np.testing.assert_allclose(squares, generic, rtol=1e-10)


def test_the_six_gluon_formula_loses_few_digits():
    cancellation = GluonAmplitude(4).cancellation(rambo(4, 50_000, 1000.0, seed=4))
    assert np.median(cancellation) < 3
    assert cancellation.max() < 1e5


def neighbours(order, lines):
    """Whether the colour of every gluon is the anticolour of the next in the order; incoming ones are crossed."""
    pairs = zip(order, (*order[1:], order[0]), strict=True)
    return all(lines[a][1 if a < 2 else 0] == lines[b][0 if b < 2 else 1] for a, b in pairs)


def test_colour_flows_are_drawn_with_their_shares():
    amplitude = GluonAmplitude(3)
    point = rambo(3, 1, 1000.0, seed=6)
    orders, shares = amplitude.flow_probabilities(point)
    np.testing.assert_allclose(shares.sum(), 1.0)
    draws = 40_000
    momenta = np.repeat(point, draws, axis=0)
    lines = amplitude.colour_flow(momenta, np.random.default_rng(7).random(draws))
    kinds, counts = np.unique(lines.reshape(draws, -1), axis=0, return_counts=True)
    assert len(kinds) <= len(orders)
    for kind, count in zip(kinds.reshape(-1, 5, 2), counts, strict=True):
        share = sum(s for order, s in zip(orders.tolist(), shares[0], strict=True) if neighbours(order, kind))
        assert abs(count - draws * share) < 4 * np.sqrt(draws * share) + 1


def test_wrong_input_is_told_in_a_sentence():
    with pytest.raises(UserError, match="n_final is 5"):
        GluonAmplitude(5)
    with pytest.raises(AmplitudeError, match=r"expected \(n, 5, 4\)"):
        GluonAmplitude(3)(np.zeros((2, 6, 4)))
    with pytest.raises(ValueError, match="permutation"):
        _gluons.ordered(np.zeros((1, 4, 4)), np.array([[0, 1, 1, 3]], dtype=np.int32))
    with pytest.raises(ValueError, match="end with leg 5"):
        _gluons.ordered(np.zeros((1, 6, 4)), np.array([[5, 1, 2, 3, 4, 0]], dtype=np.int32))
