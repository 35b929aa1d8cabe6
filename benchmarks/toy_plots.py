"""Figures of the toys: density, sigma with its fit, relative sigma."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks.toys import ToyResult

__all__ = ["draw"]


def draw(results: Sequence[ToyResult], folder: Path) -> list[Path]:
    """One PNG file a result; bands are the variation over the lines of constant trivial coordinate."""
    import matplotlib as mpl

    mpl.use("Agg")
    import mplhep
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for result in results:
        with plt.style.context([mplhep.style.ATLAS, {"font.sans-serif": ["DejaVu Sans"], "font.size": 11}]):
            figure, panels = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
            _density(panels[0], result)
            _sigma(panels[1], result)
            _relative(panels[2], result)
            figure.suptitle(f"{result.toy.name}, {result.events} events")
            path = folder / f"{result.toy.name}_{result.events}.png"
            figure.savefig(path, dpi=110)
            plt.close(figure)
        written.append(path)
    return written


def _density(panel: Any, result: ToyResult) -> None:
    axis = result.toy.axis
    mean, sigma = result.mean.mean(axis=1), result.sigma.mean(axis=1)
    panel.fill_between(axis, mean - sigma, mean + sigma, alpha=0.4, color="tab:red", label=r"$p \pm \sigma$")
    panel.plot(axis, mean, color="tab:red")
    panel.plot(axis, result.toy.density(axis), color="black", ls="--", label="truth")
    panel.set_ylim(0.0, 1.2 * float(np.max(mean + sigma)))
    _finish(panel, result, r"$p$")


def _sigma(panel: Any, result: ToyResult) -> None:
    axis = result.toy.axis
    mean, spread = result.sigma.mean(axis=1), result.sigma.std(axis=1)
    panel.fill_between(axis, mean - spread, mean + spread, alpha=0.3, color="tab:blue", label="single lines")
    panel.plot(axis, result.physical, color="tab:blue", label=r"$\sigma_\mathrm{pred}$")
    panel.plot(axis, result.fit, color="tab:green", label="fit")
    inner = (axis >= result.toy.judged[0]) & (axis <= result.toy.judged[1])
    panel.axvspan(*result.toy.window, color="gold", alpha=0.3, label="minimum expected")
    panel.set_ylim(0.0, 1.6 * float(np.max(mean[inner])))
    _finish(panel, result, r"$\sigma_\mathrm{pred}$")


def _relative(panel: Any, result: ToyResult) -> None:
    axis = result.toy.axis
    relative = result.sigma / result.mean
    mean, spread = relative.mean(axis=1), relative.std(axis=1)
    panel.fill_between(axis, mean - spread, mean + spread, alpha=0.4, color="tab:purple", label="lines")
    panel.plot(axis, mean, color="tab:purple", label=r"$\sigma_\mathrm{pred}/p$")
    inner = (axis >= result.toy.judged[0]) & (axis <= result.toy.judged[1])
    panel.set_ylim(0.0, 1.3 * float(np.max(mean[inner])))
    _finish(panel, result, r"$\sigma_\mathrm{pred}/p$")


def _finish(panel: Any, result: ToyResult, name: str) -> None:
    panel.set_xlim(result.toy.axis[0], result.toy.axis[-1])
    panel.set_xlabel(result.toy.label)
    panel.set_ylabel(name)
    panel.legend(frameon=False)
