"""Drell-Yan against quadrature written apart, against MadGraph's figures, and its events."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.events import check_batch
from mcbridge.integrands import EventBatch
from mcbridge.integration import integrate
from mcbridge.pdfs import GridPdf, load_pdf
from mcbridge.processes.drell_yan import DrellYan, ZPrime
from mcbridge.random import Streams
from mcbridge.samplers import survey

STREAMS = Streams(20260711)


def estimate(process: DrellYan, n: int, purpose: str) -> tuple[float, float]:
    """Mean and standard error [pb] of independent uniform points, n per channel."""
    mean = variance = 0.0
    for channel in range(process.channels):
        values = []
        for chunk in range(math.ceil(n / 100_000)):
            u = STREAMS.generator(purpose, channel, chunk=chunk).random((min(n, 100_000), process.dim))
            evaluation = process(u, channel)
            weight = evaluation.weight
            values.append(weight if evaluation.alpha is None else weight * evaluation.alpha[:, channel])
        weights = np.concatenate(values)
        mean += float(weights.mean())
        variance += float(weights.var()) / len(weights)
    return mean, math.sqrt(variance)


@pytest.fixture(scope="module")
def pdf() -> Any:
    return load_pdf("builtin")


def test_total_in_the_z_window(pdf: GridPdf, pair_oracle: Any) -> None:
    process = DrellYan(pdf=pdf)
    assert process.channels == 1
    mean, error = estimate(process, 1_000_000, "z window")
    assert error < 7e-4 * mean
    assert abs(mean - pair_oracle(pdf).integral(66.0, 116.0)) < 4 * error


@pytest.mark.parametrize("flavours", [(1,), (2,), (1, 2, 3, 4, 5)])
def test_flavours(pdf: GridPdf, pair_oracle: Any, flavours: tuple[int, ...]) -> None:
    process = DrellYan(pdf=pdf, flavours=flavours)
    assert len(process.subprocesses) == 2 * len(flavours)
    mean, error = estimate(process, 200_000, f"flavours {flavours}")
    assert abs(mean - pair_oracle(pdf, flavours).integral(66.0, 116.0)) < 4 * error


def test_cuts_against_quadrature(pdf: GridPdf, pair_oracle: Any) -> None:
    process = DrellYan(pdf=pdf, mll=(0.0, 13000.0), pt_min=10.0, eta_max=2.5, dr_min=0.4)
    assert process.channels == 2
    assert process.mass_range[0] == 20.0
    oracle = pair_oracle(pdf)
    oracle.pt_min, oracle.eta_max = 10.0, 2.5
    mean, error = estimate(process, 400_000, "cuts")
    assert error < 2e-3 * mean
    assert abs(mean - oracle.integral(20.0, 12999.0)) < 4 * error


def _against_madgraph(pdf: GridPdf, pair_oracle: Any) -> None:
    process = DrellYan(pdf=pdf, mll=(0.0, 13000.0), pt_min=10.0, eta_max=2.5, dr_min=0.4)
    oracle = pair_oracle(pdf)
    oracle.pt_min, oracle.eta_max = 10.0, 2.5
    mean, error = estimate(process, 1_000_000, "madgraph")
    assert error < 1e-3 * mean
    assert abs(mean - oracle.integral(20.0, 12999.0)) < 4 * error
    for value, sigma in ((840.0, 2.2), (839.2, 4.9)):  # own UMAMI library in madspace; MadGraph5_aMC@NLO itself
        assert abs(mean - value) < 3 * math.hypot(error, sigma)


def test_default_cuts_and_couplings_of_madgraph(nnpdf23: GridPdf, pair_oracle: Any) -> None:
    _against_madgraph(nnpdf23, pair_oracle)


@pytest.mark.slow
def test_default_cuts_and_couplings_of_madgraph_fetched(nnpdf23_fetched: GridPdf, pair_oracle: Any) -> None:
    _against_madgraph(nnpdf23_fetched, pair_oracle)


def test_z_prime_with_three_channels(pdf: GridPdf, pair_oracle: Any) -> None:
    process = DrellYan(pdf=pdf, mll=(50.0, 800.0), zprime=ZPrime())
    assert process.channels == 3
    oracle = pair_oracle(pdf)
    oracle.heavy = [*oracle.heavy, (400.0, 0.5)]
    mean, error = estimate(process, 400_000, "z prime")
    assert error < 1.2e-3 * mean
    assert abs(mean - oracle.integral(50.0, 800.0)) < 4 * error


def test_peak_of_the_z_prime(pdf: GridPdf, pair_oracle: Any) -> None:
    """Around 400 GeV alone, where the total is all Z'."""
    oracle = pair_oracle(pdf)
    without = oracle.integral(380.0, 420.0)
    oracle.heavy = [*oracle.heavy, (400.0, 0.5)]
    process = DrellYan(pdf=pdf, mll=(380.0, 420.0), zprime=ZPrime(400.0, 0.5))
    mean, error = estimate(process, 200_000, "z prime peak")
    assert mean > 5 * without
    assert abs(mean - oracle.integral(380.0, 420.0)) < 4 * error


