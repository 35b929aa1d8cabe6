"""Toy densities of the Bayesian flow: densities, shapes of sigma, and its size at several sample sizes.

The paper's set-up (arXiv:2104.04543, section 3.1, appendix C): affine coupling blocks, standard normal prior, the same
number of weight updates for every sample size. Sigma scatters from sample to sample and from training to training;
figures are averages over several trainings, each on a sample of its own.

Two sigmas are read on 41 lines of constant trivial coordinate: that of the density averaged over the lines, which is
the uncertainty in the physical direction that the fits describe; and the average of the sigmas of all lines, which also
holds what the flow does not know of the trivial direction, and whose size the paper gives.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from benchmarks.table import print_table, store
from benchmarks.toy_densities import TOYS, Toy
from mcbridge import core
from mcbridge.integrands import Array
from plugin.bayesian import BayesianConfig, Events, fit
from plugin.flows import identity_parameters

__all__ = ["ToyResult", "add_arguments", "run", "train_toy"]

SIZES = {10_000: (0.11, 0.15), 100_000: (0.03, 0.09), 1_000_000: (0.02, 0.04)}
"""Sigma of the kicker at x = 0.5 by number of events (arXiv:2104.04543, appendix C.2)."""

LINES = 41


@dataclass(frozen=True)
class ToyResult:
    """What the replicas say along the physical coordinate of a toy, averaged over several trainings.

    Attributes:
        toy, events: what was learned, and from how many events.
        mean: (axis, lines), mean density.
        sigma: (axis, lines), its standard deviation over the replicas.
        physical: (axis,), standard deviation over the replicas of the density averaged over the lines.
        elbo: of an event.
        fitted: errors of the parameters in the fit to sigma, by name.
        seconds: CPU time of the training [s].
    """

    toy: Toy
    events: int
    mean: Array
    sigma: Array
    physical: Array
    elbo: float
    fitted: dict[str, float]
    seconds: float

    @property
    def fit(self) -> Array:
        """(axis,), the fit to sigma."""
        terms = self.toy.terms(self.toy.axis)
        total: Array = np.sqrt(sum((self.fitted[name] * term) ** 2 for name, term in terms.items()))
        return total

    @property
    def covered(self) -> float:
        """Share of points (boundaries cut away) at which the true density is within two sigma."""
        toy = self.toy
        inner = (toy.axis >= toy.judged[0]) & (toy.axis <= toy.judged[1])
        off = np.abs(self.mean - toy.density(toy.axis)[:, None]) / self.sigma
        return float(np.mean(off[inner] < 2.0))

    def sigma_at(self, value: float) -> float:
        """Sigma, averaged over the lines, at a value of the physical coordinate."""
        return float(np.interp(value, self.toy.axis, self.sigma.mean(axis=1)))


def train_toy(
    toy: Toy, events: int, seed: int, mean_steps: int, steps: int, replicas: int, trainings: int
) -> ToyResult:
    """Train on samples of a toy; see :class:`ToyResult`.

    Arguments:
        events: of a sample.
        seed: of samples and trainings.
        mean_steps, steps: updates of the means alone, and of means and widths.
        replicas: weight draws from which sigma is read.
        trainings: over which all figures are averaged, each on another sample and from other initial numbers.
    """
    generator = np.random.default_rng([seed, events])
    spec = core.FlowSpec(2, kind="affine", blocks=toy.blocks, hidden=32, layers=3)
    config = BayesianConfig(mean_steps=mean_steps, steps=steps, batch=512, draws=4)
    points, jacobian = toy.to_flow(toy.lines(toy.axis, LINES))
    flat = np.ascontiguousarray(points.reshape(-1, 2), dtype=np.float32)
    found: list[tuple[Array, Array, Array]] = []
    elbo = seconds = 0.0
    for _ in range(trainings):
        sample = Events.unweighted(toy.to_flow(toy.sample(events, generator))[0])
        start = time.process_time()
        training = fit(spec, identity_parameters(spec, 1, generator), sample, config, generator)
        seconds += time.process_time() - start
        elbo -= training.history[-1] / trainings
        parameters = training.flow.replicas(replicas, generator)[:, 0]
        log_q = np.stack([core.log_density(spec, own, flat)[1] for own in parameters])
        densities = np.exp(log_q.astype(np.float64)).reshape(replicas, *jacobian.shape) * jacobian
        physical = densities.mean(axis=2).std(axis=0, ddof=1)
        found.append((densities.mean(axis=0), densities.std(axis=0, ddof=1), physical))
    mean, sigma, physical = (np.mean(parts, axis=0) for parts in zip(*found, strict=True))
    return ToyResult(toy, events, mean, sigma, physical, elbo, _fit(toy, physical), seconds)


def _fit(toy: Toy, sigma: Array) -> dict[str, float]:
    """Errors of the parameters from a fit of their terms in quadrature, boundaries cut away."""
    inner = (toy.axis >= toy.judged[0]) & (toy.axis <= toy.judged[1])
    terms = toy.terms(toy.axis[inner])
    # relative deviations of sigma^2 count, so that the dip matters as much as the peak
    columns = np.stack([term**2 for term in terms.values()], axis=1) / sigma[inner, None] ** 2
    squares, _ = nnls(columns, np.ones(int(inner.sum())))
    return {name: float(np.sqrt(value)) for name, value in zip(terms, squares, strict=True)}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--toy", action="append", choices=list(TOYS), help="only these toys (repeatable)")
    parser.add_argument("--events", type=int, default=300_000, help="training events [300000]")
    parser.add_argument("--no-sizes", action="store_true", help="leave out the kicker at 10k, 100k and 1M events")
    parser.add_argument("--seed", type=int, default=1, help="seed [1]")
    parser.add_argument("--mean-steps", type=int, default=2000, help="updates of the means alone [2000]")
    parser.add_argument("--steps", type=int, default=1500, help="updates of means and widths [1500]")
    parser.add_argument(
        "--trainings", type=int, default=12, help="trainings that are averaged over; a third of them for the sizes [12]"
    )
    parser.add_argument("--replicas", type=int, default=300, help="weight draws from which sigma is read [300]")
    parser.add_argument("--plots", metavar="DIR", help="draw densities, sigma and relative sigma as PNG files")


def run(arguments: argparse.Namespace) -> None:
    """Train the toys, print two tables, draw the figures."""
    names = arguments.toy or list(TOYS)
    options = (arguments.seed, arguments.mean_steps, arguments.steps, arguments.replicas)
    results = [train_toy(TOYS[name], arguments.events, *options, arguments.trainings) for name in names]
    rows: list[list[Any]] = []
    content: dict[str, Any] = {
        "settings": {"events": arguments.events, "mean_steps": arguments.mean_steps, "steps": arguments.steps}
    }
    for result in results:
        toy, place = result.toy, result.toy.minimum(result.physical)
        low, high = toy.window
        fitted = ", ".join(f"{name} {value:.2g}" for name, value in result.fitted.items())
        lines = toy.minimum(result.sigma.mean(axis=1))
        inside = ["yes" if low <= value <= high else "no" for value in (place, lines)]
        window = f"{low} to {high}"
        rows.append([toy.name, window, place, inside[0], lines, inside[1], result.covered, fitted, result.seconds])
        content[toy.name] = {
            "minimum": place,
            "minimum_of_lines": lines,
            "elbo": result.elbo,
            "window": [low, high],
            "covered_within_two_sigma": result.covered,
            "fit": result.fitted,
            "axis": toy.axis.tolist(),
            "density": result.mean.mean(axis=1).tolist(),
            "sigma": result.physical.tolist(),
            "sigma_of_lines": result.sigma.mean(axis=1).tolist(),
        }
    columns = ["toy", "least sigma expected", "in the mean of the lines", "inside", "in single lines", "inside"]
    columns += ["within 2 sigma", "errors in the fit", "CPU s"]
    print_table(f"Bayesian flow on {arguments.events} events", columns, rows)
    if not arguments.no_sizes:
        trainings = max(1, arguments.trainings // 3)
        sizes = [train_toy(TOYS["kicker"], events, *options, trainings) for events in SIZES]
        content["kicker_at_0.5"] = {str(found.events): found.sigma_at(0.5) for found in sizes}
        table: list[list[Any]] = []
        for found in sizes:
            low, high = SIZES[found.events]
            value = found.sigma_at(0.5)
            table.append([found.events, value, f"{low} to {high}", "yes" if low <= value <= high else "no"])
        print_table("Kicker: sigma at x = 0.5", ["events", "sigma", "expected", "inside"], table)
        results += sizes
    store(arguments.json, content)
    if arguments.plots:
        from benchmarks.toy_plots import draw

        for path in draw(results, Path(arguments.plots)):
            print(path)
