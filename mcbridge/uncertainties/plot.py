"""The plots of the papers for bands of histograms: density, sigma and relative sigma of observables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mcbridge.errors import UserError
from mcbridge.files import atomic
from mcbridge.integrands.protocol import Array
from mcbridge.uncertainties.band import Band

__all__ = ["plot_bands"]

_WIDTH, _HEIGHT = 13.5, 3.9  # of a row of panels, inches


def plot_bands(
    bands: Mapping[str, Band],
    *,
    events: int = 1,
    unit: str = "pb",
    factor: float = 1.0,
    expected: Mapping[str, npt.ArrayLike] | None = None,
    path: str | Path | None = None,
) -> Any:
    """Three panels a row: density with its band, sigma of the density, relative sigma (arXiv:2104.04543, figs. 5 to 8).

    The events are points with their counting error; the band is mean and standard deviation over the replicas. In the
    second and third panel the counting error of the events stands beside it: where the band is below it, the events
    cannot tell the learned density from the true one.

    Arguments:
        bands: what is drawn, by the label of the observable: ``{"m(ee) [GeV]": uncertainty_band(...)}``.
        events: what the sums of weights are divided by; with IDWTUP -4 the number of events of the file, and the result
            is a cross section.
        unit: of the weights.
        factor: what the band is multiplied with, for instance the ``calibration_factor`` of the header.
        expected: cross sections of the bins (bins,) to compare with, by the same labels, in ``unit``.
        path: file to write (png, pdf, svg, ...), whole or not at all; none if None.

    Returns:
        The ``matplotlib`` figure.

    Raises:
        UserError: there is nothing to draw, an argument is out of range, matplotlib or mplhep is not installed, or the
            file cannot be written.
    """
    if not bands:
        raise UserError("there are no bands to draw")
    if events < 1:
        raise UserError(f"events is {events}; it must be at least 1")
    if not (np.isfinite(factor) and factor > 0.0):
        raise UserError(f"factor is {factor}; it must be a positive number")
    mplhep, figure_class, rc_context = _libraries()
    style = {**mplhep.style.ATLAS, "font.sans-serif": ["DejaVu Sans"], "font.size": 11}
    with rc_context(style):
        figure = figure_class(figsize=(_WIDTH, _HEIGHT * len(bands)), layout="constrained")
        panels = figure.subplots(len(bands), 3, squeeze=False)
        for row, (label, band) in zip(panels, bands.items(), strict=True):
            scale = 1.0 / (events * np.diff(band.edges))
            known = None if expected is None or label not in expected else _known(expected[label], band, label)
            of_unit = _unit_label(label, unit)
            _density(mplhep, row[0], band, scale, factor, known)
            _sigma(mplhep, row[1], band, scale, factor)
            _relative(mplhep, row[2], band, factor)
            for panel, name in zip(row, (rf"$p$ [{of_unit}]", rf"$\sigma$ [{of_unit}]", r"$\sigma/p$"), strict=True):
                panel.set_xlim(band.edges[0], band.edges[-1])
                panel.set_xlabel(label)
                panel.set_ylabel(name)
                panel.legend(frameon=False, fontsize=9)
        if path is not None:
            _save(figure, Path(path))
    return figure


def _libraries() -> tuple[Any, Any, Any]:
    try:
        import mplhep
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UserError(f"plots need matplotlib and mplhep (pip install 'binnis[plots]'): {error}") from None
    return mplhep, Figure, rc_context


def _known(values: npt.ArrayLike, band: Band, label: str) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != band.values.shape:
        raise UserError(f"expected['{label}'] has the shape {found.shape}; it must be {band.values.shape}")
    return found


def _unit_label(label: str, unit: str) -> str:
    """``pb/GeV`` for an observable ``m [GeV]``."""
    start, end = label.rfind("["), label.rfind("]")
    return f"{unit}/{label[start + 1 : end]}" if 0 <= start < end else unit


def _density(mplhep: Any, panel: Any, band: Band, scale: Array, factor: float, known: Array | None) -> None:
    mean, sigma = band.mean * scale, factor * band.sigma * scale
    panel.stairs(mean + sigma, band.edges, baseline=mean - sigma, fill=True, alpha=0.4, color="tab:red", label="band")
    mplhep.histplot(mean, band.edges, ax=panel, color="tab:red", label="replicas, mean", yerr=False)
    mplhep.histplot(
        band.values * scale, band.edges, ax=panel, yerr=band.statistical * scale, histtype="errorbar", color="black",
        markersize=4, label="events",
    )  # fmt: skip
    if known is not None:
        truth = known / np.diff(band.edges)
        mplhep.histplot(truth, band.edges, ax=panel, color="tab:blue", ls="--", label="expected", yerr=False)
    positive = mean[mean > 0.0]
    if len(positive) and positive.max() > 50.0 * positive.min():
        panel.set_yscale("log")
    else:
        panel.set_ylim(0.0, 1.25 * float(np.max(mean + sigma)))


def _sigma(mplhep: Any, panel: Any, band: Band, scale: Array, factor: float) -> None:
    own, counting = factor * band.sigma * scale, band.statistical * scale
    _two_lines(mplhep, panel, band, own, counting, r"band, $\sigma_\mathrm{pred}$")


def _relative(mplhep: Any, panel: Any, band: Band, factor: float) -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        counting = band.statistical / np.abs(band.values)
    _two_lines(mplhep, panel, band, factor * band.relative, counting, r"band, $\sigma_\mathrm{pred}/p$")


def _two_lines(mplhep: Any, panel: Any, band: Band, own: Array, counting: Array, label: str) -> None:
    mplhep.histplot(own, band.edges, ax=panel, color="tab:red", label=label, yerr=False)
    mplhep.histplot(counting, band.edges, ax=panel, color="black", ls=":", label="counting error", yerr=False)
    both = np.concatenate([own, counting])
    largest = np.max(both, where=np.isfinite(both), initial=0.0)
    panel.set_ylim(0.0, 1.35 * largest if largest > 0.0 else 1.0)  # room for the legend


def _save(figure: Any, path: Path) -> None:
    kind = path.suffix.removeprefix(".")
    supported = figure.canvas.get_supported_filetypes()
    if kind not in supported:
        raise UserError(f"path is {path}; its ending must be one of {', '.join(sorted(supported))}")
    with atomic(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=110)
