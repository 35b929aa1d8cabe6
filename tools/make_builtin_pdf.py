"""Make the embedded PDF set: the Les Houches toy input evolved at leading order.

Input, couplings and masses are those of hep-ph/0204316, equations (30) to (34); three flavours at Q^2 = 2 GeV^2, charm
switched on there, bottom at 4.5 GeV, top never. Run in an environment of its own::

    pip install 'eko[box]==0.15.7' banana-hep
    python tools/make_builtin_pdf.py mcbridge/pdfs/data
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import numpy as np

NAME = "LesHouchesToyLO"
Q_START = math.sqrt(2.0)
M_BOTTOM = 4.5
Q_MAX = 1.0e4
ALPHA_S_START = 0.35
FLAVOURS = (-5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 21)
SCALES = {
    4: (Q_START, 1.65, 2.1, 3.0, M_BOTTOM),
    5: (M_BOTTOM, 6.5, 11.0, 20.0, 40.0, 70.0, 100.0, 170.0, 400.0, 1000.0, 2500.0, 6000.0, Q_MAX),
}


def x_points() -> np.ndarray:
    """Logarithmic below 0.1; dense towards 1, where densities like (1 - x)^8 are hard to interpolate in log x."""
    low = np.geomspace(1e-7, 0.1, 32)
    middle = np.linspace(0.1, 0.6, 11)
    high = np.array([0.6 + 0.025 * i for i in range(1, 13)] + [0.92, 0.94, 0.96, 0.98, 1.0])
    return np.concatenate([low, middle[1:], high])


class ToyInput:
    """x f(x) at the starting scale, hep-ph/0204316 equation (31); the interface is that of an LHAPDF member."""

    def xfxQ2(self, pid: int, x: float, _q2: float) -> float:  # noqa: N802
        """x f(x) of one flavour."""
        rest = max(0.0, 1.0 - x)
        d_bar = 0.1939875 * x**-0.1 * rest**6
        u_bar = d_bar * rest
        values = {
            21: 1.7 * x**-0.1 * rest**5,
            2: 5.107200 * x**0.8 * rest**3 + u_bar,
            1: 3.064320 * x**0.8 * rest**4 + d_bar,
            -2: u_bar,
            -1: d_bar,
            3: 0.2 * (u_bar + d_bar),
            -3: 0.2 * (u_bar + d_bar),
        }
        return values.get(pid, 0.0)

    def hasFlavor(self, pid: int) -> bool:  # noqa: N802
        """Whether the input holds this flavour."""
        return pid == 21 or 1 <= abs(pid) <= 3


def alpha_s(q: float) -> float:
    """One-loop coupling with four flavours below the bottom mass and five above."""

    def run(start: float, low: float, high: float, flavours: int) -> float:
        return start / (1 + start * (33 - 2 * flavours) / (12 * math.pi) * math.log(high**2 / low**2))

    if q <= M_BOTTOM:
        return run(ALPHA_S_START, Q_START, q, 4)
    return run(run(ALPHA_S_START, Q_START, M_BOTTOM, 4), M_BOTTOM, q, 5)


def evolve() -> tuple[np.ndarray, dict[tuple[float, int], dict[int, np.ndarray]]]:
    """The x grid and f(x) for every (Q, number of flavours) and flavour."""
    from eko.interpolation import XGrid
    from eko.io import EKO
    from eko.io.runcards import OperatorCard, TheoryCard
    from eko.io.types import ReferenceRunning
    from eko.runner import managed
    from ekobox import apply
    from ekobox.cards import example

    raw = example.raw_theory()
    raw["order"] = [1, 0]
    raw["couplings"] = {"alphas": ALPHA_S_START, "alphaem": 0.0075, "ref": (Q_START, 4)}
    raw["heavy"] = {
        "masses": [ReferenceRunning([mass, math.nan]) for mass in (Q_START, M_BOTTOM, 175.0)],
        "masses_scheme": "POLE",
        "matching_ratios": [1.0, 1.0, 1.0],
    }
    theory = TheoryCard.from_dict(raw)
    operator: OperatorCard = example.operator()
    operator.init = (Q_START, 4)
    operator.mugrid = [(q, flavours) for flavours, scales in SCALES.items() for q in scales]
    operator.xgrid = XGrid(x_points())
    operator.configs.ev_op_iterations = 1  # the leading-order solution is exact in one step
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "operator.tar"
        managed.solve(theory, operator, path=path)
        with EKO.read(path) as operators:
            evolved = apply.apply_pdf(operators, ToyInput())[0]
    result = {}
    for (q2, flavours), densities in evolved.items():
        q = min(SCALES[flavours], key=lambda scale: abs(scale**2 - q2))
        result[q, flavours] = densities
    return np.array(operator.xgrid.raw), result


def write(folder: Path) -> None:
    """Write ``folder/NAME/NAME.info`` and ``NAME_0000.dat`` in the LHAPDF6 format."""
    x, evolved = evolve()
    target = folder / NAME
    target.mkdir(parents=True, exist_ok=True)
    lines = ["PdfType: central", "Format: lhagrid1", "---"]
    for flavours, scales in SCALES.items():
        lines.append(" ".join(f"{value:.7e}" for value in x))
        lines.append(" ".join(f"{value:.7e}" for value in scales))
        lines.append(" ".join(str(pid) for pid in FLAVOURS))
        for i, point in enumerate(x):
            for q in scales:
                values = (point * evolved[q, flavours][pid][i] for pid in FLAVOURS)
                lines.append(" ".join("0" if abs(value) < 1e-16 else f"{value:.6e}" for value in values))
        lines.append("---")
    (target / f"{NAME}_0000.dat").write_text("\n".join(lines) + "\n", encoding="ascii")
    scales = [q for group in SCALES.values() for q in group]
    info = [
        'SetDesc: "Demonstration set: Les Houches toy input (hep-ph/0204316) evolved at leading order; no fit to data"',
        "SetIndex: 0",
        'Authors: "input W. Giele et al.; evolved with eko 0.15.7"',
        'Reference: "hep-ph/0204316"',
        "Format: lhagrid1",
        "DataVersion: 1",
        "NumMembers: 1",
        "Particle: 2212",
        f"Flavors: [{', '.join(str(pid) for pid in FLAVOURS)}]",
        "OrderQCD: 0",
        "FlavorScheme: variable",
        "NumFlavors: 5",
        "ErrorType: unknown",
        f"XMin: {x[0]:.7e}",
        f"XMax: {x[-1]:.7e}",
        f"QMin: {Q_START:.7e}",
        f"QMax: {Q_MAX:.7e}",
        "MZ: 91.1876",
        "MUp: 0",
        "MDown: 0",
        "MStrange: 0",
        f"MCharm: {Q_START:.7f}",
        f"MBottom: {M_BOTTOM}",
        "MTop: 175",
        f"AlphaS_MZ: {alpha_s(91.1876):.7f}",
        "AlphaS_OrderQCD: 0",
        "AlphaS_Type: ipol",
        f"AlphaS_Qs: [{', '.join(f'{q:.7e}' for q in scales)}]",
        f"AlphaS_Vals: [{', '.join(f'{alpha_s(q):.7e}' for q in scales)}]",
    ]
    (target / f"{NAME}.info").write_text("\n".join(info) + "\n", encoding="ascii")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "mcbridge/pdfs/data"))
