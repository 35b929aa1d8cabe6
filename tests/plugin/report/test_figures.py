"""Plots and axes: what is drawn lies where it should, in the colours of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from plugin.report.axes import Axis
from plugin.report.document import Number, Panel, Plot, Report, Series, format_number
from plugin.report.figures import draw

SVG = "{http://www.w3.org/2000/svg}"


def plot(**changes):
    steps = Series("steps", [0.0, 1.0, 2.0], [3.0, 1.0], [0.5, 0.3], "histogram", 1)
    points = Series("points", [0.5, 1.5], [2.5, None], [0.5, None], "points", 2)
    band = Series("band", [0.0, 1.0, 2.0], [1.0, 1.0], [0.1, 0.2], colour=4)
    entries = {"title": "A < B", "x": "m [GeV]", "panels": [Panel("density", [steps, points]), Panel("ratio", [band])]}
    return Plot(**{**entries, **changes})


def test_a_plot_is_well_formed_and_takes_all_colours_from_the_page():
    text = draw(plot())
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == "A < B"
    assert not re.search(r"#[0-9a-fA-F]{3,6}\b|rgb\(", text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert " id=" not in text  # nothing that two plots of a page could have in common
    assert set(re.findall(r"var\((--c\d)\)", text)) == {"--c0", "--c1", "--c2", "--c4"}
    labels = [entry.text for entry in root.iter(f"{SVG}text")]
    assert {"density", "ratio", "m [GeV]", "histogram", "points", "0.0", "2.0"} <= set(labels)


def test_data_lie_where_the_axes_say():
    root = ElementTree.fromstring(
        draw(plot(panels=[Panel("y", [Series("line", [0.0, 2.0], [1.0, 3.0])], limits=(0, 4))]))
    )
    frame = next(root.iter(f"{SVG}rect"))
    left, top, width, height = (float(frame.get(name)) for name in ("x", "y", "width", "height"))
    path = next(entry for entry in root.iter(f"{SVG}path") if entry.get("stroke-linejoin"))
    numbers = [float(v) for v in re.findall(r"-?[\d.]+", path.get("d"))]
    margin = 0.03 / 1.06 * width
    expected = [left + margin, top + 0.75 * height, left + width - margin, top + 0.25 * height]
    assert numbers == pytest.approx(expected, abs=0.1)


def test_labels_stay_within_the_picture():
    for low, high in ((0.0, 1e-7), (-3.2e5, 4.1e6), (0.99999, 1.00001), (66.0, 116.0)):
        edges = [low + (high - low) * k / 5 for k in range(6)]
        root = ElementTree.fromstring(
            draw(plot(panels=[Panel("y", [Series("steps", edges, [1.0, 2.0, 3.0, 2.0, 1.0])])]))
        )
        width = float(root.get("viewBox").split()[2])
        for entry in root.iter(f"{SVG}text"):
            x, size = float(entry.get("x")), 6.4 * len(entry.text)
            start = {"start": x, "middle": x - size / 2, "end": x - size}[entry.get("text-anchor")]
            if not entry.get("transform"):
                assert start > -1.0, entry.text
                assert start + size < width + 2.0, entry.text


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (0.0, 1.0, False, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-2.1, 2.1, False, ["\N{MINUS SIGN}2", "\N{MINUS SIGN}1", "0", "1", "2"]),
        (0.9, 1.1, False, ["0.90", "0.95", "1.00", "1.05", "1.10"]),
        (0.5, 200.0, True, ["1", "10", "100"]),
        (1e-8, 1.0, True, ["10⁻⁸", "10⁻⁶", "10⁻⁴", "0.01", "1"]),
    ],
)
def test_ticks_are_round_numbers(low, high, log, texts):
    axis = Axis(low, high, 0.0, 100.0, log)
    major, minor = axis.ticks(5)
    assert axis.labels(major)[0] == texts
    assert all(axis.inside(value) for value in minor)
    assert axis(low) == pytest.approx(0.0)
    assert axis(high) == pytest.approx(100.0)


def test_small_numbers_share_a_factor():
    texts, factor = Axis(0.0, 4e-5, 0, 1).labels([0.0, 2e-5, 4e-5])
    assert texts == ["0", "2", "4"]
    assert factor == "\N{MULTIPLICATION SIGN}10⁻⁵"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        ((1324.1662, 0.1123), "1324.17 ± 0.11"),
        ((0.97301, 0.0011), "0.9730 ± 0.0011"),
        ((1.32e9, 2.1e6), "(1.3200 ± 0.0021)e+9"),
        ((650000.0, None), "650,000"),
        ((0.03793, None), "0.03793"),
        ((9999.6, None), "10,000"),
        ((None, None), "\N{EN DASH}"),
        ((float("inf"), None), "\N{EN DASH}"),
        ((0.0, 0.012), "0.000 ± 0.012"),
    ],
)
def test_numbers_are_written_with_two_digits_of_their_error(number, text):
    assert format_number(*number) == text
    assert str(Number(*number)) == text


def test_a_report_survives_json_with_numbers_that_are_not_finite():
    report = Report("t", "h", "good", "c", [("x", Number(float("nan"), 1.0))])
    assert report.as_json()["facts"] == [["x", {"value": None, "error": 1.0, "unit": ""}]]


def test_a_plot_without_data_is_empty_and_not_broken():
    for log in (False, True):
        empty = Panel("y", [Series("steps", [0.0, 1.0], [None])], log=log)
        assert ElementTree.fromstring(draw(plot(panels=[empty]))) is not None