def test_prior_and_features(pdf: GridPdf) -> None:
    process = DrellYan(pdf=pdf, mll=(50.0, 800.0), zprime=ZPrime())
    features = []
    for channel in range(3):
        evaluation = process(STREAMS.generator("prior", channel).random((5000, 4)), channel)
        assert evaluation.alpha is not None
        assert evaluation.features is not None
        np.testing.assert_allclose(evaluation.alpha.sum(axis=1), 1.0, rtol=1e-12)
        assert evaluation.alpha.min() >= 0
        assert evaluation.alpha.max() <= 1
        assert np.abs(evaluation.features).max() <= 1 + 1e-9
        features.append(evaluation.features)
    assert np.ptp(np.concatenate(features), axis=0).min() > 1.0


def test_forward_backward_asymmetry(pdf: GridPdf, pair_oracle: Any) -> None:
    """Above the Z, l- against the boost of the pair; the total alone cannot see swapped leptons."""
    process = DrellYan(pdf=pdf, mll=(110.0, 250.0))
    oracle = pair_oracle(pdf)
    expected = oracle.integral(110.0, 250.0, odd=True) / oracle.integral(110.0, 250.0)
    assert expected > 0.05
    u = STREAMS.generator("asymmetry").random((400_000, 4))
    weight = process(u, 0).weight
    batch = process.events(u, 0, STREAMS.generator("asymmetry choice").random((len(u), 2)))
    lepton, antilepton = batch.momenta[:, 2], batch.momenta[:, 3]
    rapidity = [0.5 * np.log((p[:, 0] + p[:, 3]) / (p[:, 0] - p[:, 3])) for p in (lepton, antilepton)]
    boost = batch.momenta[:, 0, 0] - batch.momenta[:, 1, 0]
    sign = np.sign((rapidity[0] - rapidity[1]) * boost)
    asymmetry = float((weight * sign).sum() / weight.sum())
    error = float(np.sqrt((weight**2 * (sign - asymmetry) ** 2).sum()) / weight.sum())
    assert error < 2.5e-3
    assert abs(asymmetry - expected) < 4 * error


@pytest.mark.parametrize("quark", [1, 2])
def test_asymmetry_against_the_quark(pdf: GridPdf, helicities: Any, quark: int) -> None:
    """At one mass, l- against the quark of the event: 3/4 of (equal - opposite)/(equal + opposite)."""
    process = DrellYan(pdf=pdf, flavours=(quark,), mll=(199.9, 200.1))
    u = STREAMS.generator(f"quark {quark}").random((200_000, 4))
    weight = process(u, 0).weight
    batch = process.events(u, 0, STREAMS.generator(f"quark choice {quark}").random((len(u), 2)))
    along = np.where(batch.pdg_ids[:, 0] > 0, 1.0, -1.0)
    gap = batch.momenta[:, 2, 3] / batch.momenta[:, 2, 0] - batch.momenta[:, 3, 3] / batch.momenta[:, 3, 0]
    # rapidity of l- minus that of l+ has the sign of cos theta*
    rapidity = [np.arctanh(batch.momenta[:, i, 3] / batch.momenta[:, i, 0]) for i in (2, 3)]
    sign = np.sign(rapidity[0] - rapidity[1]) * along
    assert np.array_equal(np.sign(gap), np.sign(rapidity[0] - rapidity[1]))
    asymmetry = float((weight * sign).sum() / weight.sum())
    error = float(np.sqrt((weight**2 * (sign - asymmetry) ** 2).sum()) / weight.sum())
    equal, opposite = helicities(200.0**2, quark, [(91.188, 2.441404)])
    assert abs(asymmetry - 0.75 * (equal - opposite) / (equal + opposite)) < 4 * error


