"""g g > t t~ g at 13 TeV, fixed scales: flow and VEGAS with a library of pyamplicol, and MadGraph at the same scales.

BINNIS_UMAMI_TTG names the artifact (docs/benchmarks.md), MG5_DIR MadGraph; without it the PDFs are the built-in ones.
"""

from __future__ import annotations

import os

import pytest

from benchmarks.fixed_scale import ALPHA_S, from_library, from_madgraph, nn23lo1
from benchmarks.madgraph import PROCESSES, prepare

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("BINNIS_UMAMI_TTG" not in os.environ, reason="BINNIS_UMAMI_TTG names no g g > t t~ g artifact"),
]
with_madgraph = pytest.mark.skipif(not os.environ.get("MG5_DIR"), reason="MG5_DIR does not name a MadGraph5_aMC@NLO")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("fixed")


@pytest.fixture(scope="module")
def sections(work):
    """Cross sections with both samplers, at 0.3% or better."""
    pdf = None if os.environ.get("MG5_DIR") else "builtin"
    with pytest.MonkeyPatch.context() as patch:
        if pdf is None:
            nn23lo1(work / "pdf")
            patch.setenv("LHAPDF_DATA_PATH", str(work / "pdf"))
        return {name: from_library(work / name, name, 700_000, pdf=pdf) for name in ("vegas", "flow")}


def test_flow_and_vegas_agree(sections):
    for found in sections.values():
        assert found.error < 0.003 * found.value
    assert abs(sections["flow"].distance(sections["vegas"])) < 3


@with_madgraph
def test_madgraph_finds_the_same(sections, work):
    directory = prepare(PROCESSES["ttbar+gluon"], work / "madgraph")
    found, coupling = from_madgraph(directory, 50_000)
    assert found.error < 0.003 * found.value
    assert coupling == pytest.approx(ALPHA_S, rel=1e-5)
    for other in sections.values():
        assert abs(found.distance(other)) < 3
