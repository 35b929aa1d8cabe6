"""``python -m benchmarks NAME``: run one benchmark and print its table."""

from __future__ import annotations

import argparse
from importlib import import_module

BENCHMARKS = {
    "kernel": "speed of the flow: sampling, density with gradient, training step, against the peers",
    "toys": "Bayesian flow on toy densities whose uncertainty has a known shape",
    "efficiency": "relative standard deviation and unweighting efficiency at equal amplitude evaluations",
    "training": "what each part of the training recipe is worth",
    "pairs": "independent trainings: do they differ by what their uncertainty bands say",
    "annotation": "binnis annotate where the exact density is known: coverage and speed",
    "scaling": "several workers: speed-up, overhead of Dask, 64 simulated workers, cost of event writing, memory",
    "memory": "peak memory of a run and of an annotation against the number of events",
    "sherpa": "inside Sherpa: its own mapping and the flow at equal training budgets; pulls with --pulls",
    "crossover": "CPU time to unweighted events against the cost of the amplitude, auto and vegas in pairs",
    "validation": "binnis validate: what is wrong on purpose must be found, what is honest must agree",
    "report": "cost and size of a plot and of the page of a run",
    "madgraph": "MadEvent alone against MadEvent with binnis: matrix-element calls and CPU time (needs MG5_DIR)",
    "fixed_scale": "gg -> ttbar g at fixed scales: a UMAMI library with flow and VEGAS, and MadGraph (needs both)",
}


def main() -> None:
    """Parse the command line and hand over to the benchmark's module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, purpose in BENCHMARKS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        command.add_argument("--json", metavar="FILE", help="also write the figures to a file")
        module = import_module(f"benchmarks.{name}")
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


main()
