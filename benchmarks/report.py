"""What a report costs: drawing and size of a plot here and with matplotlib, and of the page of a run."""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.table import print_table, store
from plugin.card import load_card, override
from plugin.report.document import Panel, Plot, Series
from plugin.report.figures import draw
from plugin.report.render import html
from plugin.report.run import report_of_folder
from plugin.run import run as run_card

__all__ = ["add_arguments", "run"]

_BINS = 40


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--repetitions", type=int, default=9, help="the median is printed [9]")


def ratio_plot() -> Plot:
    """A distribution with its ratio, as in a validation."""
    edges = np.linspace(0.0, 10.0, _BINS + 1).tolist()
    middle = np.linspace(0.1, 9.9, _BINS).tolist()
    values, error = np.linspace(1.0, 2.0, _BINS).tolist(), [0.05] * _BINS
    return Plot(
        "density",
        "m [GeV]",
        [
            Panel(
                "density", [Series("steps", edges, values, label="a"), Series("points", middle, values, error, "b", 2)]
            ),
            Panel("ratio", [Series("band", edges, [1.0] * _BINS, error), Series("points", middle, values, error)]),
        ],
    )


def matplotlib_plot() -> str:
    """The same with mplhep's style as SVG."""
    import mplhep
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    edges, values, error = np.linspace(0.0, 10.0, _BINS + 1), np.linspace(1.0, 2.0, _BINS), np.full(_BINS, 0.05)
    stream = io.StringIO()
    with rc_context({**mplhep.style.ATLAS, "font.sans-serif": ["DejaVu Sans"], "svg.fonttype": "none"}):
        figure = Figure(figsize=(4.6, 4.0))
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.stairs(values, edges, label="a")
        upper.errorbar(0.5 * (edges[1:] + edges[:-1]), values, error, fmt="o", label="b")
        upper.legend()
        lower.stairs(1.0 + error, edges, baseline=1.0 - error, fill=True, alpha=0.3)
        lower.errorbar(0.5 * (edges[1:] + edges[:-1]), values, error, fmt="o")
        figure.savefig(stream, format="svg")
    return stream.getvalue()


def run(arguments: argparse.Namespace) -> None:
    """Measure and print one table."""
    plot = ratio_plot()
    rows = []
    with TemporaryDirectory() as folder:
        card = override(load_card(Path(__file__).parents[1] / "examples" / "drell_yan.yaml"), sampler="vegas")
        made = run_card(card, Path(folder) / "run", quiet=True).folder
        for name, work in (
            ("plot, here", lambda: draw(plot)),
            ("plot, matplotlib", matplotlib_plot),
            ("page of a run with 10,000 events", lambda: html(report_of_folder(made))),
        ):
            work()
            seconds, text = [], ""
            for _ in range(arguments.repetitions):
                start = time.process_time()
                text = work()
                seconds.append(time.process_time() - start)
            rows.append([name, 1e3 * median(seconds), len(text.encode()) / 1e3])
    print_table("cost of a report", ["what", "CPU time [ms]", "size [kB]"], rows)
    store(arguments.json, {row[0]: {"milliseconds": row[1], "kilobytes": row[2]} for row in rows})
