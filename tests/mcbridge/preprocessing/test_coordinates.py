"""Coordinates of phase space: one for each degree of freedom, independent, and blind to what has no meaning."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.lhe.records import Kind, Records
from mcbridge.preprocessing import Chart, Coordinates, FinalState, Resonances, canonical, resonances_of

MASSES = {2: (0.0, 0.0), 3: (0.0, 4.7, 0.0), 4: (0.0, 0.0, 80.4, 1.0)}


def boosted(momenta, rapidity):
    cosh, sinh = np.cosh(rapidity)[:, None], np.sinh(rapidity)[:, None]
    energy, pz = momenta[..., 0].copy(), momenta[..., 3].copy()
    return np.stack([cosh * energy + sinh * pz, momenta[..., 1], momenta[..., 2], sinh * energy + cosh * pz], axis=-1)


def events(u, masses, beams):
    """Momenta (k, n, 4) from numbers (k, free): all but one three-momentum, and for hadrons the last rapidity."""
    n = len(masses)
    momenta = np.zeros((len(u), n, 4))
    momenta[:, :-1, 1:] = (u[:, : 3 * (n - 1)].reshape(-1, n - 1, 3) - 0.5) * 200.0
    momenta[:, -1, 1:3] = -momenta[:, :-1, 1:3].sum(axis=1)
    momenta[:, -1, 3] = (u[:, 3 * (n - 1)] - 0.5) * 200.0
    momenta[..., 0] = np.sqrt(np.sum(momenta[..., 1:] ** 2, axis=-1) + np.square(masses))
    if beams == "leptons":  # into the rest frame, at a fixed energy: only for massless particles
        total = momenta.sum(axis=1)
        momenta = boosted(momenta, -np.arctanh(total[:, 3] / total[:, 0]))
        momenta *= (240.0 / momenta[..., 0].sum(axis=1))[:, None, None]
    return momenta


@pytest.mark.parametrize(
    ("n", "beams", "resonances"),
    [
        (2, "hadrons", []),
        (2, "hadrons", [{0, 1}]),
        (3, "hadrons", []),
        (3, "hadrons", [{0, 1}]),
        (3, "hadrons", [{0, 1, 2}, {1, 2}]),
        (4, "hadrons", []),
        (4, "hadrons", [{0, 1}, {2, 3}]),
        (4, "hadrons", [{0, 1, 2}]),
        (2, "leptons", []),
        (3, "leptons", []),
        (3, "leptons", [{0, 2}]),
        (4, "leptons", []),
        (4, "leptons", [{0, 1}, {2, 3}]),
        (4, "leptons", [{0, 1, 3}, {0, 3}]),
    ],
)
def test_there_is_one_independent_coordinate_for_each_degree_of_freedom(n, beams, resonances):
    """The derivatives of the coordinates by free numbers that fix the event have full rank everywhere."""
    masses = np.zeros(n) if beams == "leptons" else np.array(MASSES[n])
    free = 3 * n - 2
    generator = np.random.default_rng(3)
    u = generator.random((400, free))
    momenta = events(u, masses, beams)
    m = np.tile(masses, (400, 1))
    coordinates = Coordinates(momenta, m, [frozenset(slots) for slots in resonances])
    expected = (3 * n - 4 if beams == "leptons" else 3 * n - 2) - 1  # the azimuth of the event is uniform
    assert coordinates.uniform_azimuth
    assert coordinates.dim == expected, coordinates.names
    assert len(set(coordinates.names)) == expected
    step = 1e-6
    base = coordinates(momenta, m)
    columns = []
    for index in range(free):
        moved = u.copy()
        moved[:, index] += step
        difference = coordinates(events(moved, masses, beams), m) - base
        for axis in coordinates.periodic:
            difference[:, axis] = np.mod(difference[:, axis] + np.pi, 2 * np.pi) - np.pi
        columns.append(difference / step)
    jacobian = np.stack(columns, axis=-1)
    jacobian /= np.linalg.norm(jacobian, axis=2, keepdims=True)
    smallest = np.linalg.svd(jacobian, compute_uv=False)[:, -1]
    assert np.median(smallest) > 1e-2
    assert np.mean(smallest > 1e-4) > 0.99


def rotated(momenta, angle):
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    x, y = momenta[..., 1], momenta[..., 2]
    return np.stack([momenta[..., 0], cos * x - sin * y, sin * x + cos * y, momenta[..., 3]], axis=-1)


@pytest.mark.parametrize("resonances", [[], [{0, 1}], [{0, 1}, {2, 3}], [{0, 1, 2, 3}, {1, 2}]])
def test_a_rotation_around_the_beam_changes_no_coordinate(resonances):
    generator = np.random.default_rng(3)
    masses = np.array(MASSES[4])
    momenta, m = events(generator.random((300, 10)), masses, "hadrons"), np.tile(masses, (300, 1))
    coordinates = Coordinates(momenta, m, [frozenset(slots) for slots in resonances])
    turned = coordinates(rotated(momenta, generator.uniform(0, 2 * np.pi, 300)), m)
    difference = turned - coordinates(momenta, m)
    for axis in coordinates.periodic:
        difference[:, axis] = np.mod(difference[:, axis] + np.pi, 2 * np.pi) - np.pi
    assert np.max(np.abs(difference)) < 1e-6


def test_a_preferred_azimuth_becomes_a_coordinate():
    generator = np.random.default_rng(3)
    momenta = events(generator.random((2000, 4)), (0.0, 0.0), "hadrons")
    m = np.zeros((2000, 2))
    plain = Coordinates(momenta, m)
    turned = Coordinates(
        rotated(momenta, 0.3 * generator.random(2000) - np.arctan2(momenta[:, 1, 2], momenta[:, 1, 1])), m
    )
    assert plain.uniform_azimuth
    assert not turned.uniform_azimuth
    assert turned.dim == plain.dim + 1


def test_transverse_recoil_and_one_fixed_beam_change_the_number_of_coordinates():
    generator = np.random.default_rng(3)
    n = 500
    momenta, m = events(generator.random((n, 7)), (0.0, 0.0, 0.0), "hadrons"), np.zeros((n, 3))
    free = momenta.copy()
    free[:, 2, 1:3] += generator.normal(0.0, 10.0, (n, 2))
    free[..., 0] = np.linalg.norm(free[..., 1:], axis=-1)
    assert Coordinates(free, m).dim == 8
    # deep inelastic scattering: E - pz is that of the lepton beam
    total = momenta.sum(axis=1)
    one = boosted(momenta, np.log((total[:, 0] - total[:, 3]) / 55.0))
    assert Coordinates(one, m).dim == 5


def test_a_particle_of_varying_mass_gets_a_coordinate_for_it():
    generator = np.random.default_rng(3)
    momenta = events(generator.random((500, 4)), (0.0, 0.0), "hadrons")
    m = np.zeros((500, 2))
    m[:, 1] = 80.4 + 2.0 * generator.standard_cauchy(500).clip(-5, 5)
    momenta[:, 1, 0] = np.sqrt(np.sum(momenta[:, 1, 1:] ** 2, axis=1) + m[:, 1] ** 2)
    assert "m 2" in Coordinates(momenta, m).names


def record(momenta, kind):
    n = len(momenta)
    return Records(kind, np.arange(n), np.ones(n), momenta, np.zeros(momenta.shape[:2]))


def test_final_states_are_named_and_identical_particles_ordered():
    kind = Kind(
        (2, -2, 23, 11, -11, 21, 21), (-1, -1, 2, 1, 1, 1, 1), ((0, 0),) * 2 + ((1, 2), (3, 3), (3, 0)) + ((1, 2),) * 2
    )
    state, places = FinalState.of(kind)
    assert state.name == "e+ e- g g"
    assert places == (4, 3, 5, 6)
    assert resonances_of(kind, state, places) == [frozenset({0, 1})]
    momenta = np.zeros((2, 7, 4))
    momenta[:, :, 1] = np.arange(7.0) * [[1.0], [-1.0]]
    found, _ = canonical(record(momenta, kind), state, places)
    assert found[:, :, 1].tolist() == [[4.0, 3.0, 6.0, 5.0], [-4.0, -3.0, -6.0, -5.0]]
    quarks = Kind((21, 21, 1, -1, 5), (-1, -1, 1, 1, 1), ((0, 0),) * 2 + ((1, 2),) * 3)
    assert FinalState.of(quarks)[0].name == "d~ d b"
    assert FinalState.of(quarks, jets=True)[0].name == "3 j"


def test_the_majority_decides_on_resonances_and_lepton_pairs_are_found_without():
    state = FinalState((-24, -11, 12, 21))
    votes = Resonances(state)
    votes.add([frozenset({0, 3})], 60)
    votes.add([], 40)
    assert votes.chosen() == [frozenset({0, 3}), frozenset({1, 2})]
    votes.add([frozenset({1, 3})], 100)  # not compatible with the first where both have a majority
    assert votes.chosen() == [frozenset({1, 3})]
    assert Resonances(FinalState((-11, -11, 11, 11))).chosen() == []


KINDS = ("length", "rapidity", "angle")


def sample(generator, n):
    columns = [np.exp(generator.normal(3, 1, n)), generator.normal(0, 2, n), generator.vonmises(1, 2, n)]
    return np.stack(columns, axis=1), generator.random(n)


def test_a_chart_makes_marginal_distributions_flat_and_tells_what_is_outside():
    generator = np.random.default_rng(5)
    n = 20_000
    values, weight = sample(generator, n)
    chart = Chart(values, KINDS, weight, *sample(generator, n))
    points, inside = chart(values)
    assert inside.all()
    y, _ = chart.sampler().inverse_grid(points)
    for column, edges in zip(y.T, chart.grid, strict=True):
        bins = len(edges) - 1
        shares = np.histogram(column, bins, (0, 1), weights=weight)[0] / weight.sum()
        assert shares == pytest.approx(np.full(bins, 1 / bins), abs=2 / n)
    outside, flags = chart(np.array([[1e9, 0.0, 0.0], [20.0, -99.0, 0.0], [20.0, 0.0, 3.0]]))
    assert flags.tolist() == [False, False, True]
    assert np.all((outside >= 0.0) & (outside <= 1.0))


def test_a_peak_gets_many_bins_and_what_is_smooth_few():
    generator = np.random.default_rng(5)

    def peak(n):
        return np.stack([np.tan(1.5 * generator.uniform(-1, 1, n)), np.sqrt(generator.random(n))], axis=1), np.ones(n)

    narrow, smooth = (
        len(edges) - 1 for edges in Chart(*peak(20_000)[:1], ("rapidity", "cosine"), np.ones(20_000), *peak(2000)).grid
    )
    assert narrow >= 16
    assert smooth <= narrow / 2


def test_resampled_grids_scatter_as_the_counts_of_the_bins_do():
    generator = np.random.default_rng(5)
    n = 4000
    values, _ = sample(generator, n)
    chart = Chart(values, KINDS, np.ones(n), *sample(generator, n))
    points, _ = chart(values)
    logs = np.log([chart.resampled(generator).inverse_grid(points)[1] for _ in range(40)])
    found = np.median(np.std(logs, axis=0, ddof=1))
    expected = np.sqrt(sum(len(edges) - 2 for edges in chart.grid) / n)
    assert found == pytest.approx(expected, rel=0.25)
