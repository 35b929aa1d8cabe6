"""The toys of the Bayesian flow: their densities, the reading of their uncertainty, and what training gives."""

from __future__ import annotations

from math import erf, sqrt

import numpy as np
import pytest

from benchmarks.toy_densities import TOYS
from benchmarks.toys import SIZES, _fit, train_toy

SETTINGS = {"mean_steps": 4000, "steps": 1500, "replicas": 300, "trainings": 4}


def cumulative(name, value):
    """Probability below a value of the physical coordinate."""
    return {"wedge": value**2, "kicker": value**3, "ring": 0.5 * (1 + erf((value - 4) / sqrt(2)))}[name]


@pytest.mark.parametrize("name", TOYS)
def test_samples_follow_the_density(name):
    toy = TOYS[name]
    n = 100_000
    points = toy.sample(n, np.random.default_rng(1))
    physical = np.hypot(*points.T) if name == "ring" else points[:, 0]
    for value in np.quantile(physical, [0.1, 0.4, 0.8]):
        probability = cumulative(name, value)
        assert np.mean(physical < value) == pytest.approx(
            probability, abs=4 * sqrt(probability * (1 - probability) / n)
        )
    step = 1e-4
    for value in toy.axis[::20]:
        measure = np.pi * value if name == "ring" else 1.0
        slope = (cumulative(name, value + step) - cumulative(name, value - step)) / (2 * step)
        assert toy.density(np.array([value]))[0] * measure == pytest.approx(slope, rel=1e-4)


@pytest.mark.parametrize("name", TOYS)
def test_the_jacobian_of_the_flow_s_coordinates_is_that_of_finite_differences(name):
    toy = TOYS[name]
    lines = toy.lines(toy.axis[10:90:16], 3).reshape(-1, 2)
    u, jacobian = toy.to_flow(lines)
    assert np.all((u > 0.0) & (u < 1.0))
    step = 1e-6
    columns = [
        (toy.to_flow(lines + shift)[0] - toy.to_flow(lines - shift)[0]) / (2 * step) for shift in step * np.eye(2)
    ]
    assert np.abs(np.linalg.det(np.stack(columns, axis=-1))) == pytest.approx(jacobian, rel=1e-5)


@pytest.mark.parametrize("name", TOYS)
def test_minimum_and_fit_of_the_expected_shape_are_found(name):
    """Sigma made of the terms themselves: the minimum lies where the paper has it, the fit gives the errors back."""
    toy = TOYS[name]
    errors = dict(zip(toy.terms(toy.axis), (0.03, 0.004), strict=True))
    sigma = np.sqrt(sum((errors[key] * term) ** 2 for key, term in toy.terms(toy.axis).items()))
    found = toy.minimum(sigma)
    assert toy.window[0] - 0.02 <= found <= toy.window[1] + 0.02
    fitted = _fit(toy, sigma)
    for key, value in errors.items():
        assert fitted[key] == pytest.approx(value, rel=1e-6)


def test_a_dip_between_two_humps_is_found_though_the_tail_is_lower():
    toy = TOYS["ring"]
    sigma = np.exp(-0.5 * ((toy.axis - 2.8) / 0.5) ** 2) + 0.9 * np.exp(-0.5 * ((toy.axis - 4.9) / 0.4) ** 2)
    falling = sigma * np.exp(-toy.axis)
    assert 3.6 < toy.minimum(falling) < 4.3
    assert toy.minimum(1.0 / toy.axis) == pytest.approx(toy.until)  # no dip at all


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wedge", "ring"])
def test_the_uncertainty_is_least_where_the_paper_has_it(name):
    found = train_toy(TOYS[name], 300_000, 1, **SETTINGS)
    low, high = TOYS[name].window
    assert low <= TOYS[name].minimum(found.sigma.mean(axis=1)) <= high
    assert name == "ring" or low <= TOYS[name].minimum(found.physical) <= high
    assert found.covered > 0.7
    relative = (found.sigma / found.mean).mean(axis=1)
    if name == "wedge":
        assert relative[10] > 2 * relative[70]


@pytest.mark.slow
def test_the_uncertainty_of_the_kicker_falls_with_the_number_of_events_as_in_the_paper():
    values = [train_toy(TOYS["kicker"], events, 1, **SETTINGS).sigma_at(0.5) for events in SIZES]
    assert values[0] > values[1] > values[2]
    for value, (low, high) in zip(values, SIZES.values(), strict=True):
        assert 0.95 * low <= value <= 1.05 * high  # the windows are read off a figure
