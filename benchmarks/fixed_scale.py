"""g g > t t~ g at 13 TeV with fixed scales: a UMAMI library with flow and with VEGAS, and MadGraph's own number.

Needs BINNIS_UMAMI_TTG (the artifact of pyamplicol, docs/benchmarks.md) and MG5_DIR, whose PDF nn23lo1 all three read.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cases import umami_library
from benchmarks.madgraph import PROCESSES, launch, mg5, prepare
from benchmarks.table import print_table, store
from mcbridge.errors import UserError

__all__ = ["ALPHA_S", "CARD", "SCALE", "Section", "add_arguments", "from_library", "from_madgraph", "nn23lo1", "run"]

CARD = Path(__file__).parent.parent / "examples" / "madgraph" / "ttbar_gluon.yaml"
SCALE, ALPHA_S = 91.188, 0.13
"""The mass of the Z [GeV] and the coupling there, which the PDF set was made with."""

_SET = "NNPDF23_lo_as_0130_qed"


@dataclass(frozen=True)
class Section:
    """A cross section and its standard error [pb]."""

    value: float
    error: float

    def distance(self, other: Section) -> float:
        """The difference in standard errors."""
        return (self.value - other.value) / math.hypot(self.error, other.error)


def nn23lo1(target: Path) -> None:
    """Write MadGraph's PDF set nn23lo1, from the installation that MG5_DIR names, as a set of LHAPDF6.

    Arguments:
        target: folder for sets; it gets a folder with the name of the set.

    Raises:
        UserError: MG5_DIR names no installation.
    """
    source = mg5() / "Template" / "LO" / "lib" / "Pdfdata" / f"{_SET}_mem0.grid"
    lines = source.read_text(encoding="ascii").splitlines()
    place = next(number for number, line in enumerate(lines) if "NNPDF20intqed" in line) + 2
    number = int(lines[place])
    x = lines[place + 1 : place + 1 + number]
    place += 1 + number
    scales = int(lines[place])
    squares = lines[place + 2 : place + 2 + scales]
    rows = lines[place + 3 + scales : place + 3 + scales + number * scales]  # the member, at every x and Q^2
    q = [math.sqrt(float(square)) for square in squares]
    flavours = [*range(-6, 0), 21, *range(1, 7), 22]
    folder = target / _SET
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{_SET}.info").write_text(
        f"SetDesc: {_SET}\nSetIndex: 247000\nFormat: lhagrid1\nNumMembers: 1\nFlavors: {flavours}\nMZ: {SCALE}\n"
        f"AlphaS_MZ: {ALPHA_S}\nXMin: {float(x[0])}\nXMax: 1\nQMin: {q[0]}\nQMax: {q[-1]}\n",
        encoding="ascii",
    )
    head = ["PdfType: central", "Format: lhagrid1", "---", " ".join(x), " ".join(f"{value:.12g}" for value in q)]
    text = [*head, " ".join(map(str, flavours)), *(" ".join(row.split()) for row in rows), "---"]
    (folder / f"{_SET}_0000.dat").write_text("\n".join(text) + "\n", encoding="ascii")


def from_library(folder: Path, sampler: str, evaluations: int, seed: int = 1, pdf: str | None = None) -> Section:
    """The cross section of the example's card with one sampler.

    Arguments:
        folder: for the run, not there yet.
        sampler: ``"flow"`` or ``"vegas"``.
        evaluations: of the integration.
        pdf: another set than that of the card.
    """
    from plugin.card import load_card
    from plugin.card.load import override
    from plugin.run import run as run_card

    card = load_card(CARD)
    artifact = Path(os.environ["BINNIS_UMAMI_TTG"])
    process = card.process.model_dump(mode="json") | {
        "library": str(umami_library(artifact)), "param_card": str(artifact), **({"pdf": pdf} if pdf else {}),
    }  # fmt: skip
    integration = {"evaluations": evaluations}
    given = override(card, process=process, sampler=sampler, seed=seed, events=0, integration=integration)
    found = run_card(given, folder, quiet=True).integral
    return Section(float(found.mean), float(found.error))


def from_madgraph(directory: Path, events: int, mode: str = "vegas", seed: int = 1) -> tuple[Section, float]:
    """MadGraph's cross section with the same scales and cuts, and the strong coupling that its events name."""
    from mcbridge.lhe import EventFile

    fixed = {"fixed_ren_scale": True, "fixed_fac_scale": True, "scale": SCALE, "dsqrt_q2fact1": SCALE}
    limits = {"dsqrt_q2fact2": SCALE, "ptj": 20, "etaj": 5}
    found = launch(directory, f"fixed_{mode}", mode, events, 100 + seed, **fixed, **limits)
    block = next(iter(EventFile(directory / "Events" / f"fixed_{mode}" / "unweighted_events.lhe.gz")))
    section = Section(found.summary["cross_section_pb"], found.summary["cross_section_error_pb"])
    return section, float(block.alpha_s[0])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--events", type=int, default=100_000, help="events of MadGraph [100000]")
    parser.add_argument("--evaluations", type=int, default=2_000_000, help="of each integration [2000000]")
    parser.add_argument("--work", default="runs/fixed_scale", help="new folder for all that is made [runs/fixed_scale]")


def run(arguments: argparse.Namespace) -> None:
    """Compute the three numbers and print them."""
    try:
        mg5()
        if "BINNIS_UMAMI_TTG" not in os.environ:
            raise UserError("BINNIS_UMAMI_TTG is not set; it must name the artifact of pyamplicol")
        work = Path(arguments.work).resolve()
        nn23lo1(work / "pdf")
        os.environ["LHAPDF_DATA_PATH"] = str(work / "pdf")
        sections = {name: from_library(work / name, name, arguments.evaluations) for name in ("vegas", "flow")}
        directory = prepare(PROCESSES["ttbar+gluon"], work / "madgraph")
        sections["MadGraph"], coupling = from_madgraph(directory, arguments.events)
    except UserError as error:
        sys.exit(f"benchmarks fixed_scale: {error}")
    reference = sections["MadGraph"]
    rows: list[list[Any]] = [
        [name, f"{found.value:.5g} +- {found.error:.2g}", found.error / found.value, found.distance(reference)]
        for name, found in sections.items()
    ]
    print_table(
        f"g g > t t~ g, 13 TeV, scales {SCALE} GeV, alpha_s {ALPHA_S} (MadGraph's events: {coupling:.6g})",
        ("", "pb", "relative error", "sigma to MadGraph"),
        rows,
    )
    store(arguments.json, {name: vars(found) for name, found in sections.items()} | {"alpha_s": coupling})
