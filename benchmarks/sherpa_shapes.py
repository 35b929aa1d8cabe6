"""Ten distributions of two event samples, compared bin by bin."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2 as chi2_distribution

from mcbridge.integrands import Array
from mcbridge.lhe import read

__all__ = ["compare_shapes"]

_BINS = 20


def compare_shapes(first: Path, second: Path) -> dict[str, dict[str, Any]]:
    """chi2, degrees of freedom and p-value of ten observables, between two files of unweighted events.

    Events that were written twice because their weight was too large are one event of twice the weight.
    """
    samples = [_observables(path) for path in (first, second)]
    names = list(samples[0][0])[:10]
    result = {}
    for name in names:
        values = [sample[0][name] for sample in samples]
        edges = np.unique(np.quantile(values[0], np.linspace(0.0, 1.0, _BINS + 1)[1:-1]))
        shares, variances = [], []
        for value, (_, weight) in zip(values, samples, strict=True):
            bins = np.searchsorted(edges, value)
            total = float(np.sum(weight))
            shares.append(np.bincount(bins, weight, len(edges) + 1) / total)
            variances.append(np.bincount(bins, weight**2, len(edges) + 1) / total**2)
        used = (variances[0] + variances[1]) > 0.0
        difference = (shares[0] - shares[1])[used]
        chi2 = float(np.sum(difference**2 / (variances[0] + variances[1])[used]))
        dof = int(np.sum(used)) - 1
        result[name] = {"chi2": chi2, "dof": dof, "p": float(chi2_distribution.sf(chi2, dof))}
    return result


def _observables(path: Path) -> tuple[dict[str, Array], Array]:
    """Transverse momentum, rapidity and invariant masses (n,) of the outgoing particles, and weights (n,)."""
    columns: list[dict[str, Array]] = []
    weights = []
    for block in read(path):
        trials = block.attributes["trials"]
        group = np.cumsum(trials > 0.0) - 1
        first = np.flatnonzero(trials > 0.0)
        weights.append(np.bincount(group, block.weight, len(first)))
        momenta = block.momenta[first][:, block.status[0] == 1]
        pdg = block.pdg_ids[first][:, block.status[0] == 1]
        columns.append(_of_particles(momenta, pdg))
    names = columns[0]
    joined = {name: np.concatenate([column[name] for column in columns]) for name in names}
    return joined, np.concatenate(weights)


def _of_particles(momenta: Array, pdg: Array) -> dict[str, Array]:
    # Jets have different flavours in different events; leptons and photons come first, in the order of the ids.
    order = np.argsort(np.where(np.isin(np.abs(pdg), (11, 13, 22)), pdg, 100), axis=1, kind="stable")
    p = np.take_along_axis(momenta, order[:, :, None], axis=1)
    n = p.shape[1]
    energy, px, py, pz = np.moveaxis(p, 2, 0)
    found = {f"pt {i + 1}": np.hypot(px[:, i], py[:, i]) for i in range(n)}
    with np.errstate(divide="ignore", invalid="ignore"):
        found |= {f"y {i + 1}": np.arctanh(np.clip(pz[:, i] / energy[:, i], -1 + 1e-12, 1 - 1e-12)) for i in range(n)}
    for i, j in combinations(range(n), 2):
        total = p[:, i] + p[:, j]
        found[f"m {i + 1}{j + 1}"] = np.sqrt(np.maximum(total[:, 0] ** 2 - np.sum(total[:, 1:] ** 2, axis=1), 0.0))
        angle = np.abs(np.arctan2(py[:, i], px[:, i]) - np.arctan2(py[:, j], px[:, j]))
        found[f"dphi {i + 1}{j + 1}"] = np.minimum(angle, 2.0 * np.pi - angle)
    everything = p.sum(axis=1)
    found["y all"] = np.arctanh(np.clip(everything[:, 3] / everything[:, 0], -1 + 1e-12, 1 - 1e-12))
    found["E 1"] = energy[:, 0]
    found["E 2"] = energy[:, 1]
    found["pz 1"] = pz[:, 0]
    return found