def _events(process: DrellYan, n: int = 20_000, channel: int = 0) -> EventBatch:
    u = STREAMS.generator("events", channel).random((n, 4))
    return process.events(u, channel, STREAMS.generator("events choice", channel).random((n, 2)))


def test_events_conserve_momentum_charge_and_colour(pdf: GridPdf) -> None:
    batch = _events(DrellYan(pdf=pdf, lepton="mu"))
    total = batch.momenta[:, :2].sum(axis=1) - batch.momenta[:, 2:].sum(axis=1)
    np.testing.assert_allclose(total, 0.0, atol=1e-8)
    mass2 = batch.momenta[..., 0] ** 2 - (batch.momenta[..., 1:] ** 2).sum(axis=-1)
    assert np.abs(mass2).max() < 1e-8 * batch.momenta[..., 0].max() ** 2
    assert (batch.momenta[:, 0, 3] > 0).all()
    assert (batch.momenta[:, 1, 3] < 0).all()
    assert (batch.pdg_ids[:, 0] == -batch.pdg_ids[:, 1]).all()
    assert (batch.pdg_ids[:, 2:] == [13, -13]).all()
    quark_first = batch.pdg_ids[:, 0] > 0
    assert (batch.colours[quark_first, 0] == [501, 0]).all()
    assert (batch.colours[quark_first, 1] == [0, 501]).all()
    assert (batch.colours[~quark_first, 0] == [0, 501]).all()
    assert (batch.colours[~quark_first, 1] == [501, 0]).all()
    assert (batch.colours[:, 2:] == 0).all()
    pair = batch.momenta[:, 2:].sum(axis=1)
    mass = np.sqrt(pair[:, 0] ** 2 - (pair[:, 1:] ** 2).sum(axis=1))
    np.testing.assert_allclose(batch.scale, mass, rtol=1e-9)
    assert mass.min() > 66
    assert mass.max() < 116
    assert set(np.unique(batch.process_id)) <= set(range(1, 9))


def test_through_survey_and_integration(pdf: GridPdf, pair_oracle: Any) -> None:
    """The Z' with VEGAS maps in three channels to 0.2%, and its events as a parton shower would take them."""
    process = DrellYan(pdf=pdf, mll=(50.0, 800.0), zprime=ZPrime())
    oracle = pair_oracle(pdf)
    oracle.heavy = [*oracle.heavy, (400.0, 0.5)]
    found = survey(process, 120_000, STREAMS)
    result = integrate(process, found.sampler, 200_000, 10, STREAMS)
    assert result.error < 2e-3 * result.mean
    assert abs(result.mean - oracle.integral(50.0, 800.0)) < 4 * result.error
    for channel in range(3):
        check_batch(_events(process, channel=channel))


def test_events_name_their_subprocess(pdf: GridPdf) -> None:
    process = DrellYan(pdf=pdf)
    batch = _events(process, 5000)
    names = {1: "d", 2: "u", 3: "s", 4: "c"}
    for first, index in zip(batch.pdg_ids[:, 0], batch.process_id, strict=True):
        quark = names[abs(int(first))]
        expected = f"{quark} {quark}~" if first > 0 else f"{quark}~ {quark}"
        assert process.subprocesses[int(index)] == f"{expected} > e- e+"


