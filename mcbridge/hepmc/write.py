"""Les Houches events as HepMC3 events: every particle, weight and attribute, and vertices made from the mothers."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.files import atomic
from mcbridge.integrands.protocol import Array
from mcbridge.lhe import read
from mcbridge.lhe.read import EventArrays, EventFile
from mcbridge.lhe.stream import is_compressed

__all__ = ["NOMINAL", "lhe_to_hepmc3", "require_pyhepmc"]

NOMINAL = "nominal"
"""Name of the first weight, XWGTUP."""

_LEVEL = 4  # of gzip: faster than the default, files a fifth larger
# HepMC3 (arXiv:1912.08005, section 4): 1 final, 2 decayed, 4 incoming beam; other generators use 11 to 200.
_STATUS = {-1: 4, 1: 1, 2: 2, 3: 2, -2: 11, -9: 4}


def require_pyhepmc() -> None:
    """UserError where pyhepmc is not installed."""
    if importlib.util.find_spec("pyhepmc") is None:
        raise UserError("the format hepmc3 needs the package pyhepmc: pip install 'binnis[hepmc]'")


def lhe_to_hepmc3(source: str | Path, target: str | Path) -> int:
    """Write the events of a Les Houches file as HepMC3 (ASCII), whole or not at all.

    Momenta and masses are in GeV. The incoming partons have status 4: they are the beams of the event, and what is
    left of the protons is in no event file of the hard process; x and scale are in the ``GenPdfInfo``. The first
    weight is XWGTUP [pb] under the name ``nominal``, then come the alternative weights under their ids. The
    ``GenCrossSection`` has the cross section of every weight, that of the file times the ratio of the sums of
    weights, and the error of the file. Scale, couplings, process number and the attributes of the event tag
    (``sigma_stat``, ``sigma_th``) are attributes, colour lines those of the particles (``flow1``, ``flow2``).

    Arguments:
        source: event file, plain or gzip.
        target: HepMC3 file; gzip where the name ends in ``.gz``.

    Returns:
        number of events.

    Raises:
        UserError: pyhepmc is not installed, or a file cannot be read or written.
    """
    require_pyhepmc()
    import pyhepmc

    file = read(source)
    names, sums = _sums(file)
    run = _run_info(file, names)
    sections = file.cross_section * (sums / sums[0] if sums[0] != 0.0 else np.ones(len(sums)))
    energies = (float(file.init.initInfo.energyA), float(file.init.initInfo.energyB))
    number = 0
    with atomic(target) as temporary, ExitStack() as stack:
        stream: Any = stack.enter_context(temporary.open("wb"))
        if is_compressed(target):  # no name and no time: the same events give the same bytes
            stream = stack.enter_context(gzip.GzipFile("", "wb", _LEVEL, stream, mtime=0))
        with pyhepmc.open(stream, "w") as output:
            for block in file:
                weights = _weights(block, names)
                for row in range(len(block)):
                    event = pyhepmc.GenEvent(pyhepmc.Units.GEV, pyhepmc.Units.MM)
                    event.run_info, event.event_number = run, number
                    event.weights = weights[row]
                    _fill(event, block, row, energies)
                    event.cross_section = _cross_section(sections, file.error, event)
                    output.write(event)
                    number += 1
    return number


def _sums(file: EventFile) -> tuple[list[str], Array]:
    """Names of the alternative weights, and the sums of all weights, XWGTUP first."""
    names = [name for group in file.weight_ids.values() for name in group]
    total = np.zeros(1 + len(names))
    for block in file:
        total += np.sum(_weights(block, names), axis=0)
    return names, total


def _weights(block: EventArrays, names: Sequence[str]) -> Array:
    """(n, 1 + names) weights; an event that lacks an alternative weight has its own there."""
    columns = [block.weight]
    for name in names:
        found = block.weights.get(name, block.weight)
        columns.append(np.where(np.isnan(found), block.weight, found))
    return np.stack(columns, axis=1)


def _run_info(file: EventFile, names: Sequence[str]) -> Any:
    import pyhepmc

    run = pyhepmc.GenRunInfo()
    version = file.figures.get("versions", {}).get("binnis", "") if "binnis" in file.header else ""
    run.tools = [pyhepmc.GenRunInfo.ToolInfo("binnis", str(version), "hard process")]
    run.weight_names = [NOMINAL, *names]
    return run


def _cross_section(sections: Array, error: float, event: Any) -> Any:
    import pyhepmc

    found = pyhepmc.GenCrossSection()
    event.cross_section = found  # the event tells how many weights there are
    found.set_cross_section(float(sections[0]), error)
    for index, value in enumerate(sections):
        found.set_xsec(index, float(value))
    return found


def _fill(event: Any, block: EventArrays, row: int, energies: tuple[float, float]) -> None:
    """Particles, vertices and attributes of one event."""
    import pyhepmc

    particles = []
    for momentum, pid, status, mass in zip(
        block.momenta[row], block.pdg_ids[row], block.status[row], block.masses[row], strict=True
    ):
        energy, px, py, pz = (float(component) for component in momentum)
        particle = pyhepmc.GenParticle((px, py, pz, energy), int(pid), _STATUS.get(int(status), 11))
        particle.generated_mass = float(mass)
        particles.append(particle)
    _connect(event, particles, block.mothers[row])
    for particle, (colour, anticolour) in zip(particles, block.colours[row], strict=True):
        if colour or anticolour:
            particle.attributes["flow1"], particle.attributes["flow2"] = int(colour), int(anticolour)
    attributes = event.attributes
    attributes["signal_process_id"] = int(block.process_id[row])
    attributes["event_scale"] = float(block.scale[row])
    attributes["alphaQCD"], attributes["alphaQED"] = float(block.alpha_s[row]), float(block.alpha_qed[row])
    for name, values in block.attributes.items():
        if np.isfinite(values[row]):
            attributes[name] = float(values[row])
    incoming = [k for k, status in enumerate(block.status[row]) if status == -1]
    if len(incoming) == 2:
        information = pyhepmc.GenPdfInfo()
        information.parton_id1, information.parton_id2 = (int(block.pdg_ids[row, k]) for k in incoming)
        first, second = (float(block.momenta[row, k, 0]) for k in incoming)
        information.x1, information.x2 = first / energies[0], second / energies[1]
        information.scale = float(block.scale[row])
        event.pdf_info = information


def _connect(event: Any, particles: list[Any], mothers: Any) -> None:
    """One vertex for each set of mothers; a particle ends in one vertex only."""
    import pyhepmc

    ends: dict[int, Any] = {}
    for particle, (first, last) in zip(particles, mothers, strict=True):
        parents = [k for k in range(int(first), max(int(first), int(last)) + 1) if k > 0]
        if not parents:
            continue
        vertex = next((ends[k] for k in parents if k in ends), None)
        if vertex is None:
            vertex = pyhepmc.GenVertex()
            event.add_vertex(vertex)
        for parent in parents:
            if parent not in ends:
                vertex.add_particle_in(particles[parent - 1])
                ends[parent] = vertex
        vertex.add_particle_out(particle)
