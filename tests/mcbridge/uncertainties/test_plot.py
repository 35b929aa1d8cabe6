"""The three panels of an observable hold the numbers of its band."""

from __future__ import annotations

import numpy as np
import pytest

from binnis import plot_bands, uncertainty_band
from mcbridge.errors import UserError


@pytest.fixture(scope="module")
def band():
    generator = np.random.default_rng(1)
    x = generator.random(2000)
    return uncertainty_band(
        x, 1.0 + 0.1 * generator.standard_normal((2000, 8)), np.array([0.0, 0.2, 0.5, 1.0]), np.ones(2000)
    )


def steps(panel, label):
    """Heights of the histogram with this label."""
    (found,) = [patch for patch in panel.patches if patch.get_label() == label]
    return found.get_data()


def test_panels_show_density_sigma_and_relative_sigma(band, tmp_path):
    figure = plot_bands({"m [GeV]": band, "y": band}, events=2000, factor=2.0, path=tmp_path / "bands.png")
    assert len(figure.axes) == 6
    density, sigma, relative = figure.axes[:3]
    widths = np.diff(band.edges)
    filled = steps(density, "band")
    assert filled.values - filled.baseline == pytest.approx(4.0 * band.sigma / 2000 / widths)
    assert 0.5 * (filled.values + filled.baseline) == pytest.approx(band.mean / 2000 / widths)
    assert steps(sigma, r"band, $\sigma_\mathrm{pred}$").values == pytest.approx(2.0 * band.sigma / 2000 / widths)
    assert steps(relative, r"band, $\sigma_\mathrm{pred}/p$").values == pytest.approx(2.0 * band.relative)
    assert steps(relative, "counting error").values == pytest.approx(1.0 / np.sqrt(band.values))
    assert density.get_ylabel() == "$p$ [pb/GeV]"
    assert figure.axes[3].get_ylabel() == "$p$ [pb]"
    assert (tmp_path / "bands.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_expected_is_drawn(band):
    figure = plot_bands({"x": band}, expected={"x": [1.0, 2.0, 3.0]})
    assert steps(figure.axes[0], "expected").values == pytest.approx([5.0, 20 / 3, 6.0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bands": {}}, "no bands"),
        ({"events": 0}, "events is 0"),
        ({"factor": -1.0}, "factor is -1"),
        ({"expected": {"x": [1.0]}}, r"expected\['x'\] has the shape \(1,\)"),
        ({"path": "bands.doc"}, "its ending must be one of"),
    ],
)
def test_mistakes_are_told_and_no_file_is_left(band, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=words):
        plot_bands(**{"bands": {"x": band}, **options})
    assert list(tmp_path.iterdir()) == []
