"""gg -> n gluons: phase space, cross sections against independent calculations, event records."""

import pickle
from itertools import pairwise, permutations
from math import factorial, pi

import numpy as np
import pytest
import vegas

from mcbridge.errors import UserError
from mcbridge.events import check_batch
from mcbridge.integrands import EventSource
from mcbridge.processes.gluon_phase_space import MAPPINGS
from mcbridge.processes.gluons import Gluons

PB = 0.3893793721e9
ENERGY = 1000.0
ALPHA_S = 0.118


def inside(p, pt_min=30.0, dr_min=0.4):
    """The cuts, from momenta of the outgoing particles (n, k, 4)."""
    pt = np.hypot(p[..., 1], p[..., 2])
    eta, phi = np.arctanh(p[..., 3] / p[..., 0]), np.arctan2(p[..., 2], p[..., 1])
    passed = np.all(pt > pt_min, axis=1)
    for i in range(p.shape[1]):
        for j in range(i):
            gap = np.abs(phi[:, i] - phi[:, j])
            passed &= np.hypot(np.minimum(gap, 2 * pi - gap), eta[:, i] - eta[:, j]) > dr_min
    return passed


def flat(n, points, seed):
    """Flat phase space of n massless particles at rest (Kleiss, Stirling, Ellis 1986): (points, n, 4)."""
    generator = np.random.default_rng(seed)
    direction = generator.normal(size=(points, n, 3))
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    size = generator.gamma(2.0, size=(points, n))
    total = np.concatenate([size.sum(axis=1)[:, None], np.sum(size[..., None] * direction, axis=1)], axis=1)
    mass = np.sqrt(total[:, 0] ** 2 - np.sum(total[:, 1:] ** 2, axis=1))
    boost, gamma = -total[:, 1:] / mass[:, None], (total[:, 0] / mass)[:, None]
    along = size * np.einsum("ni,nki->nk", boost, direction)
    space = size[..., None] * direction + boost[:, None] * (size + along / (1 + gamma))[..., None]
    return np.concatenate([(gamma * size + along)[..., None], space], axis=-1) * ENERGY / mass[:, None, None]


def volume(n):
    """Phase space of n massless particles with the factors of 2 pi [GeV^(2 n - 4)]."""
    return (pi / 2) ** (n - 1) * ENERGY ** (2 * n - 4) / factorial(n - 1) / factorial(n - 2) * (2 * pi) ** (4 - 3 * n)


def falling(p):
    """A positive function of momenta (n, k, 4) that falls as the amplitude does, so that few points say much."""
    return np.prod(30.0 / np.hypot(p[..., 1], p[..., 2]), axis=1)


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("mapping", list(MAPPINGS))
def test_integrals_inside_the_cuts_are_those_of_flat_phase_space(n, mapping):
    p = flat(n, 200_000, seed=8)
    values = volume(n) * inside(p) * falling(p)
    process = Gluons(n, mapping=mapping)
    u = np.random.default_rng(9).random((100_000, process.dim))
    momenta, accepted = process.phase_space.momenta(u)
    found = np.zeros(len(u))
    found[accepted] = process.phase_space.jacobian(momenta[accepted], u[accepted]) * falling(momenta[accepted, 2:])
    error = np.hypot(values.std() / np.sqrt(len(p)), found.std() / np.sqrt(len(u)))
    assert error < 0.08 * values.mean()
    assert abs(found.mean() - values.mean()) < 4 * error


def parke_taylor(p, alpha_s):
    """Sum over colours and helicities of gg -> ggg, averaged (Parke, Taylor 1986; Mangano, Parke 1991)."""
    incoming = np.broadcast_to(ENERGY / 2 * np.array([[-1.0, 0, 0, -1.0], [-1.0, 0, 0, 1.0]]), (len(p), 2, 4))
    k = np.concatenate([incoming, p], axis=1)
    s = 2 * np.einsum("nia,nja,a->nij", k, k, [1.0, -1.0, -1.0, -1.0])
    powers = sum(s[:, i, j] ** 4 for i in range(5) for j in range(i))
    strings = 0.0
    for order in permutations(range(1, 5)):
        cycle = (0, *order, 0)
        strings = strings + 1 / np.prod([s[:, a, b] for a, b in pairwise(cycle)], axis=0)
    return 2 * (4 * pi * alpha_s) ** 3 * 27 * 8 * powers * strings / 256


