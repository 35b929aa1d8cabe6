"""Do independent trainings differ by what their bands say? Pairs of Drell-Yan runs on disjoint points.

Every run pays for its own points, trains its own flow and its own Bayesian flow, as ``binnis run`` does. Three
observables are histogrammed with the replicas of each; the difference of a pair is compared with the sum of the two
covariances of the replicas, all bins together. The points that are histogrammed are the same for all, so that their own
scatter drops out.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from benchmarks.table import print_table, store
from mcbridge.integrands import Array
from mcbridge.integrands.metered import Metered
from mcbridge.integration import Guard
from mcbridge.random import Streams
from mcbridge.samplers import Sampler
from mcbridge.uncertainties import bayesian_density
from mcbridge.uncertainties.marginals import replica_chi2
from plugin.card import Card
from plugin.run.choose import decision_stage, survey_stage
from plugin.run.process import build_process
from plugin.run.progress import Progress
from plugin.run.state import State
from plugin.run.uncertainties import learn_replicas

__all__ = ["add_arguments", "chi2_of_pair", "run"]

BINS = 8
POINTS = 100_000
WINDOW = (0.6, 1.6)


def chi2_of_pair(first: Array, second: Array) -> tuple[float, int]:
    """chi2 and degrees of freedom of two sets of normalised histograms (replicas, bins) that should agree."""
    covariance = np.cov(first, rowvar=False) + np.cov(second, rowvar=False)
    return replica_chi2(first.mean(axis=0) - second.mean(axis=0), covariance, len(first) + len(second) - 1)


def observables(process: Any, u: Array) -> dict[str, Array]:
    """Mass and rapidity of the pair and transverse momentum of a lepton: (n,) each."""
    batch = process.events(u, 0, np.full((len(u), 2), 0.3))
    lepton = batch.momenta[:, 2]
    pair = batch.momenta[:, 2] + batch.momenta[:, 3]
    energy, px, py, pz = pair.T
    mass = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))
    return {
        "m(ll)": mass,
        "y(ll)": 0.5 * np.log((energy + pz) / (energy - pz)),
        "pT(l)": np.hypot(lepton[:, 1], lepton[:, 2]),
    }


def train_once(seed: int, replicas: int, tempered: bool) -> Sampler:
    """The sampler of one run, with replicas."""
    settings: dict[str, Any] = {"process": "drell-yan", "sampler": "flow", "seed": seed, "threads": 1}
    settings["uncertainties"] = {"enabled": True, "replicas": replicas, "theory": False}
    card = Card.model_validate(settings)
    state = State(card, Metered(build_process(card.process)), Streams(seed), Guard(), Progress(quiet=True))
    survey_stage(state)
    decision_stage(state, None)
    assert state.flow is not None
    if not tempered:
        state.fresh = None
    learn_replicas(state, state.flow, state.flow)
    assert state.flow.replicas is not None
    return state.flow


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--pairs", type=int, default=10, help="pairs of runs [10]")
    parser.add_argument("--replicas", type=int, default=32, help="replicas of each, as in a run [32]")
    parser.add_argument("--plain", action="store_true", help="leave the posterior as the fit has it, not tempered")


def run(arguments: argparse.Namespace) -> None:
    """Train the pairs, print chi2 by observable."""
    process: Any = build_process(Card.model_validate({"process": "drell-yan"}).process)
    u: Array = np.empty((0, 0))
    drawn: Array = np.empty(0)
    places: dict[str, Array] = {}
    found: dict[str, list[tuple[float, int]]] = {}
    temperatures: list[float] = []
    previous: dict[str, Array] = {}
    for index in range(2 * arguments.pairs):
        sampler = train_once(1 + index, arguments.replicas, not arguments.plain)
        assert sampler.replicas is not None
        temperatures.append(float(sampler.replicas.information["width_factor"]))
        if not index:
            u, drawn = sampler.draw(0, POINTS, Streams(0).generator("pairs"))
            weight = process(u, 0).weight
            u, drawn, weight = u[weight > 0.0], drawn[weight > 0.0], weight[weight > 0.0]
            for name, values in observables(process, u).items():
                order = np.argsort(values)
                content = np.cumsum((weight / drawn)[order])
                edges = values[order][np.searchsorted(content, content[-1] * np.arange(1, BINS) / BINS)]
                places[name] = np.searchsorted(edges, values)
        density = bayesian_density(sampler, u, np.zeros(len(u), dtype=np.int64)).replicas
        filled = {}
        for name, place in places.items():
            rows = np.stack([np.bincount(place, own / drawn, BINS) for own in density])
            filled[name] = rows / rows.sum(axis=1, keepdims=True)
        if index % 2:
            for name, histograms in filled.items():
                found.setdefault(name, []).append(chi2_of_pair(previous[name], histograms))
            print(
                f"pair {index // 2 + 1}", {n: round(v[-1][0], 2) for n, v in found.items()}, file=sys.stderr, flush=True
            )
        previous = filled
    rows_out: list[list[Any]] = []
    content_out: dict[str, Any] = {"temperatures": temperatures}
    for name, values in found.items():
        chi2, dof = sum(value for value, _ in values), sum(dof for _, dof in values)
        ratios = [value / bins for value, bins in values]
        rows_out.append([name, chi2 / dof, min(ratios), max(ratios), float(chi2_distribution.sf(chi2, dof))])
        content_out[name] = {"chi2_dof": chi2 / dof, "pairs": ratios}
    total = float(np.mean([value / bins for values in found.values() for value, bins in values]))
    content_out["mean_chi2_dof"] = total
    inside = "yes" if WINDOW[0] <= total <= WINDOW[1] else "no"
    rows_out.append(["all", total, "", "", f"within {WINDOW[0]} to {WINDOW[1]}: {inside}"])
    print_table(
        f"Drell-Yan: {arguments.pairs} pairs of independent runs, {arguments.replicas} replicas each; widths multiplied"
        f" with {min(temperatures):.2g} to {max(temperatures):.2g}",
        ["observable", "mean chi2/dof", "least", "largest", "p"],
        rows_out,
    )
    store(arguments.json, content_out)
