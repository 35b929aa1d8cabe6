"""The page of a report: stands alone, and in Chromium nothing overlaps at any width in either colour scheme."""

from __future__ import annotations

import html as escaping
import json
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from mcbridge.errors import UserError
from plugin.card import Card
from plugin.report.document import Number, Panel, Plot, Report, Section, Series, Table
from plugin.report.pieces import calibration_plot, calibration_table, iteration_plot, training_plot, weight_histogram
from plugin.report.pieces import weight_plots as plots_of_weights
from plugin.report.render import html, write_report
from plugin.report.run import report_of_folder
from plugin.run import run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WIDTHS = (360, 820, 1440)

PROBE = """
<script>
addEventListener("load", () => {
  const found = {};
  for (const frame of document.querySelectorAll("iframe")) {
    const page = frame.contentDocument, view = frame.contentWindow, overlaps = [];
    for (const svg of page.querySelectorAll("figure > svg")) {
      const texts = [...svg.querySelectorAll("text")].filter(
        t => !(t.getAttribute("transform") || "").includes("-35")).map(t => [t.textContent, t.getBoundingClientRect()]);
      for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
        const a = texts[i][1], b = texts[j][1];
        if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 2) overlaps.push([texts[i][0], texts[j][0]]);
      }
    }
    found[frame.width] = {
      overlaps, wide: page.documentElement.scrollWidth - view.innerWidth,
      heights: [...page.querySelectorAll("figure > svg")].map(s => s.getBoundingClientRect().height),
      background: view.getComputedStyle(page.body).backgroundColor, colour: view.getComputedStyle(page.body).color,
      requests: view.performance.getEntriesByType("resource").map(e => e.name),
    };
  }
  document.body.textContent = "PROBED" + JSON.stringify(found) + "PROBED";
});
</script>
"""


def everything():
    """A report with every kind of table and plot, long names included."""
    generator = np.random.default_rng(1)
    weights = {name: weight_histogram([generator.lognormal(size=5000)]) for name in ("vegas", "flow")}
    ranges = [
        {
            "quantiles": [k / 4, (k + 1) / 4],
            "points": 100.0,
            "raw": {"68": 0.6, "95": 0.9},
            "calibrated": {"68": 0.7, "95": 0.95},
        }
        for k in range(4)
    ]
    calibration = {
        "points": 1e4, "pull_mean": 0.01, "pull_width": 1.1, "warnings": ["a warning"], "by_density": ranges,
        "central": ranges[0], "calibration_factor": {"68": 1.0, "95": 1.1},
    }  # fmt: skip
    looks = [
        {"stage": stage, "step": 100 * k, "loss": 1 / k, "held_out_rsd": 1 / k}
        for k, stage in ((1, "density"), (2, "density"), (3, "fine-tuning"), (4, "fine-tuning"))
    ]
    edges = [0.0, 1.0, 2.0, 3.0]
    bars = Plot(
        "classes", "", [Panel("share", [Series("steps", edges, [0.2, 0.5, 0.3])])], categories=["u u~ > e+ e-"] * 3
    )
    small = Plot(
        "small", "pT(largest <jet>) [GeV]", [Panel("density [1/GeV]", [Series("steps", edges, [1e-9, 3e-9, 2e-9])])]
    )
    section = Section(
        "Everything & more",
        ["A paragraph <with> signs."],
        [calibration_table(calibration), Table("folded", ["", "a"], [["x", Number(1.0, 0.1)]], folded=True)],
        [
            *plots_of_weights(weights), *training_plot(looks), calibration_plot(calibration), bars, small,
            iteration_plot("replicas", {"vegas": [[1.0, 0.1], [1.1, 0.1]], "flow": [[1.0, 0.01], [1.01, 0.01]]}, 1.0),
        ],
    )  # fmt: skip
    return Report(
        "Title <script>alert(1)</script>", "a headline", "bad", "binnis x", [("fact", Number(2.0))], [section]
    )


def small_run(folder):
    settings = {"evaluations": 4000}
    card = Card.model_validate(
        {
            "process": "ee-to-mumu", "events": 400, "sampler": "vegas", "survey": settings, "choice": settings,
            "integration": {"evaluations": 6000, "iterations": 3}, "threads": 1,
        }
    )  # fmt: skip
    return run(card, folder, quiet=True).folder


def check_alone(page):
    assert "<script" not in page
    assert not re.search(r"\b(src|srcset|data)\s*=", page)
    assert "<link" not in page
    assert "@import" not in page
    assert "url(" not in page
    assert not re.search(r"https?://", page.replace("http://www.w3.org/2000/svg", ""))


def test_the_page_stands_alone_and_escapes_what_it_shows():
    page = html(everything())
    check_alone(page)
    assert "Title &lt;script&gt;" in page
    assert page.count("<figure>") == 7
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page


def test_a_run_leaves_a_report_that_can_be_made_again(tmp_path):
    folder = small_run(tmp_path / "out")
    first = (folder / "report.html").read_text()
    check_alone(first)
    for text in (
        "cross section",
        "Iterations",
        "Weights",
        "Calibration" if "replicas" in first else "Events",
        "eta(",
    ):
        assert text in first
    content = json.loads((folder / "report.json").read_text())
    summary = json.loads((folder / "summary.json").read_text())
    assert content["data"]["summary"] == summary
    assert len(content["data"]["integration"]["iterations"]) == 3
    assert sum(content["data"]["integration"]["weights"]["share"]) == pytest.approx(1.0)
    write_report(report_of_folder(folder), folder)
    assert (folder / "report.html").read_text() == first
    (folder / "report.json").unlink()  # without what the run knew, the rest is still there
    again = html(report_of_folder(folder))
    assert "Iterations" not in again
    assert "eta(" in again


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="no folder of a finished run"):
        report_of_folder(tmp_path)
    (tmp_path / "summary.json").write_text("[]")
    with pytest.raises(UserError, match="holds no summary"):
        report_of_folder(tmp_path)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chromium_shows_no_overlap_at_three_widths(tmp_path, scheme):
    pages = {"everything": html(everything()), "run": (small_run(tmp_path / "out") / "report.html").read_text()}
    for name, page in pages.items():
        frames = "".join(
            f'<iframe width="{width}" height="800" srcdoc="{escaping.escape(page)}"></iframe>' for width in WIDTHS
        )
        scheme_of_frames = f"<style>:root, iframe {{ color-scheme: {scheme}; }}</style>"
        (tmp_path / f"{name}.html").write_text(
            f"<html><head>{scheme_of_frames}{PROBE}</head><body>{frames}</body></html>"
        )
        found = probe(tmp_path, tmp_path / f"{name}.html", scheme)
        assert set(found) == {str(width) for width in WIDTHS}
        for width, state in found.items():
            assert state["overlaps"] == [], (name, width)
            assert state["wide"] <= 0, (name, width)
            assert len(state["heights"]) == page.count("<figure>")
            assert min(state["heights"]) > 80
            assert state["requests"] == []
            shades = [sum(map(int, re.findall(r"\d+", state[part])[:3])) for part in ("background", "colour")]
            assert (shades[0] > shades[1]) == (scheme == "light"), (name, width)


def probe(folder, page, scheme):
    """What the script of a page found."""
    done = subprocess.run(
        [
            CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", "--window-size=1600,1000",
            "--dump-dom", page.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, env={**os.environ, "HOME": str(folder)},
    )  # fmt: skip
    assert done.stdout.count("PROBED") == 4, done.stderr[-2000:]  # twice in the script itself
    return json.loads(escaping.unescape(done.stdout.rsplit("PROBED", 2)[1]))
