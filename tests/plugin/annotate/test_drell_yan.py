"""Annotated Drell-Yan events against what is known exactly, and against the run that made them."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.annotation import compare

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def test_the_band_covers_the_exact_density_of_phase_space(tmp_path):
    """Over the central 95% of the cross section, without a calibration: the sizes that a mean-field posterior gives."""
    found = compare(10_000, tmp_path).calibration
    assert 0.55 < found.central.raw["68"] < 0.9
    assert 0.85 < found.central.raw["95"] <= 1.0
    assert 0.5 < found.factor["68"] < 2.0


def test_sigma_stat_has_the_shape_that_the_run_itself_gives(tmp_path):
    """Both are larger in the tails of the Z peak than on it, and for the same events."""
    found = compare(30_000, tmp_path, sampler="flow", points=5_000)
    peak = np.abs(found.mass - 91.2) < 2.0
    tails = np.abs(found.mass - 91.2) > 8.0
    for sigma in (found.run_sigma, found.sigma):
        assert np.median(sigma[tails]) > 1.1 * np.median(sigma[peak])
    ranks = [np.argsort(np.argsort(sigma)) for sigma in (found.run_sigma, found.sigma)]
    assert np.corrcoef(ranks)[0, 1] > 0.15
