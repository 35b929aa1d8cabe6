"""Uncertainties for any event file: read, learn one Bayesian flow a final state, write every event with its weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.files import atomic
from mcbridge.integrands.protocol import Array
from mcbridge.lhe.declared import declared_groups
from mcbridge.lhe.raw import RawBlock, RawFile
from mcbridge.lhe.splice import attribute_text, insert_into_event, insert_into_preamble, pdf_of_init
from mcbridge.lhe.stream import OutputStream, is_compressed
from mcbridge.preprocessing import Coordinates, FinalState
from mcbridge.preprocessing.reader import Reader
from mcbridge.random import Streams
from mcbridge.uncertainties.generator_weights import GeneratorWeights
from mcbridge.uncertainties.record import ATTRIBUTE, GROUP, weight_group
from mcbridge.uncertainties.systematic import ATTRIBUTE as SYST
from mcbridge.uncertainties.systematic import Systematic, Variations
from mcbridge.uncertainties.theory import THEORY
from mcbridge.version import __version__
from plugin.annotate.collect import Collected, Group, collect
from plugin.annotate.learn import DivergedError, GroupDensity, LearnConfig, learn_group

__all__ = ["Annotation", "GroupResult", "annotate"]

log = logging.getLogger("plugin.annotate")

_ENOUGH = 20_000  # events that show what is constant in all of them

Progress = Callable[[str, int, int], None]
"""Called with a stage, what is done and what is planned."""


@dataclass
class GroupResult:
    """What became of the events of one final state.

    Attributes:
        state: the final state.
        events, negative: number of events, and of those with negative weight.
        effective: Kish effective number of all events.
        density: what was learned; None where there are no uncertainties.
        note: why not.
        outside: events outside the range of those that were learned from; they have the density of its edge.
        sums: (M,), sums of ``XWGTUP p(x|theta_m)/p(x)`` over the events.
        total: sum of XWGTUP over the same events.
        sigma: sum of ``sigma_stat`` over the events.
    """

    state: FinalState
    events: int
    negative: int
    effective: float
    density: GroupDensity | None = None
    note: str = ""
    outside: int = 0
    sums: Array = field(default_factory=lambda: np.zeros(0))
    total: float = 0.0
    sigma: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """What the header says of the group."""
        content: dict[str, Any] = {
            "final_state": self.state.name,
            "events": self.events,
            "negative_events": self.negative,
            "effective_events": round(self.effective, 1),
        }
        if self.density is None:
            return {**content, "uncertainties": "none", "reason": self.note}
        return {**content, **self.density.information}


@dataclass
class Annotation:
    """What an annotation leaves behind.

    Attributes:
        path: the new file.
        events: number of events.
        groups: by final state.
        theory: weights of the generator that ``sigma_th`` was found from.
        header: the content of the header block ``binn``.
    """

    path: Path
    events: int
    groups: list[GroupResult]
    theory: GeneratorWeights
    header: dict[str, Any]


def annotate(
    source: str | Path,
    output: str | Path,
    config: LearnConfig | None = None,
    *,
    seed: int = 1,
    weights: bool = True,
    training_events: int = 100_000,
    min_events: int = 1000,
    jets: bool = False,
    absolute: bool = False,
    pdf_errors: str | None = None,
    systematic: Systematic | None = None,
    on_progress: Progress | None = None,
) -> Annotation:
    """Write a copy of an event file in which the events carry their uncertainties.

    Every byte of the source is kept in its place. Added are: attributes ``sigma_stat`` and, where the generator has
    written weights of other scales or PDF members, ``sigma_th`` in the tag of every event; weights ``binn_001``, ... at
    the end of its ``<rwgt>``; their declaration in ``<initrwgt>``; a header block ``binn``. For each final state with
    enough events a flow and then a Bayesian flow learn the density of the events (arXiv:2104.04543); the replica weight
    is ``XWGTUP p(x|theta_m)/p(x)``. The file is read twice; memory does not grow with its length.

    Arguments:
        source: event file, plain or gzip.
        output: file to make, gzip where its name ends in ``.gz``.
        config: settings of the learning.
        seed: of all random numbers; the same seed, settings and instruction set give the same file.
        weights: whether every event carries all replica weights.
        training_events: most events of a final state that are learned from and compared with.
        min_events: effective number of events below which a final state gets no uncertainties.
        jets: whether light quarks and gluons count as the same particle.
        absolute: learn the density of the absolute weights where there are negative ones.
        pdf_errors: error type of the PDF set, where the file does not name it.
        systematic: a nuisance parameter, from which the events get ``sigma_syst``.
        on_progress: called with stage, done and planned.

    Raises:
        UserError: something in the file or the arguments is wrong; nothing is written then.
    """
    config = config or LearnConfig()
    source, output = Path(source), Path(output)
    for name, value, least in (("--training-events", training_events, 100), ("--min-events", min_events, 100)):
        if value < least:
            raise UserError(f"{name} is {value}; it must be at least {least}")
    if seed < 0:
        raise UserError(f"--seed is {seed}; it must not be negative")
    if output.exists():
        raise UserError(f"--output: {output} exists already; name a new file")
    if not output.parent.is_dir():
        raise UserError(f"--output: the folder {output.parent} does not exist")
    tell = on_progress or (lambda stage, done, planned: None)
    file = RawFile(source, on_progress=lambda done, planned: tell("Reading (MB)", done >> 20, planned >> 20))
    declared = declared_groups(file.preamble)
    if any(weight.id.startswith(f"{GROUP}_") for group in declared for weight in group.weights):
        raise UserError(f"{source} declares weights {GROUP}_... already; annotate the file without them")
    streams = Streams(seed)
    reader = Reader(jets)
    theory = GeneratorWeights.of_groups(declared, pdf_of_init(file.preamble), pdf_errors)
    variations = None if systematic is None else Variations(systematic)
    found = collect(file, reader, theory, training_events, streams, absolute, variations)
    if SYST in found.attributes:
        variations = None
    if theory and not theory.events:
        theory = found.theory = GeneratorWeights(
            notes=["weights of scales or PDF members are declared, but no event has all"]
        )
    groups = _learn(found, config, streams, min_events, absolute, tell)
    header = _header(found, groups, config, seed, weights, absolute, variations)
    nothing_else = variations is None and (not theory or THEORY in found.attributes)
    if nothing_else and all(group.density is None for group in groups.values()):
        reasons = "; ".join(f"{group.state.name}: {group.note}" for group in list(groups.values())[:5])
        raise UserError(f"no event of {source} can be given uncertainties: {reasons}")
    learned = any(group.density is not None for group in groups.values())
    declaration = weight_group(config.replicas) if weights and learned else None
    file.on_progress = lambda done, planned: tell("Writing (MB)", done >> 20, planned >> 20)
    with atomic(output) as temporary, OutputStream(temporary, is_compressed(output), config.threads) as stream:
        stream.write_bytes(insert_into_preamble(file.preamble, declaration, {"binn": header}))
        for block in file:
            for text in _annotated(block, reader, groups, found, variations, weights, config.threads):
                stream.write_bytes(text)
        stream.write_bytes(file.tail)
    return Annotation(output, found.events, list(groups.values()), theory, header)


def _learn(
    found: Collected,
    config: LearnConfig,
    streams: Streams,
    min_events: int,
    absolute: bool,
    tell: Progress,
) -> dict[FinalState, GroupResult]:
    """The Bayesian flows of all groups that have enough events."""
    results: dict[FinalState, GroupResult] = {}
    for state, group in found.groups.items():
        result = results[state] = GroupResult(state, group.events, group.negative, group.effective)
        momenta, masses, weight = group.sample()
        learned = np.abs(weight) if absolute else np.maximum(weight, 0.0)
        result.note = _reason(group, learned, min_events, absolute)
        if not result.note:
            few = slice(None, None, max(1, len(weight) // _ENOUGH))
            coordinates = Coordinates(momenta[few], masses[few], group.resonances.chosen())
            if not coordinates.dim:
                result.note = "its phase space has no free coordinate"
            else:
                stage = f"Bayesian flow {len(results)}/{len(found.groups)}"
                try:
                    result.density = learn_group(
                        coordinates,
                        coordinates(momenta, masses),
                        learned,
                        config,
                        streams,
                        group.number,
                        lambda done, planned, stage=stage: tell(stage, done, planned),  # type: ignore[misc]
                    )
                    result.sums = np.zeros(config.replicas)
                except DivergedError as error:
                    result.note = f"the training diverged: {error}"
        if result.note:
            log.info("%s: no uncertainties: %s", state.name, result.note)
        group.forget()
    return results


def _reason(group: Group, learned: Array, min_events: int, absolute: bool) -> str:
    """Why a group gets no uncertainties; empty where it does."""
    squares = float(np.sum(learned**2))
    effective = float(np.sum(learned)) ** 2 / squares if squares > 0.0 else 0.0
    if not absolute and group.negative_share > 1e-2:
        return f"{group.negative} of its {group.events} events have negative weights"
    if min(effective, group.effective) < min_events:
        return f"{min(effective, group.effective):.0f} effective events are fewer than {min_events} (--min-events)"
    return ""


def _header(
    found: Collected,
    groups: dict[FinalState, GroupResult],
    config: LearnConfig,
    seed: int,
    weights: bool,
    absolute: bool,
    variations: Variations | None,
) -> dict[str, Any]:
    learned = [group for group in groups.values() if group.density is not None]
    content: dict[str, Any] = {
        "mode": "annotate",
        "binnis": __version__,
        "seed": seed,
        "events": found.events,
        "replicas": config.replicas if learned else 0,
        "prior": {"distribution": "normal", "width": config.prior},
        "sigma_stat": "relative standard deviation of p(x|theta_m) over the replicas, not calibrated",
        "weights": "binn_m = XWGTUP p(x|theta_m)/p(x), p the mean over the replicas, in the final state of the event"
        if weights
        else "not written",
        "learned": "density of the absolute weights" if absolute else "density of the events",
        "calibration": "none: the file holds no exact weights; held_out compares histograms of events that were not"
        " learned from with those of the replicas",
        "groups": [group.as_json() for group in groups.values()],
    }
    if found.theory or found.theory.notes:
        content["theory"] = found.theory.as_json()
    if variations is not None:
        content["systematic"] = variations.as_json()
    content |= {name: "that of the source, unchanged" for name in (THEORY, SYST) if name in found.attributes}
    return content


def _annotated(
    block: RawBlock,
    reader: Reader,
    groups: dict[FinalState, GroupResult],
    found: Collected,
    variations: Variations | None,
    weights: bool,
    threads: int,
) -> list[bytes]:
    """The text of the events of a block with their uncertainties, gaps included."""
    n = len(block)
    weight = np.zeros(n)
    sigma, systematic = np.full(n, np.nan), np.full(n, np.nan)
    texts: list[bytes] = [b""] * n
    for state, _, records, momenta, masses in reader.parts(block):
        weight[records.rows] = records.weight
        if variations is not None:
            systematic[records.rows] = variations.sigma(state, momenta)
        group = groups[state]
        if group.density is None:
            continue
        density, outside = group.density(momenta, masses, threads)
        ratios = density.ratios
        sigma[records.rows] = density.relative
        group.outside += outside
        group.sums += records.weight @ ratios
        group.total += float(np.sum(records.weight))
        group.sigma += float(np.sum(density.relative))
        if weights:
            template = _template(ratios.shape[1])
            for row, values in zip(records.rows, (records.weight[:, None] * ratios + 0.0).tolist(), strict=True):
                texts[row] = template % tuple(values)
    theory = np.full(n, np.nan)
    if found.theory and THEORY not in found.attributes:
        theory = found.theory.sigma(found.theory.table(block.events), weight)
    result = []
    for place in range(n):
        columns = ((ATTRIBUTE, sigma), (SYST, systematic), (THEORY, theory))
        attributes = b"".join(attribute_text(name, values[place]) for name, values in columns)
        event = block.events[place]
        if attributes or texts[place]:
            event = insert_into_event(event, attributes, texts[place])
        result.append(block.gaps[place] + event)
    return result


def _template(replicas: int) -> bytes:
    return "".join(f"<wgt id='{name}'> %.6e </wgt>\n" for name in weight_group(replicas).ids).encode()
