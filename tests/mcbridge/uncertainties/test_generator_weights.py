"""sigma_th from the weights that generators write: their names, and the numbers that follow."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge.errors import UserError
from mcbridge.lhe.declared import declared_groups
from mcbridge.uncertainties.generator_weights import GeneratorWeights

PAIRS = [(r, f) for r in (0.5, 1.0, 2.0) for f in (0.5, 1.0, 2.0)]
SEVEN = [pair for pair in PAIRS if pair not in ((1.0, 1.0), (0.5, 2.0), (2.0, 0.5))]


def madgraph(members=5, combine="replicas", first=247000):
    """The declarations of MadGraph's systematics program: own ids for the dynamical scales, members by LHAPDF id."""
    lines = ["<initrwgt>", '<weightgroup name="Central scale variation" combine="envelope">']
    number = 0
    for r, f in PAIRS:
        if (r, f) != (1.0, 1.0):
            number += 1
            lines.append(f'<weight id="{number}" MUR="{r}" MUF="{f}" PDF="{first}" > MUR={r} MUF={f}  </weight>')
        number += 1
        lines.append(
            f'<weight id="{number}" MUR="{r}" MUF="{f}" DYN_SCALE="1" PDF="{first}" >'
            f" MUR={r} MUF={f} dyn_scale_choice=sum pt </weight>"
        )
    lines += ["</weightgroup> # scale", f'<weightgroup name="NNPDF" combine="{combine}"> # {first}: text']
    for member in range(members):
        number += 1
        lines.append(
            f'<weight id="{number}" MUR="1.0" MUF="1.0" PDF="{first + member}" > PDF={first + member} MemberID={member}'
            " </weight>"
        )
    lines += ["</weightgroup> # PDFSET -> PDFSET", "</initrwgt>"]
    return "\n".join(lines).encode()


def mcatnlo():
    lines = ["<initrwgt>", "<weightgroup type='scale_variation   -1' combine='envelope'>"]
    for number, (r, f) in enumerate(PAIRS):
        lines.append(f"<weight id='{1001 + number}'> dyn=  -1 muR=0.{int(r * 10):02d}000E+01 muF={f:.4E} </weight>")
    lines += ["</weightgroup>", "<weightgroup type='PDF_variation' combine='gaussian'>"]
    lines += [f"<weight id='{2001 + m}'> pdfset= {244601 + m} </weight>" for m in range(4)]
    return "\n".join([*lines, "</weightgroup>", "</initrwgt>"]).encode()


def sherpa(first=303400):
    names = [f"MUR{r:g}_MUF{f:g}_PDF{first}" for r, f in PAIRS] + [f"MUR1_MUF1_PDF{first + m}" for m in range(1, 5)]
    lines = [f'<weight id="{name}"> {name} </weight>' for name in names]
    return "\n".join(["<initrwgt>", '<weightgroup name="">', *lines, "</weightgroup>", "</initrwgt>"]).encode()


def sherpa_three(first=93300):
    names = [f"ME_ONLY_MUR={r:g}__MUF={f:g}__LHAPDF={first}" for r, f in PAIRS]
    names += [f"MUR={r:g}__MUF={f:g}__LHAPDF={first}" for r, f in PAIRS] + [f"LHAPDF={first + m}" for m in range(1, 5)]
    return "\n".join(["<initrwgt>", *(f"<weight id='{n}'>{n}</weight>" for n in names), "</initrwgt>"]).encode()


def powheg():
    lines = ["<initrwgt>", "<weightgroup name='nominal' combine='None'>", "<weight id='1'>default</weight>"]
    lines += ["</weightgroup>", "<weightgroup name='scales' combine='None'>"]
    lines += [f"<weight id='{10 + n}'>renscfact={r:g}d0 facscfact={f:g}d0</weight>" for n, (r, f) in enumerate(PAIRS)]
    return "\n".join([*lines, "</weightgroup>", "</initrwgt>"]).encode()


def meaning(text, **options):
    return GeneratorWeights.of_groups(declared_groups(text), **options)


@pytest.mark.parametrize("text", [madgraph(), mcatnlo(), sherpa(), sherpa_three(), powheg()])
def test_the_seven_point_variation_is_found_in_the_naming_of_every_generator(text):
    found = meaning(text, kind="replicas")
    assert len(found.scales) == 6
    assert found.notes == []


def test_members_are_combined_as_the_file_says():
    found = meaning(madgraph())
    assert len(found.members) == 5
    assert (found.kind, found.central, found.pdf) == ("replicas", True, 247000)
    assert meaning(madgraph(combine="hessian")).kind == "hessian"
    fewer = meaning(madgraph(members=7, combine="symmhessian+as"))
    assert (len(fewer.members), fewer.kind) == (5, "symmhessian")
    assert "vary alpha_s" in fewer.notes[0]
    old = meaning(mcatnlo())  # begins with member 1: XWGTUP is the central one
    assert (old.kind, old.central, old.pdf, len(old.members)) == ("replicas", False, 244600, 4)
    no_pairs = meaning(madgraph(members=6, combine="hessian"))
    assert no_pairs.members == ()
    assert "no pairs" in no_pairs.notes[0]


@pytest.mark.parametrize("text", [sherpa(), sherpa_three()])
def test_without_a_prescription_members_are_left_out_with_a_word_or_used_as_told(text):
    found = meaning(text)
    assert found.members == ()
    assert "--pdf-errors" in found.notes[0]
    told = meaning(text, kind="symmhessian")
    assert len(told.members) in (4, 5)
    with pytest.raises(UserError, match="did you mean 'hessian'"):
        meaning(text, kind="hesian")


def test_the_own_set_of_the_events_is_preferred():
    two = madgraph().replace(b"</initrwgt>", b"") + madgraph(first=303400).replace(b"<initrwgt>", b"").replace(
        b'id="', b'id="b'
    )
    found = meaning(two, pdf=247000)
    assert found.pdf == 247000
    assert "1 more set(s) were not" in found.notes[0]


def test_numbers_follow_envelope_and_prescription():
    found = meaning(madgraph(members=3))
    scale_values = dict(zip(found.scales, (1.1, 0.9, 1.3, 0.95, 1.0, 1.05), strict=True))
    member_values = dict(zip(found.members, (1.0, 0.8, 1.2), strict=True))

    def event(weight):
        lines = [
            f"<wgt id='{name}'> {weight * value:.6e} </wgt>"
            for name, value in {**scale_values, **member_values}.items()
        ]
        return "\n".join(["<event>", "<rwgt>", *lines, "</rwgt>", "</event>"]).encode()

    weight = np.array([2.0, -3.0, 1.0])
    table = found.table([event(2.0), event(-3.0), b"<event>\n</event>"])
    sigma = found.sigma(table, weight)
    # half of 1.3 - 0.9, and the standard deviation of 0.8 and 1.2
    assert sigma[:2] == pytest.approx(np.full(2, np.hypot(0.2, 0.4 / np.sqrt(2))), rel=1e-5)
    assert np.isnan(sigma[2])
    found.add(table, weight)
    figures = found.as_json()
    assert figures["events"] == 2
    assert figures["scale_envelope"] == pytest.approx(0.2, rel=1e-5)
    assert figures["pdf"] == pytest.approx(0.4 / np.sqrt(2), rel=1e-5)
    assert not meaning(b"<header></header>")
