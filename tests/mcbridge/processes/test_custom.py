"""A user's amplitude against closed forms and against the processes that the project has of its own."""

from __future__ import annotations

import math
import pickle
from typing import Any

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError, UserError
from mcbridge.events import check_batch
from mcbridge.pdfs import load_pdf
from mcbridge.processes.custom import CustomProcess
from mcbridge.processes.cuts import Cuts
from mcbridge.random import Streams

STREAMS = Streams(20260712)
PB = 0.3893793721e9
E2 = 0.094835522759998875


def ones(momenta: Any) -> Any:
    return momenta[:, 0, 0] * 0 + 1.0


def photon(momenta: np.ndarray) -> np.ndarray:
    """q qbar -> gamma -> l- l+ for charge 2/3: e^4 (4/9) (1/3) 2 (t^2 + u^2)/s^2."""

    def dot(i: int, j: int) -> np.ndarray:
        a, b = momenta[:, i], momenta[:, j]
        return np.asarray(a[:, 0] * b[:, 0] - (a[:, 1:] * b[:, 1:]).sum(axis=1))

    s, t, u = 2 * dot(0, 1), -2 * dot(0, 2), -2 * dot(0, 3)
    return np.asarray(E2**2 * (4 / 9) / 3 * 2 * (t**2 + u**2) / s**2)


def lopsided(momenta: np.ndarray) -> np.ndarray:
    """Large where the first outgoing particle follows the first incoming one."""
    t = momenta[:, 0, 0] * momenta[:, 2, 0] - (momenta[:, 0, 1:] * momenta[:, 2, 1:]).sum(axis=1)
    s = momenta[:, 0, 0] * momenta[:, 1, 0] - (momenta[:, 0, 1:] * momenta[:, 1, 1:]).sum(axis=1)
    return np.asarray((1 - t / s) ** 2)


def estimate(process: Any, n: int, purpose: str) -> tuple[float, float]:
    values = [
        process(STREAMS.generator(purpose, chunk=chunk).random((min(n, 100_000), process.dim)), 0).weight
        for chunk in range(math.ceil(n / 100_000))
    ]
    weights = np.concatenate(values)
    return float(weights.mean()), float(weights.std()) / math.sqrt(len(weights))


def volume(n: int, s: float) -> float:
    """n-body phase space of massless particles [GeV^(2n-4)]."""
    flat = (math.pi / 2) ** (n - 1) * s ** (n - 2) / math.factorial(n - 1) / math.factorial(n - 2)
    return flat * (2 * math.pi) ** (4 - 3 * n)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_constant_amplitude_at_fixed_energy(n: int) -> None:
    process = CustomProcess(ones, (11, -11), [13, -13, 22, 23][:n], 200.0)
    assert process.dim == 3 * n - 4
    mean, error = estimate(process, 100_000, f"flat {n}")
    expected = volume(n, 200.0**2) / (2 * 200.0**2) * PB
    assert abs(mean - expected) < 4 * error + 1e-9 * expected


def test_massive_pair() -> None:
    process = CustomProcess(ones, (11, -11), (6, -6), 500.0, masses=(173.0, 173.0))
    mean, error = estimate(process, 50_000, "massive")
    expected = math.sqrt(1 - 4 * 173.0**2 / 500.0**2) / (8 * math.pi) / (2 * 500.0**2) * PB
    assert abs(mean - expected) < 4 * error + 1e-6 * expected
    batch = process.events(STREAMS.generator("top").random((100, 2)), 0, np.full((100, 2), 0.5))
    p = batch.momenta[:, 2:]
    np.testing.assert_allclose(np.sqrt(p[..., 0] ** 2 - (p[..., 1:] ** 2).sum(axis=-1)), 173.0, rtol=1e-6)
    check_batch(batch)