def three_bodies(x):
    """The softest gluon by (log pT, y, phi), the others back to back in their rest frame: momenta (n, 3, 4), dPhi/dx.

    d^3p/(2 E (2 pi)^3) = pT^2 dlog(pT) dy dphi/(2 (2 pi)^3); two-body phase space dcos dphi/(32 pi^2). x: (n, 5).
    """
    log_range, y_max = np.log(ENERGY / 2 / 30.0), np.arccosh(ENERGY / 60.0)
    pt, y, phi = 30.0 * np.exp(log_range * x[:, 0]), y_max * (2 * x[:, 1] - 1), 2 * pi * x[:, 2]
    soft = np.stack([pt * np.cosh(y), pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(y)], axis=1)
    jacobian = pt**2 * log_range * 2 * y_max * 2 * pi / (2 * (2 * pi) ** 3)
    rest = np.array([ENERGY, 0, 0, 0]) - soft
    squared = rest[:, 0] ** 2 - np.sum(rest[:, 1:] ** 2, axis=1)
    allowed = squared > 0
    mass = np.sqrt(np.where(allowed, squared, 1.0))
    rapidity, angle = 4.0 * (2 * x[:, 3] - 1), 2 * pi * x[:, 4]
    cos = np.tanh(rapidity)
    jacobian = jacobian * (1 - cos**2) * 8.0 * 2 * pi / (32 * pi**2)
    sin = np.sqrt(1 - cos**2)
    axis = np.stack([sin * np.cos(angle), sin * np.sin(angle), cos], axis=1) * (mass / 2)[:, None]
    velocity, gamma = rest[:, 1:] / mass[:, None], np.where(allowed, rest[:, 0] / mass, 1.0)
    along = np.sum(velocity * axis, axis=1)
    halves = []
    for sign in (1.0, -1.0):
        energy = gamma * mass / 2 + sign * along
        space = sign * axis + velocity * (mass / 2 + sign * along / (1 + gamma))[:, None]
        halves.append(np.concatenate([energy[:, None], space], axis=1))
    return np.stack([soft, *halves], axis=1), np.where(allowed, jacobian, 0.0)


@vegas.lbatchintegrand
def independent(x):
    momenta, jacobian = three_bodies(np.asarray(x))
    value = np.zeros(len(x))
    pt = np.hypot(momenta[..., 1], momenta[..., 2])
    good = (jacobian > 0) & (pt[:, 0] < pt[:, 1]) & (pt[:, 0] < pt[:, 2])
    good[good] = inside(momenta[good])
    # any of the three can be the softest
    value[good] = 3 * parke_taylor(momenta[good], ALPHA_S) / 6 * jacobian[good] * PB / (2 * ENERGY**2)
    return value


