"""The embedded set against the published benchmark of the Les Houches toy input."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from mcbridge.pdfs import GridPdf, available_sets, load_pdf

X = np.array([1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.5, 0.7, 0.9])

# hep-ph/0204316, table 2, leading order, variable flavour number, Q^2 = 10^4 GeV^2: x(u - ubar), x(d - dbar),
# x(dbar - ubar), 2x(ubar + dbar), x(s + sbar), x(c + cbar), x(b + bbar), x g
_NAMES = ("u_v", "d_v", "L_m", "L_p", "s_p", "c_p", "b_p", "g")
_TABLE = """
5.8771e-05 3.4963e-05 7.8233e-07 1.0181e+02 4.9815e+01 4.9088e+01 4.6070e+01 1.3272e+03
3.3933e-04 2.0129e-04 5.1142e-06 5.1182e+01 2.4725e+01 2.4148e+01 2.2239e+01 6.0117e+02
1.9006e-03 1.1229e-03 3.2249e-05 2.4693e+01 1.1659e+01 1.1201e+01 1.0037e+01 2.5282e+02
1.0186e-02 5.9819e-03 1.9345e-04 1.1406e+01 5.1583e+00 4.7953e+00 4.1222e+00 9.6048e+01
5.0893e-02 2.9576e-02 1.0730e-03 5.0424e+00 2.0973e+00 1.8147e+00 1.4582e+00 3.1333e+01
2.2080e-01 1.2497e-01 4.9985e-03 2.0381e+00 7.2625e-01 5.3107e-01 3.8106e-01 7.7728e+00
5.7166e-01 2.8334e-01 1.0428e-02 4.0496e-01 1.1596e-01 5.8288e-02 3.5056e-02 8.4358e-01
3.7597e-01 1.4044e-01 3.2629e-03 3.9592e-02 1.0363e-02 4.0740e-03 2.2039e-03 7.8026e-02
1.3284e-01 3.4802e-02 4.2031e-04 2.8066e-03 7.1707e-04 2.5958e-04 1.3522e-04 7.4719e-03
2.2643e-02 3.5134e-03 1.5468e-05 6.7201e-05 1.7278e-05 6.3958e-06 3.3996e-06 3.5241e-04
4.2047e-04 2.1529e-05 1.0635e-08 3.4998e-08 9.8394e-09 4.7330e-09 2.8903e-09 1.0307e-06
"""
BENCHMARK = dict(zip(_NAMES, np.loadtxt(_TABLE.strip().splitlines()).T, strict=True))
COMBINATION = {
    "u_v": {2: 1, -2: -1},
    "d_v": {1: 1, -1: -1},
    "L_m": {-1: 1, -2: -1},
    "L_p": {-1: 2, -2: 2},
    "s_p": {3: 1, -3: 1},
    "c_p": {4: 1, -4: 1},
    "b_p": {5: 1, -5: 1},
    "g": {21: 1},
}


@pytest.fixture(scope="module")
def pdf() -> GridPdf:
    found = load_pdf("builtin")
    assert isinstance(found, GridPdf)
    return found


def combine(pdf: GridPdf, name: str, x: np.ndarray, q: float) -> np.ndarray:
    return np.asarray(sum(factor * pdf.xfx(pid, x, q) for pid, factor in COMBINATION[name].items()))


@pytest.mark.parametrize("name", BENCHMARK)
def test_published_benchmark(pdf: GridPdf, name: str) -> None:
    """To 0.1% from x = 1e-7 to 0.7, to 1% at 0.9; differences of flavours to 1e-6 of what is subtracted there."""
    values, published = combine(pdf, name, X, 100.0), BENCHMARK[name]
    size = np.asarray(sum(abs(factor) * pdf.xfx(pid, X, 100.0) for pid, factor in COMBINATION[name].items()))
    relative = np.where(X > 0.8, 1e-2, 1e-3)
    assert (np.abs(values - published) < relative * published + 1e-6 * size).all()


def test_input_scale(pdf: GridPdf) -> None:
    """hep-ph/0204316, equation (31), off the knots of the grid."""
    x = np.array([3e-6, 2.2e-4, 7e-3, 0.07, 0.25, 0.6])
    q = pdf.q_range[0]
    d_bar = 0.1939875 * x**-0.1 * (1 - x) ** 6
    np.testing.assert_allclose(combine(pdf, "u_v", x, q), 5.1072 * x**0.8 * (1 - x) ** 3, rtol=2e-3)
    np.testing.assert_allclose(combine(pdf, "d_v", x, q), 3.06432 * x**0.8 * (1 - x) ** 4, rtol=2e-3)
    np.testing.assert_allclose(pdf.xfx(-1, x, q), d_bar, rtol=2e-3)
    np.testing.assert_allclose(pdf.xfx(3, x, q), 0.2 * d_bar * (2 - x), rtol=2e-3)
    np.testing.assert_allclose(pdf.xfx(21, x, q), 1.7 * x**-0.1 * (1 - x) ** 5, rtol=2e-3)


def test_alpha_s(pdf: GridPdf) -> None:
    """0.35 at the input scale; 0.122306 at Q^2 = 10^4 GeV^2 with variable flavour number (hep-ph/0204316, table 2)."""
    assert pdf.alpha_s(100.0)[0] == pytest.approx(0.122306, abs=2e-6)
    assert pdf.alpha_s(np.sqrt(2.0))[0] == pytest.approx(0.35, rel=1e-5)


@pytest.mark.parametrize("q", [2.0, 10.0, 91.0, 700.0, 7000.0])
def test_sum_rules(pdf: GridPdf, q: float) -> None:
    """Two valence u, one valence d, and all of the proton's momentum, at scales between the knots."""
    nodes, weights = np.polynomial.legendre.leggauss(600)
    low = np.log(pdf.x_range[0])
    logs = low * (1 - nodes) / 2
    x = np.exp(logs)
    measure = weights * (-low / 2)
    momentum = sum(float((pdf.xfx(pid, x, q) * x * measure).sum()) for pid in pdf.flavours)
    assert momentum == pytest.approx(1.0, abs=2e-3)
    assert float((combine(pdf, "u_v", x, q) * measure).sum()) == pytest.approx(2.0, abs=5e-3)
    assert float((combine(pdf, "d_v", x, q) * measure).sum()) == pytest.approx(1.0, abs=5e-3)


def test_log_says_that_it_is_a_demonstration_set(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        load_pdf("builtin")
    assert "demonstration set" in caplog.text


def test_small_enough_to_ship() -> None:
    assert sum(path.stat().st_size for path in available_sets()["builtin"].iterdir()) < 200_000