def test_identical_particles() -> None:
    single = CustomProcess(ones, (21, 21), (21, 21, 21), 300.0)
    assert single.identical == 6.0
    assert CustomProcess(ones, (21, 21), (21, 21, 21), 300.0, identical=1.0).identical == 1.0
    mean, error = estimate(single, 50_000, "identical")
    expected = volume(3, 300.0**2) / (2 * 300.0**2) * PB / 6
    assert abs(mean - expected) < 4 * error + 1e-9 * expected


def test_photon_exchange_in_proton_collisions(pair_oracle: Any) -> None:
    """u ubar -> gamma -> l- l+ above 500 GeV, against quadrature of the same PDFs."""
    pdf = load_pdf("builtin")
    cuts = Cuts(mass_min=500.0, mass_max=4000.0)
    process = CustomProcess(photon, (2, -2), (11, -11), 13000.0, pdf=pdf, cuts=cuts)
    assert len(process.subprocesses) == 2
    oracle = pair_oracle(pdf, (2,))
    oracle.heavy = []
    mean, error = estimate(process, 1_500_000, "photon")
    assert error < 6e-3 * mean
    assert abs(mean - oracle.integral(500.0, 4000.0)) < 4 * error


def test_both_maps_agree() -> None:
    pdf = load_pdf("builtin")
    cuts = Cuts(pt_min=30.0, eta_max=2.5, dr_min=0.7)

    def falling(momenta: np.ndarray) -> np.ndarray:
        return np.asarray(1e4 / np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2]).prod(axis=1) ** 2)

    figures = [
        estimate(
            CustomProcess(falling, (21, 21), (21, 21, 21), 13000.0, pdf=pdf, cuts=cuts, mapping=name, scale=91.0),
            300_000,
            name,
        )
        for name in ("rambo", "chili")
    ]
    (one, error_one), (two, error_two) = figures
    assert error_two < 0.02 * two
    assert abs(one - two) < 4 * math.hypot(error_one, error_two)


def test_amplitude_sees_its_own_beam_order() -> None:
    """An amplitude that follows the quark: the lepton goes along the quark of the event, whichever beam it is in."""
    colours = [[501, 0], [0, 501], [0, 0], [0, 0]]
    cuts = Cuts(mass_min=300.0)
    process = CustomProcess(lopsided, (2, -2), (11, -11), 13000.0, pdf="builtin", cuts=cuts, colours=colours)
    u = STREAMS.generator("order").random((50_000, process.dim))
    weight = process(u, 0).weight
    kept = weight > 0
    batch = process.events(u[kept], 0, STREAMS.generator("order choice").random((int(kept.sum()), 2)))
    quark = np.where(batch.pdg_ids[:, 0] == 2, 1.0, -1.0)
    p = batch.momenta
    rapidity = np.arctanh(p[:, 2, 3] / p[:, 2, 0]) - np.arctanh(p[:, 3, 3] / p[:, 3, 0])
    asymmetry = float((weight[kept] * np.sign(rapidity) * quark).sum() / weight[kept].sum())
    # |M|^2 ~ ((1 + cos)/2)^2 gives (7 - 1)/8
    assert asymmetry == pytest.approx(0.75, abs=0.03)
    swapped = quark < 0
    assert float(weight[kept][swapped].sum() / weight.sum()) == pytest.approx(0.5, abs=0.02)
    assert (batch.colours[swapped, 0] == [0, 501]).all()
    assert (batch.colours[swapped, 1] == [501, 0]).all()
    assert (batch.colours[~swapped, 0] == [501, 0]).all()
    total = p[:, :2].sum(axis=1) - p[:, 2:].sum(axis=1)
    assert np.abs(total).max() < 1e-6 * p[..., 0].max()


