"""Observables of event files whose momenta have ten digits."""

from __future__ import annotations

import numpy as np

from plugin.validate.observables import independent, kinematics


def test_a_mass_that_only_rounding_moves_hides_no_other_observable():
    generator = np.random.default_rng(1)
    n, mass = 2000, 173.0
    momenta = generator.normal(0.0, 300.0, (n, 2, 3))
    third = -momenta.sum(axis=1)
    vectors = np.concatenate([momenta, third[:, None]], axis=1)
    masses = np.array([mass, mass, 0.0])
    energy = np.sqrt((vectors**2).sum(axis=2) + masses**2)
    exact = np.concatenate([energy[..., None], vectors], axis=2)
    written = np.vectorize(lambda value: float(f"{value:.10e}"))(exact)
    found = kinematics(written, ["t", "t~", "g"])
    assert np.ptp(found["m(t) [GeV]"]) == 0.0
    names = independent(found)
    assert "m(t) [GeV]" not in names
    assert {"pT(t) [GeV]", "pT(g) [GeV]", "m(t t~) [GeV]", "HT [GeV]"} <= set(names)
    wide = kinematics(exact * generator.uniform(0.99, 1.01, (n, 1, 1)), ["t", "t~", "g"])
    assert "m(t) [GeV]" in independent(wide)
