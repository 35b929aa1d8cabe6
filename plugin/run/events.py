"""From the frozen sampler to the event file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mcbridge import core
from mcbridge.hepmc import lhe_to_hepmc3
from mcbridge.integration import Integral, fresh_weights
from mcbridge.integration.chunks import CHUNK
from mcbridge.lhe import RunInfo, join_parts
from mcbridge.lhe.parts import PartOfFile
from mcbridge.samplers import Sampler
from mcbridge.scaling import EventParts, InProcess, Threads
from mcbridge.unweighting import (
    UnweightingStatus,
    UnweightingTotals,
    largest_weights,
    policy_named,
    unweight_elsewhere,
)
from plugin.card import Card, dump_card
from plugin.choice import Decision
from plugin.run.chunks import chunk_map
from plugin.run.folder import RunFolder
from plugin.run.state import State
from plugin.run.summary import versions
from plugin.run.systematic import add_sigma_syst
from plugin.run.uncertainties import Record, make_record, write_surrogate

__all__ = ["MOST_KEPT", "MadeEvents", "finish_events", "join_events", "make_events", "write_surrogate_events"]

MOST_KEPT = 1_000_000
"""Points of an integration that are kept for the largest weights; a longer one is followed by as many fresh ones."""


@dataclass
class MadeEvents:
    """Unweighted events in parts, and what the file will say of them.

    Attributes:
        parts: in their order.
        maker: who made them.
        totals: figures of the unweighting.
        record: uncertainties of the events.
        info: header and ``<init>``.
    """

    parts: list[PartOfFile]
    maker: EventParts
    totals: UnweightingTotals
    record: Record
    info: RunInfo


def make_events(state: State, folder: RunFolder, sampler: Sampler, integral: Integral, choice: Decision) -> MadeEvents:
    """Unweight into parts; those that an earlier process has left are not done again.

    The largest weights come from the points of the integration, and so does the cross section in the file; the same
    points are the first trials.
    """
    assert state.workers is not None
    assert state.context is not None
    card = state.card
    trials, record, w_max = _prepare(state, folder, sampler, integral)
    info = _info(state, integral, choice, w_max.tolist(), record)
    uncertain = record.sampler is not None
    context = state.context if uncertain else replace(state.context, replicas_file=None)
    theory = record.theory is not None
    files = [None if file is None else file.digest for file in (context.sampler_file, context.replicas_file)]
    settings = [card.seed, files, w_max.tolist(), card.scaling.chunk, record.weights, theory]
    stamp = hashlib.sha256(json.dumps(settings).encode()).hexdigest()
    maker = EventParts(
        state.workers, context, folder.checkpoints / "parts", stamp, record.weights, theory, state.charge
    )
    stream = unweight_elsewhere(
        state.process,  # an event source: build_process gives nothing else
        sampler,
        w_max,
        card.events,
        state.streams,
        maker.piece_map(),
        chunk=card.scaling.chunk,
        guard=state.guard,
        threads=state.threads,
        on_progress=state.progress.status("Unweighting", "events", "n_events", _note),
        trials=trials,
    )
    parts = []
    for part in stream:
        parts.append(part.of_file())
        if record.theory is not None and len(part.theory):
            record.theory.sums += part.theory[:-1]
            record.theory.central += float(part.theory[-1])
    return MadeEvents(parts, maker, stream.totals, record, info)


def join_events(state: State, folder: RunFolder, made: MadeEvents) -> dict[str, Any]:
    """Write ``events.lhe.gz`` from its parts; the figures of the unweighting."""
    live = state.progress.live("Events")
    maker = made.maker
    here = isinstance(maker.workers, InProcess)
    if here:  # compression does not wait for Python's lock
        maker.workers = Threads(state.card.threads)
    try:
        join_parts(folder.path / "events.lhe.gz", made.parts, made.info, maker.format_map, live, maker.shared)
    finally:
        if here:
            maker.workers.close()
    return {
        **made.totals.as_dict(),
        "policy": state.card.unweighting.policy,
        "uncertainties": made.record.as_json(),
    }


def write_surrogate_events(
    state: State, folder: RunFolder, sampler: Sampler, integral: Integral, choice: Decision
) -> dict[str, Any]:
    """Write events that are drawn from the Bayesian density alone; what there is to say of them."""
    _, record, w_max = _prepare(state, folder, sampler, integral)
    return write_surrogate(state, folder, record, _info(state, integral, choice, w_max.tolist(), record))


def _prepare(state: State, folder: RunFolder, sampler: Sampler, integral: Integral) -> tuple[Any, Record, Any]:
    """First trials, calibrated uncertainties, and largest weights (channels,)."""
    card = state.card
    trials = integral.samples
    if trials is None:
        trials = fresh_weights(
            state.process,
            sampler,
            MOST_KEPT,
            state.streams,
            purpose="largest weight",
            guard=state.guard,
            threads=state.threads,
            chunk=card.scaling.chunk or CHUNK,
            chunk_map=chunk_map(state, folder.checkpoints / "largest weight"),
        )
    record = make_record(state, trials, integral)
    policy = policy_named(card.unweighting.policy, quantile=card.unweighting.quantile)
    weights = [trials.event_weights[trials.channel == channel] for channel in range(state.process.channels)]
    w_max = np.asarray(largest_weights(weights, policy, state.streams.generator("largest weight policy")))
    return trials, record, w_max


def finish_events(state: State, folder: RunFolder, start: Path | None) -> dict[str, Any]:
    """What follows once all events are in ``events.lhe.gz``: ``sigma_syst``, other formats.

    Arguments:
        state, folder: of the run.
        start: where relative paths in the card start; None for the working directory.
    """
    systematic = add_sigma_syst(state, folder.path / "events.lhe.gz", start)
    if "hepmc3" in state.card.formats:
        lhe_to_hepmc3(folder.path / "events.lhe.gz", folder.path / "events.hepmc.gz")
    return {} if systematic is None else {"systematic": systematic}


def _info(state: State, integral: Integral, choice: Decision, w_max: list[float], record: Record) -> RunInfo:
    """Header and ``<init>``."""
    card = state.card
    process: Any = state.process.integrand
    return RunInfo(
        cross_section=integral.mean,
        error=integral.error,
        beams=process.beams,
        energies=process.energies,
        pdf_ids=process.pdf_ids,
        absolute=integral.absolute if integral.negative_fraction > 1e-3 else None,
        processes=process.subprocesses,
        card=_of_physics(card),
        figures={
            "sampler": choice.sampler,
            "cross_section_pb": integral.mean,
            "cross_section_error_pb": integral.error,
            "chi2": integral.chi2,
            "dof": integral.dof,
            "relative_std": integral.rsd,
            "w_max": w_max,
            "mode": card.mode,
            "policy": card.unweighting.policy,
            "instruction_set": core.instruction_set(),
        },
        versions=versions(),
        seed=card.seed,
        generator=("binnis", versions()["binnis"]),
        **record.declarations(),
    )


def _of_physics(card: Card) -> str:
    """The card without where the work was done: the file is the same wherever that is."""
    where = type(card.scaling)(chunk=card.scaling.chunk, block=card.scaling.block)
    return dump_card(card.model_copy(update={"scaling": where}))


def _note(status: UnweightingStatus) -> str:
    return f"efficiency {status.efficiency:.3g}, {status.cross_section:.6g} +- {status.error:.2g} pb"
