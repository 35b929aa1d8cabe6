"""`binnis annotate` where the exact density is known: coverage of its band on Drell-Yan events, and its speed.

Events of a run are annotated as if nothing were known of them. Fresh points of the process have the exact density of
phase space ``f/I``; with the derivatives of the coordinates by the random numbers of the process it is compared with
the replicas, as in a run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import print_table, store
from mcbridge.integrands import Array
from mcbridge.lhe import read
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.uncertainties import Calibration, calibrate_pulls
from plugin.annotate import Annotation, LearnConfig, annotate
from plugin.annotate.learn import GroupDensity
from plugin.card import Card
from plugin.run import run as run_card
from plugin.run.process import build_process

__all__ = ["Compared", "add_arguments", "compare", "exact_pulls", "run"]

_STEP = 1e-6  # of the numerical derivatives


@dataclass(frozen=True)
class Compared:
    """An annotated Drell-Yan file against the exact density.

    Attributes:
        annotation: what was done.
        calibration: coverage and pulls on exact points.
        speed: events a second whose replica weights are found, without reading and writing.
        run_sigma, sigma: ``sigma_stat`` of the events by the run itself (None where it has none) and by annotate.
        mass: (n,), of the lepton pairs [GeV].
    """

    annotation: Annotation
    calibration: Calibration
    speed: float
    run_sigma: Array | None
    sigma: Array
    mass: Array


def _final(process: Any, u: Array) -> Array:
    """Momenta (n, 2, 4) of positron and electron."""
    batch = process.events(u, 0, np.full((len(u), 2), 0.3))
    order = np.argsort(batch.pdg_ids[:, 2:], axis=1)
    found: Array = np.take_along_axis(batch.momenta[:, 2:], order[:, :, None], axis=1)
    return found


def exact_pulls(density: GroupDensity, process: Any, sampler: Sampler, n: int) -> tuple[Array, Array, Array, Array]:
    """Pull, logarithm of the exact density, sigma_log, and share of the cross section of fresh points."""
    u, drawn = sampler.draw(0, n, Streams(99).generator("exact"))
    weight = process(u, 0).weight
    kept = (weight > 0.0) & np.all((u > 1e-5) & (u < 1.0 - 1e-5), axis=1)
    integral = float(np.sum(weight / drawn)) / n
    u, drawn, weight = u[kept], drawn[kept], weight[kept]
    masses = np.zeros((len(u), 2))

    def place(points: Array) -> Array:
        return density.chart(density.coordinates(_final(process, points), masses))[0]

    centre, columns = place(u), []
    for axis in range(process.dim):
        if axis in process.periodic:  # the azimuth of the event: no coordinate, and uniform
            continue
        moved = u.copy()
        moved[:, axis] += _STEP
        columns.append((place(moved) - centre) / _STEP)
    size = np.abs(np.linalg.det(np.stack(columns, axis=-1)))
    inside = size > 1e-9  # outside the chart nothing moves
    truth = np.log(weight[inside] / integral / size[inside])
    found, _ = density(_final(process, u[inside]), masses[inside])
    share = (weight / drawn)[inside]
    sigma = found.sigma_log
    return (np.log(found.mean) - truth) / sigma, truth, sigma, share / np.sum(share)


def compare(events: int, folder: Path, sampler: str = "vegas", seed: int = 1, points: int = 50_000) -> Compared:
    """Make events, annotate them, compare with the exact density.

    Arguments:
        events: number of events.
        folder: for the files.
        sampler: of the run; with ``"flow"`` its events have uncertainties of their own.
        seed: of the run.
        points: exact points.
    """
    own = sampler == "flow"
    settings: dict[str, Any] = {"process": "drell-yan", "sampler": sampler, "events": events, "seed": seed}
    settings["uncertainties"] = {"enabled": own, "theory": False}
    if not own:
        settings |= {"survey": {"evaluations": 50_000}, "integration": {"evaluations": 100_000}}
    card = Card.model_validate(settings)
    made = run_card(card, folder / f"run_{events}", quiet=True)
    source = plain = made.folder / "events.lhe.gz"
    if own:
        from benchmarks.memory import without_uncertainties

        plain = made.folder / "plain.lhe.gz"
        without_uncertainties(source, plain)
    annotation = annotate(plain, folder / f"annotated_{events}.lhe", LearnConfig(), weights=False)
    density = annotation.groups[0].density
    assert density is not None  # there are enough events
    process: Any = build_process(card.process)
    calibration = calibrate_pulls(*exact_pulls(density, process, Sampler.load(made.folder / "sampler.mcb"), points))
    momenta = _final(process, np.random.default_rng(1).random((40_000, process.dim)))
    start = time.process_time()
    density(momenta, np.zeros((len(momenta), 2)))
    speed = len(momenta) / (time.process_time() - start)
    first, second = read(source).load(), read(annotation.path).load()
    pair = second.momenta[:, 2] + second.momenta[:, 3]
    mass = np.sqrt(pair[:, 0] ** 2 - np.sum(pair[:, 1:] ** 2, axis=1))
    before = first.attributes.get("sigma_stat")
    return Compared(annotation, calibration, speed, before, second.attributes["sigma_stat"], mass)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--events", type=int, action="append", help="numbers of events (repeatable) [10000, 100000]")
    parser.add_argument("--seed", type=int, default=1, help="seed [1]")


def run(arguments: argparse.Namespace) -> None:
    """Annotate files of several lengths and print the table."""
    rows: list[list[Any]] = []
    content: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for events in arguments.events or [10_000, 100_000]:
            found = compare(events, Path(folder), seed=arguments.seed)
            raw, held = found.calibration.central.raw, found.annotation.groups[0].density
            assert held is not None
            assert held.held_out is not None
            squared = f"{held.held_out.factor_squared:.2f} +- {held.held_out.factor_error:.2f}"
            rows.append(
                [
                    events,
                    found.calibration.sigma,
                    f"{raw['68']:.1%}",
                    f"{raw['95']:.1%}",
                    found.calibration.factor["68"],
                    squared,
                    round(found.speed),
                ]
            )
            content[str(events)] = {
                "exact": found.calibration.as_json(),
                "held_out": held.held_out.as_json(),
                "events_per_second": found.speed,
            }
    columns = [
        "events",
        "median sigma_log",
        "68% covers",
        "95% covers",
        "factor, exact",
        "factor^2, held out",
        "events/s",
    ]
    print_table("binnis annotate on Drell-Yan, against the exact density", columns, rows)
    store(arguments.json, content)
