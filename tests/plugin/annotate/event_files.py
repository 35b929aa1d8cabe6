"""Event files as MadGraph, Sherpa and others write them, of densities that are known."""

from __future__ import annotations

import numpy as np

MADGRAPH_HEADER = """<LesHouchesEvents version="3.0">
<header>
<!--
#*********************************************************************
#   hand-written in the manner of MadGraph5_aMC@NLO
-->
<MGVersion>
3.5.7
</MGVersion>
<MG5ProcCard>
<![CDATA[
generate p p > e+ e-   # a < b & </header> <initrwgt>
]]>
</MG5ProcCard>
<initrwgt>
<weightgroup name="Central scale variation" combine="envelope">
<weight id="1" MUR="0.5" MUF="0.5" PDF="247000" > MUR=0.5 MUF=0.5  </weight>
<weight id="2" MUR="2.0" MUF="2.0" PDF="247000" > MUR=2.0 MUF=2.0  </weight>
</weightgroup> # scale
</initrwgt>
<MGGenerationInfo>
#  Integrated weight (pb)  :       839.2
</MGGenerationInfo>
</header>
<init>
2212 2212 6.500000e+03 6.500000e+03 0 0 247000 247000 -4 1
8.392000e+02 4.900000e+00 8.392000e+02 1
<generator name='MadGraph5_aMC@NLO' version='3.5.7'>please cite 1405.0301 </generator>
</init>
"""
SHERPA_HEADER = """<LesHouchesEvents version="1.0">
<header>
<!--\x20
# created by SHERPA 3.0.3
-->\x20
</header>
<init>
  2212   2212        6500        6500   0   0  93300  93300    3    1
                 1                  1                  1    1
</init>
"""
BARE_HEADER = "<LesHouchesEvents version='1.0'>\r\n<init>\r\n11 -11 120. 120. 0 0 0 0 1 1\r\n2. 0.1 2. 1\r\n</init>\r\n"
END = "</LesHouchesEvents>\n"


def line(pdg, status, mothers, momentum, mass=0.0):
    energy, x, y, z = momentum
    numbers = f"{x:+.10e} {y:+.10e} {z:+.10e} {energy:.10e} {mass:.10e}"
    return f"{pdg:9d} {status:2d} {mothers[0]:3d} {mothers[1]:3d}   0   0 {numbers} 0.0000e+00 9.0"


def pair(generator, n):
    """Momenta (n, 2, 4) of lepton pairs: a resonance, moving along the beam, decaying with 1 + cos^2."""
    mass = 91.2 + 1.25 * np.tan(np.pi * (generator.random(n) * 0.9 - 0.45))
    rapidity = generator.normal(0.0, 1.5, n)
    cos = one_plus_square(generator, n)
    phi = generator.uniform(0.0, 2.0 * np.pi, n)
    sin = np.sqrt(1.0 - cos**2)
    direction = np.stack([sin * np.cos(phi), sin * np.sin(phi), cos], axis=1)
    half = 0.5 * mass[:, None]
    first = np.concatenate([half, half * direction], axis=1)
    second = np.concatenate([half, -half * direction], axis=1)
    momenta = np.stack([first, second], axis=1)
    cosh, sinh = np.cosh(rapidity)[:, None], np.sinh(rapidity)[:, None]
    energy, z = momenta[..., 0].copy(), momenta[..., 3].copy()
    momenta[..., 0], momenta[..., 3] = cosh * energy + sinh * z, sinh * energy + cosh * z
    return momenta


def one_plus_square(generator, n):
    """cos(theta) with the density 3/8 (1 + cos^2)."""
    # the cube root form of the inverse of (x^3 + 3 x + 4)/8
    a = 4.0 * generator.random(n) - 2.0
    root = np.cbrt(a + np.sqrt(a**2 + 1.0))
    return root - 1.0 / root