def with_vegas(integrand, dim, neval, seed, nitn=6):
    """Integral and error with an adapted, then frozen VEGAS."""
    generator = np.random.default_rng(seed)
    integrator = vegas.Integrator(dim * [[0, 1]], ran_array_generator=generator.random)
    integrator(integrand, nitn=5, neval=neval // 2)
    result = integrator(integrand, nitn=nitn, neval=neval, adapt=False)
    # average over iterations with equal weights: inverse variances would bias skewed weights low
    means = [iteration.mean for iteration in result.itn_results]
    return np.mean(means), np.sqrt(np.sum([iteration.sdev**2 for iteration in result.itn_results])) / len(means)


def as_function(process):
    return vegas.lbatchintegrand(lambda x: process(np.asarray(x), 0).weight)


def test_the_independent_phase_space_has_the_volume_inside_the_cuts():
    momenta, jacobian = three_bodies(np.random.default_rng(3).random((300_000, 5)))
    found = np.where(jacobian > 0, jacobian, 0.0)
    found[found > 0] *= inside(momenta[found > 0])
    share = inside(flat(3, 200_000, seed=8))
    error = np.hypot(found.std() / np.sqrt(len(found)), volume(3) * share.std() / np.sqrt(len(share)))
    assert error < 0.03 * found.mean()
    assert abs(found.mean() - volume(3) * share.mean()) < 4 * error


def test_three_gluons_agree_with_an_independent_calculation():
    reference, reference_error = with_vegas(independent, 5, 250_000, seed=1)
    process = Gluons(3, ENERGY, 30.0, 0.4, alpha_s=ALPHA_S)
    found, error = with_vegas(as_function(process), 5, 30_000, seed=2)
    assert np.hypot(error, reference_error) < 0.005 * reference
    assert abs(found - reference) < 3 * np.hypot(error, reference_error)


@pytest.mark.slow
def test_three_gluons_agree_with_an_independent_calculation_at_high_statistics():
    reference, reference_error = with_vegas(independent, 5, 2_000_000, seed=3)
    found, error = with_vegas(as_function(Gluons(3)), 5, 300_000, seed=4)
    assert np.hypot(error, reference_error) < 0.002 * reference
    assert abs(found - reference) < 3 * np.hypot(error, reference_error)


@pytest.mark.slow
def test_four_gluons_agree_in_flat_and_in_adapted_phase_space():
    reference, reference_error = with_vegas(as_function(Gluons(4, mapping="rambo")), 8, 600_000, seed=5)
    found, error = with_vegas(as_function(Gluons(4)), 8, 200_000, seed=6)
    assert np.hypot(error, reference_error) < 0.01 * reference
    assert abs(found - reference) < 3 * np.hypot(error, reference_error)


def test_two_gluons_agree_with_the_closed_form():
    # d sigma/d cos theta over |cos theta| < sqrt(1 - 4 pT^2/s), Gauss-Legendre in cos theta
    process = Gluons(2, ENERGY, 60.0, 0.4, alpha_s=ALPHA_S)
    u = np.random.default_rng(4).random((200_000, 2))
    weight = process(u, 0).weight
    nodes, weights = np.polynomial.legendre.leggauss(400)
    limit = np.sqrt(1 - (2 * 60.0 / ENERGY) ** 2)
    t, v = -(1 - nodes * limit) / 2, -(1 + nodes * limit) / 2
    squared = (4 * pi * ALPHA_S) ** 2 * 4.5 * (3 - t * v - v / t**2 - t / v**2)
    expected = limit * np.sum(weights * squared) / (32 * pi * ENERGY**2) / 2 * PB
    assert abs(weight.mean() - expected) < 4 * weight.std() / np.sqrt(len(weight))
    assert weight.std() / np.sqrt(len(weight)) < 0.003 * expected


@pytest.mark.parametrize("n", [3, 4])
def test_the_weight_does_not_depend_on_the_first_azimuth_and_closes_in_the_others(n):
    process = Gluons(n)
    u = np.random.default_rng(5).random((500, process.dim))
    weight = process(u, 0).weight
    turned = u.copy()
    turned[:, process.periodic[0]] = (turned[:, process.periodic[0]] + 0.3) % 1
    # the frames in which madspace builds azimuths switch their reference at a few points
    assert np.mean(np.isclose(process(turned, 0).weight, weight, rtol=1e-6)) > 0.95
    for index in process.periodic:
        low, high = u.copy(), u.copy()
        low[:, index], high[:, index] = 1e-13, 1 - 1e-13
        first, second = process(low, 0).weight, process(high, 0).weight
        both = (first > 0) & (second > 0)
        assert both.sum() > 100
        np.testing.assert_allclose(first[both], second[both], rtol=1e-5)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_event_records_are_sound(n):
    process = Gluons(n, eta_max=3.0)
    assert isinstance(process, EventSource)
    generator = np.random.default_rng(6)
    u = generator.random((4000, process.dim))
    u = u[process(u, 0).weight > 0]
    batch = process.events(u, 0, generator.random((len(u), 2)))
    check_batch(batch)
    pt = np.hypot(batch.momenta[:, 2:, 1], batch.momenta[:, 2:, 2])
    assert np.all(np.diff(pt, axis=1) <= 0)
    assert np.all(inside(batch.momenta[:, 2:]))
    assert np.all(np.abs(np.arctanh(batch.momenta[:, 2:, 3] / batch.momenta[:, 2:, 0])) < 3.0)
    np.testing.assert_allclose(batch.scale, pt.sum(axis=1) / 2)


def test_points_on_the_rim_and_empty_batches_have_finite_weights():
    for n in (2, 3, 4):
        process = Gluons(n)
        corners = np.array(np.meshgrid(*[[0.0, 1.0]] * process.dim)).reshape(process.dim, -1).T
        assert np.all(np.isfinite(process(corners, 0).weight))
        assert process(np.empty((0, process.dim)), 0).weight.shape == (0,)


def test_a_copy_by_pickle_gives_the_same_weights():
    process = Gluons(3, 500.0, 20.0, 0.5, eta_max=2.5, alpha_s=0.1, mapping="t-channel")
    u = np.random.default_rng(7).random((100, 5))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(process))(u, 0).weight, process(u, 0).weight)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"n_final": 5}, "n_final is 5"),
        ({"pt_min": 400.0}, "pt_min: 400 was given"),
        ({"pt_min": 0.0}, "pt_min: 0.0 was given"),
        ({"dr_min": 20.0}, "the cuts leave nothing"),
        ({"eta_max": -1.0}, "eta_max: -1.0 was given"),
        ({"cms_energy": float("nan")}, "cms_energy: nan was given"),
        ({"mapping": "ramb"}, "did you mean 'rambo'"),
    ],
)
def test_wrong_settings_are_told_in_a_sentence(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        Gluons(**settings)
