"""The integrands on which samplers are compared."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.integrands import Array, Evaluation, Integrand

__all__ = ["CASES", "Case", "Density", "umami_library"]


class Density:
    """A density on the unit hypercube as an integrand of one channel.

    Arguments:
        name: for tables.
        dim: number of dimensions.
        function: (n, dim) -> (n,).
    """

    channels = 1
    periodic: tuple[int, ...] = ()

    def __init__(self, name: str, dim: int, function: Callable[[Array], Array]) -> None:
        self.name = name
        self.discrete: dict[int, tuple[float, ...]] = {}
        self.dim = dim
        self.function = function

    def __call__(self, u: Array, channel: int) -> Evaluation:
        return Evaluation(self.function(u))


@dataclass(frozen=True)
class Case:
    """An integrand and the amplitude evaluations that every sampler gets for survey and training together."""

    name: str
    build: Callable[[], Integrand]
    evaluations: int


def gauss(u: Array, centre: float, width: float) -> Array:
    """Isotropic normal density."""
    dim = u.shape[1]
    norm = (2 * np.pi * width**2) ** (-dim / 2)
    result: Array = norm * np.exp(-np.sum((u - centre) ** 2, axis=1) / (2 * width**2))
    return result


def camel(dim: int) -> Integrand:
    """Two Gaussians of width 0.05 at 1/3 and 2/3 on the diagonal."""
    return Density(f"camel {dim}d", dim, lambda u: 0.5 * (gauss(u, 1 / 3, 0.05) + gauss(u, 2 / 3, 0.05)))


def gaussian(dim: int) -> Integrand:
    """One Gaussian of width 0.05 in the middle."""
    return Density(f"gaussian {dim}d", dim, lambda u: gauss(u, 0.5, 0.05))


def correlated(dim: int) -> Integrand:
    """Three correlated Gaussians in ``dim`` dimensions, fixed by a seed."""
    generator = np.random.default_rng(20)
    parts = []
    for weight, centre in zip((0.5, 0.3, 0.2), generator.uniform(0.35, 0.65, (3, dim)), strict=True):
        rotation = np.linalg.qr(generator.normal(size=(dim, dim)))[0]
        widths = np.geomspace(0.03, 0.12, dim)
        inverse = rotation @ np.diag(widths**-2) @ rotation.T
        parts.append((weight / np.sqrt((2 * np.pi) ** dim * np.prod(widths**2)), centre, inverse))

    def density(u: Array) -> Array:
        total = np.zeros(len(u))
        for norm, centre, inverse in parts:
            shift = u - centre
            total += norm * np.exp(-0.5 * np.einsum("ni,ij,nj->n", shift, inverse, shift))
        return total

    return Density(f"correlated {dim}d", dim, density)


def gluons(n_final: int) -> Integrand:
    """gg -> n gluons at 1 TeV, pT > 30 GeV, dR > 0.4."""
    from mcbridge.processes.gluons import Gluons

    return Gluons(n_final=n_final, cms_energy=1000.0, pt_min=30.0, dr_min=0.4)


def drell_yan(zprime: bool) -> Integrand:
    """pp -> e+ e- with the demonstration PDF set; with a Z' three channels."""
    from mcbridge.processes.drell_yan import DrellYan, ZPrime

    if zprime:
        return DrellYan(mll=(60.0, 600.0), zprime=ZPrime(mass=400.0, width=0.5))
    return DrellYan(mll=(66.0, 116.0), pt_min=10.0, eta_max=2.5)


def umami_library(folder: Path) -> Path:
    """The library that ``make`` has built for a pyamplicol artifact, in the folder or beside it."""
    places = [folder / "API" / "umami", folder.parent / ".pyamplicol-api-build" / folder.name / "umami"]
    return next(place / "libumami.so" for place in places if (place / "libumami.so").exists())


def umami(variable: str, pdg_ids: tuple[int, ...], **settings: Any) -> Callable[[], Integrand]:
    """An amplitude at 1 TeV from the pyamplicol artifact that an environment variable names."""

    def build() -> Integrand:
        from mcbridge.processes.umami import UmamiProcess

        folder = Path(os.environ[variable])
        return UmamiProcess(umami_library(folder), pdg_ids, 1000.0, card=folder, **settings)

    return build


def umami_cases() -> dict[str, Case]:
    """The cases with libraries from pyamplicol, as far as they are there (docs/benchmarks.md says how to make them)."""
    from mcbridge.processes.cuts import Cuts

    found = {}
    if "BINNIS_UMAMI_TTG" in os.environ:
        top = umami("BINNIS_UMAMI_TTG", (21, 21, 6, -6, 21), cuts=Cuts(pt_min={21: 30.0}))
        found["ttg"] = Case("ttg", top, 410_000)
    if "BINNIS_UMAMI_EEGG" in os.environ:
        cuts = Cuts(pt_min={21: 30.0}, mass_min={(11, -11): 60.0}, mass_max={(11, -11): 120.0}, dr_min={(21, 21): 0.4})
        leptons = umami("BINNIS_UMAMI_EEGG", (2, -2, 11, -11, 21, 21), cuts=cuts)
        found["eegg"] = Case("eegg", leptons, 410_000)
    return found


CASES = {
    "camel": Case("camel", lambda: camel(4), 410_000),
    "gaussian": Case("gaussian", lambda: gaussian(4), 410_000),
    "gluons3": Case("gluons3", lambda: gluons(3), 410_000),
    "gluons4": Case("gluons4", lambda: gluons(4), 410_000),
    "drell-yan": Case("drell-yan", lambda: drell_yan(False), 410_000),
    "zprime": Case("zprime", lambda: drell_yan(True), 410_000),
    "correlated": Case("correlated", lambda: correlated(10), 410_000),
    **umami_cases(),
}