def test_flavour_shares_of_events(pdf: GridPdf, pair_oracle: Any) -> None:
    process = DrellYan(pdf=pdf)
    u = STREAMS.generator("shares").random((200_000, 4))
    weight = process(u, 0).weight
    batch = process.events(u, 0, STREAMS.generator("shares choice").random((len(u), 2)))
    total = pair_oracle(pdf).integral(66.0, 116.0)
    for quark in (1, 2, 3, 4):
        chosen = np.abs(batch.pdg_ids[:, 0]) == quark
        share = float(weight[chosen].sum() / weight.sum())
        error = float(np.sqrt((weight**2 * (chosen - share) ** 2).sum()) / weight.sum())
        assert abs(share - pair_oracle(pdf, (quark,)).integral(66.0, 116.0) / total) < 4 * error


def test_every_point_lies_inside_the_cuts(pdf: GridPdf) -> None:
    process = DrellYan(pdf=pdf, mll=(30.0, 500.0), pt_min=12.0, eta_max=2.1, dr_min=3.4)
    for channel in range(process.channels):
        batch = _events(process, channel=channel)
        p = batch.momenta[:, 2:]
        pt = np.hypot(p[..., 1], p[..., 2])
        eta = np.arcsinh(p[..., 3] / pt)
        phi = np.arctan2(p[..., 2], p[..., 1])
        separation = np.abs((phi[:, 0] - phi[:, 1] + np.pi) % (2 * np.pi) - np.pi)
        assert pt.min() > 12.0 - 1e-6
        assert np.abs(eta).max() < 2.1 + 1e-9
        assert np.hypot(separation, eta[:, 0] - eta[:, 1]).min() > 3.4 - 1e-9


def test_distance_cut_against_rejection(pdf: GridPdf) -> None:
    """The limits that dR > 3.6 puts on cos theta, against dropping points of the process without that cut."""
    settings: dict[str, Any] = {"pdf": pdf, "eta_max": 2.4, "pt_min": 5.0}
    mean, error = estimate(DrellYan(**settings, dr_min=3.6), 200_000, "distance")
    process = DrellYan(**settings)
    u = STREAMS.generator("rejection").random((400_000, 4))
    p = process.events(u, 0, u[:, :2]).momenta[:, 2:]
    eta = np.arcsinh(p[..., 3] / np.hypot(p[..., 1], p[..., 2]))
    weight = process(u, 0).weight * (np.hypot(math.pi, eta[:, 0] - eta[:, 1]) > 3.6)
    reference, spread = float(weight.mean()), float(weight.std()) / math.sqrt(len(weight))
    assert abs(mean - reference) < 4 * math.hypot(error, spread)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mll": (116.0, 66.0)}, "mll"),
        ({"mll": (66.0, 116.0), "pt_min": 60.0}, "pt_min"),
        ({"mll": (0.0, 100.0)}, "mll"),
        ({"mll": (200.0, 300.0), "cms_energy": 150.0}, "150"),
        ({"eta_max": 1.0, "dr_min": 5.0}, "dr_min"),
        ({"eta_max": -1.0}, "eta_max"),
        ({"flavours": (1, 6)}, "flavours"),
        ({"flavours": (1, 1)}, "flavours"),
        ({"lepton": "muon"}, "did you mean 'mu'"),
        ({"cms_energy": float("nan")}, "cms_energy"),
        ({"pdf": "bultin"}, "did you mean 'builtin'"),
        ({"scale": 0.0}, "scale"),
    ],
)
def test_mistakes(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        DrellYan(**settings)


def test_z_prime_mistakes() -> None:
    with pytest.raises(UserError, match="width"):
        ZPrime(width=0.0)


def test_fixed_scale(pdf: GridPdf) -> None:
    u = STREAMS.generator("scale").random((100, 4))
    process = DrellYan(pdf=pdf, scale=91.188)
    assert (process.events(u, 0, u[:, :2]).scale == 91.188).all()
    assert not np.allclose(process(u, 0).weight, DrellYan(pdf=pdf)(u, 0).weight, rtol=1e-6)


def test_description(pdf: GridPdf) -> None:
    process = DrellYan(pdf=pdf)
    assert "13000 GeV" in process.describe()
    assert pdf.name in process.describe()
    assert process.beams == (2212, 2212)
    assert process.energies == (6500.0, 6500.0)