def madgraph(n, seed=1, weight=839.2, header=MADGRAPH_HEADER, resonance=True):
    """pp -> e+ e- with <mgrwt> and <rwgt>, the Z in the record where it is near its mass shell."""
    generator = np.random.default_rng(seed)
    events = []
    weights = np.broadcast_to(weight, n)
    for momenta, w in zip(pair(generator, n), weights, strict=True):
        total = momenta.sum(axis=0)
        mass = np.sqrt(total[0] ** 2 - total[3] ** 2)
        with_z = resonance and abs(mass - 91.2) < 15 * 2.5
        plus, minus = 0.5 * (total[0] + total[3]), 0.5 * (total[0] - total[3])
        lines = [line(2, -1, (0, 0), (plus, 0, 0, plus)), line(-2, -1, (0, 0), (minus, 0, 0, -minus))]
        if with_z:
            lines.append(line(23, 2, (1, 2), total, mass))
        mothers = (3, 3) if with_z else (1, 2)
        lines += [line(-11, 1, mothers, momenta[0]), line(11, 1, mothers, momenta[1])]
        events.append(
            f"<event>\n{len(lines):2d}      1 {w:+.7e} {mass:.8e} 7.54677100e-03 1.18e-01\n"
            + "\n".join(lines)
            + "\n<mgrwt>\n<rscale>  0 0.91188000E+02</rscale>\n<totfact> 0.2E+05</totfact>\n</mgrwt>\n<rwgt>\n"
            + f"<wgt id='1'> {1.1 * w:+.7e} </wgt>\n<wgt id='2'> {0.9 * w:+.7e} </wgt>\n</rwgt>\n</event>\n"
        )
    return header + "".join(events) + END


def with_jet(generator, momenta):
    """A gluon that recoils against a pair: the pair is boosted across the beam."""
    jet = generator.uniform(-1, 1, (len(momenta), 3)) * 60.0
    energy = np.linalg.norm(jet, axis=1)
    result = np.zeros((len(momenta), 3, 4))
    result[:, :2] = momenta
    # momentum balance by shifting the first lepton, which stays massless
    result[:, 0, 1:3] -= jet[:, :2]
    result[:, 0, 0] = np.linalg.norm(result[:, 0, 1:], axis=1)
    result[:, 2] = np.concatenate([energy[:, None], jet], axis=1)
    return result


def sherpa(n, jets=0.4, seed=1):
    """pp -> e- e+ (+ g) with attributes in the event tag, a comment in an event, and no weights."""
    generator = np.random.default_rng(seed)
    plain = pair(generator, n)
    both = with_jet(generator, plain)
    text = [SHERPA_HEADER]
    for index in range(n):
        hard = generator.random() < jets
        momenta = both[index] if hard else plain[index]
        total = momenta.sum(axis=0)
        plus, minus = 0.5 * (total[0] + total[3]), 0.5 * (total[0] - total[3])
        ids = [11, -11, 21][: len(momenta)]
        lines = [line(2, -1, (0, 0), (plus, 0, 0, plus)), line(-2, -1, (0, 0), (minus, 0, 0, -minus))]
        lines += [line(pdg, 1, (1, 2), p) for pdg, p in zip(ids, momenta, strict=True)]
        trials = generator.integers(1, 20)
        text.append(
            f"<event trials='{trials}' muf2='8315.251344' mur2='8315.251344'>\n"
            f"   {len(lines)}    1   1.9761929135e+04   9.1188000000e+01  -1.0000000000e+00   1.1800022357e-01\n"
            + "\n".join(lines)
            + ("\n# a comment" if index % 7 == 0 else "")
            + "\n</event>\n"
        )
    return "".join([*text, END])


def muons(n, seed=1, weight=None):
    """e+ e- -> mu- mu+ at 240 GeV with 1 + cos^2, without a header, with the line ends of another system."""
    generator = np.random.default_rng(seed)
    cos, phi = one_plus_square(generator, n), generator.uniform(0.0, 2.0 * np.pi, n)
    weights = np.ones(n) if weight is None else weight(cos)
    sin = np.sqrt(1.0 - cos**2)
    text = [BARE_HEADER]
    for c, s, p, w in zip(cos, sin, phi, weights, strict=True):
        x, y, z = 120.0 * s * np.cos(p), 120.0 * s * np.sin(p), 120.0 * c
        lines = [
            line(11, -1, (0, 0), (120, 0, 0, 120)),
            line(-11, -1, (0, 0), (120, 0, 0, -120)),
            line(13, 1, (1, 2), (120, x, y, z)),
            line(-13, 1, (1, 2), (120, -x, -y, -z)),
        ]
        text.append("\r\n".join([f"<event>\r\n 4 1 {w:.6e} 240.0 0.0078 0.118", *lines, "</event>\r\n"]))
    return "".join([*text, "</LesHouchesEvents>\r\n"])
