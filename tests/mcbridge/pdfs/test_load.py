"""Finding and reading sets: interpolation, edges, and files that are wrong."""

from __future__ import annotations

import logging
import math
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.pdfs import Pdf, available_sets, load_pdf

X_KNOTS = np.concatenate([np.geomspace(1e-5, 0.1, 25), np.linspace(0.15, 1.0, 18)])
Q_KNOTS = np.geomspace(2.0, 1000.0, 12)
ALPHAS = "AlphaS_Qs: [2.0, 10.0, 91.0, 400.0, 1000.0]\nAlphaS_Vals: [0.30, 0.18, 0.12, 0.10, 0.09]\n"


def density(pid: int, x: np.ndarray, q: float) -> np.ndarray:
    return np.asarray(x ** (-0.1 * math.log(q)) * (1 - x) ** 3 * (1 + 0.1 * pid))


def write_set(folder: Path, name: str = "Toy", info: str = ALPHAS, end: str = "---\n") -> Path:
    target = folder / name
    target.mkdir(parents=True)
    lines = ["PdfType: central", "Format: lhagrid1", "---"]
    lines += [" ".join(f"{x:.8e}" for x in X_KNOTS), " ".join(f"{q:.8e}" for q in Q_KNOTS), "-1 1 2 21"]
    for x in X_KNOTS:
        for q in Q_KNOTS:
            lines.append(" ".join(f"{density(pid, x, q):.8e}" for pid in (-1, 1, 2, 21)))
    (target / f"{name}_0000.dat").write_text("\n".join(lines) + "\n" + end)
    (target / f"{name}.info").write_text(f"SetIndex: 4242\nNumMembers: 1\nFormat: lhagrid1\n{info}")
    return target


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pdf:
    write_set(tmp_path)
    monkeypatch.setenv("LHAPDF_DATA_PATH", f"/nowhere:{tmp_path}")
    return load_pdf("Toy")


def test_knots_and_between(toy: Pdf) -> None:
    for q in (Q_KNOTS[3], 77.0):
        exact = q == Q_KNOTS[3]
        x = X_KNOTS[2:-3] if exact else np.geomspace(3e-5, 0.6, 50)
        values = toy.xfx([1, 21], x, q)
        assert values.shape == (len(x), 2)
        for column, pid in enumerate((1, 21)):
            np.testing.assert_allclose(values[:, column], density(pid, x, q), rtol=1e-6 if exact else 5e-3)


def test_one_flavour_and_broadcasting(toy: Pdf) -> None:
    x = np.array([0.01, 0.1, 0.3])
    assert toy.xfx(2, x, 50.0).shape == (3,)
    assert toy.xfx(2, 0.1, [10.0, 50.0]).shape == (2,)
    np.testing.assert_array_equal(toy.xfx(2, x, 50.0), toy.xfx((2,), x, [50.0] * 3)[:, 0])
    assert toy.xfx([1, 2], np.empty(0), 50.0).shape == (0, 2)


def test_flavours_that_the_set_does_not_hold_vanish(toy: Pdf) -> None:
    values = toy.xfx([5, 1, -4], [0.1, 0.2], 50.0)
    assert (values[:, 0] == 0).all()
    assert (values[:, 2] == 0).all()
    assert (values[:, 1] > 0).all()
    assert (toy.xfx(5, [0.1], 50.0) == 0).all()


def test_frozen_outside_the_grid(toy: Pdf) -> None:
    inside = toy.xfx(1, [1e-5, 0.1, 0.1], [50.0, 2.0, 1000.0])
    np.testing.assert_allclose(toy.xfx(1, [1e-9, 0.1, 0.1], [50.0, 0.1, 1e6]), inside, rtol=1e-6)
    assert (toy.xfx([1, 21], [1.0, 1.5], 50.0) == 0).all()


def test_alpha_s(toy: Pdf) -> None:
    np.testing.assert_allclose(toy.alpha_s([2.0, 10.0, 91.0, 1000.0]), [0.30, 0.18, 0.12, 0.09], rtol=1e-6)
    np.testing.assert_allclose(toy.alpha_s([0.5, 1e5]), [0.30, 0.09], rtol=1e-6)
    assert 0.12 < toy.alpha_s(50.0)[0] < 0.18


def test_names(toy: Pdf) -> None:
    assert toy.name == "Toy"
    assert toy.lhapdf_id == 4242
    assert set(toy.flavours) == {-1, 1, 2, 21}
    assert "Toy" in toy.describe()
    assert isinstance(toy, Pdf)
    assert set(available_sets()) >= {"builtin", "Toy"}


def test_pickle(toy: Pdf) -> None:
    copy = pickle.loads(pickle.dumps(toy))
    np.testing.assert_array_equal(copy.xfx(1, [0.1], 50.0), toy.xfx(1, [0.1], 50.0))


def test_search_path_of_the_lhapdf_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_set(tmp_path, "Installed")
    module = types.ModuleType("lhapdf")
    module.paths = lambda: [str(tmp_path)]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "lhapdf", module)
    monkeypatch.delenv("LHAPDF_DATA_PATH", raising=False)
    assert load_pdf("Installed").lhapdf_id == 4242


def test_without_a_table_of_alpha_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_set(tmp_path, info="AlphaS_MZ: 0.118\nMZ: 91.1876\n")
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        pdf = load_pdf("Toy")
    assert "alpha_s" in caplog.text
    assert pdf.alpha_s(91.1876)[0] == pytest.approx(0.118)
    assert pdf.alpha_s(1000.0)[0] < 0.118


def test_unknown_set(toy: Pdf) -> None:
    with pytest.raises(UserError, match=r"there is no set 'Toi'; found: builtin, .*Toy.*did you mean 'Toy'"):
        load_pdf("Toi")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[: len(text) // 2], "cut short"),
        (lambda text: text.replace("lhagrid1", "lhagrid9"), "lhagrid1"),
        (lambda text: text.replace("-1 1 2 21\n", "-1 1 2\n"), "3 values"),
        (lambda text: text.replace("-1 1 2 21\n", "-1 1 2 21\n1 2 3 4\n"), "lines of values"),
        (lambda text: text.replace("-1 1 2 21\n", "up down\n"), "three lines"),
    ],
)
def test_wrong_grids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: object, words: str) -> None:
    grid = write_set(tmp_path) / "Toy_0000.dat"
    grid.write_text(change(grid.read_text()))  # type: ignore[operator]
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    with pytest.raises(UserError, match=words):
        load_pdf("Toy")


def test_missing_member(toy: Pdf) -> None:
    with pytest.raises(UserError, match=r"Toy_0007\.dat cannot be read"):
        load_pdf("Toy", member=7)


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ("AlphaS_Qs: [1, 2]\nAlphaS_Vals: [0.3]\n", "same length"),
        ("broken: [1, 2\n", "cannot be read"),
        ("SetIndex: word\n", "SetIndex"),
        ("AlphaS_Qs: [a, b]\nAlphaS_Vals: [c, d]\n", "AlphaS_Qs"),
    ],
)
def test_wrong_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: str, words: str) -> None:
    write_set(tmp_path, info=info)
    monkeypatch.setenv("LHAPDF_DATA_PATH", str(tmp_path))
    with pytest.raises(UserError, match=words):
        load_pdf("Toy")