@pytest.mark.parametrize(
    ("incoming", "outgoing", "colours"),
    [
        ((2, -2), (11, -11), None),
        ([(1, -1), (-3, 3)], (13, -13), None),
        ((21, 21), (25, 25), None),
        ((21, 21), (21, 21), [[501, 502], [503, 501], [503, 504], [504, 502]]),
    ],
)
def test_events_pass_the_check(incoming: Any, outgoing: tuple[int, ...], colours: Any) -> None:
    cuts = Cuts(pt_min=100.0)
    process = CustomProcess(lopsided, incoming, outgoing, 13000.0, pdf="builtin", cuts=cuts, colours=colours)
    u = STREAMS.generator("check").random((2000, process.dim))
    u = u[process(u, 0).weight > 0]
    batch = process.events(u, 0, STREAMS.generator("check choice").random((len(u), 2)))
    check_batch(batch)
    assert (batch.alpha_s > 0).all()


def test_events_without_colours() -> None:
    process = CustomProcess(lopsided, (2, -2), (21, 21), 13000.0, pdf="builtin", cuts=Cuts(pt_min=100.0))
    with pytest.raises(UserError, match="colours"):
        process.events(np.full((1, 4), 0.5), 0, np.full((1, 2), 0.5))


def test_torch_amplitude() -> None:
    torch = pytest.importorskip("torch")

    def amplitude(momenta: Any) -> Any:
        assert isinstance(momenta, torch.Tensor)
        return (momenta[:, 2, 1:].norm(dim=1) / 100).requires_grad_()

    process = CustomProcess(amplitude, (11, -11), (13, -13), 200.0, convert=torch.from_numpy)
    mean, error = estimate(process, 1000, "torch")
    assert abs(mean - volume(2, 200.0**2) / (2 * 200.0**2) * PB) < 4 * error + 1e-6 * mean


def test_amplitude_is_called_inside_the_cuts_only() -> None:
    seen: list[float] = []

    def amplitude(momenta: np.ndarray) -> np.ndarray:
        seen.append(float(np.hypot(momenta[:, 2:, 1], momenta[:, 2:, 2]).min()))
        return np.ones(len(momenta))

    process = CustomProcess(
        amplitude, (11, -11), (13, -13, 22), 200.0, cuts=Cuts(pt_min={13: 20.0, -13: 20.0, 22: 20.0})
    )
    assert estimate(process, 5000, "inside")[0] > 0
    assert min(seen) >= 20.0


def test_wrong_shape() -> None:
    process = CustomProcess(lambda momenta: np.ones((len(momenta), 2)), (11, -11), (13, -13), 200.0)
    with pytest.raises(AmplitudeError, match=r"shape \(10, 2\)"):
        process(STREAMS.generator("shape").random((10, 2)), 0)


def test_pickle() -> None:
    process = CustomProcess(lopsided, (2, -2), (11, -11), 13000.0, pdf="builtin", cuts=Cuts(mass_min=300.0))
    u = STREAMS.generator("pickle").random((50, process.dim))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(process))(u, 0).weight, process(u, 0).weight)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"amplitude": 3}, "amplitude"),
        ({"outgoing": (13,)}, "outgoing"),
        ({"masses": (1.0,)}, "masses"),
        ({"masses": (150.0, 150.0)}, "300 GeV"),
        ({"mapping": "chili"}, "mapping"),
        ({"mapping": "ramba"}, "did you mean 'rambo'"),
        ({"incoming": (1, 2, 3)}, "incoming"),
        ({"incoming": [(11, -11), (13, -13)]}, "incoming"),
        ({"pdf": "builtin", "incoming": (11, -11)}, "parton"),
        ({"cuts": Cuts(pt_min=120.0)}, "240 GeV"),
        ({"scale": -1.0}, "scale"),
        ({"identical": 0.0}, "identical"),
        ({"colours": [[501, 0]]}, "colours"),
    ],
)
def test_mistakes(settings: dict[str, Any], words: str) -> None:
    defaults: dict[str, Any] = {"amplitude": ones, "incoming": (11, -11), "outgoing": (13, -13), "cms_energy": 200.0}
    with pytest.raises(UserError, match=words):
        CustomProcess(**{**defaults, **settings})
