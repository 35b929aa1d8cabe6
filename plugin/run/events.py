"""From the frozen sampler to the event file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mcbridge import core
from mcbridge.hepmc import lhe_to_hepmc3
from mcbridge.integration import Integral, fresh_weights
from mcbridge.lhe import RunInfo, write
from mcbridge.samplers import Sampler
from mcbridge.unweighting import UnweightingStatus, largest_weights, policy_named, unweight
from plugin.card import dump_card
from plugin.choice import Decision
from plugin.run.folder import RunFolder
from plugin.run.summary import versions
from plugin.run.uncertainties import Record, make_record, write_surrogate

if TYPE_CHECKING:
    from plugin.run.pipeline import State

__all__ = ["MOST_KEPT", "write_events"]

MOST_KEPT = 1_000_000
"""Points of an integration that are kept for the largest weights; a longer one is followed by as many fresh ones."""


def write_events(
    state: State, folder: RunFolder, sampler: Sampler, integral: Integral, choice: Decision
) -> dict[str, Any]:
    """Unweight and write ``events.lhe.gz``; the figures of the unweighting.

    The largest weights come from the points of the integration, and so does the cross section in the file; the same
    points are the first trials.
    """
    card = state.card
    policy = policy_named(card.unweighting.policy, quantile=card.unweighting.quantile)
    trials = integral.samples
    if trials is None:
        trials = fresh_weights(
            state.process, sampler, MOST_KEPT, state.streams, purpose="largest weight",
            guard=state.guard, threads=card.threads,
        )  # fmt: skip
    record = make_record(state, trials, integral)
    weights = [trials.event_weights[trials.channel == channel] for channel in range(state.process.channels)]
    w_max = largest_weights(weights, policy, state.streams.generator("largest weight policy"))
    if card.mode == "surrogate":
        figures = write_surrogate(state, folder, record, _info(state, integral, choice, w_max.tolist(), record))
        _other_formats(state, folder)
        return figures
    progress = state.progress.status("Events", "events", "n_events", _note)
    stream = unweight(
        state.process,  # an event source: build_process gives nothing else
        sampler,
        w_max,
        card.events,
        state.streams,
        guard=state.guard,
        threads=card.threads,
        on_progress=progress,
        trials=trials,
    )
    info = _info(state, integral, choice, w_max.tolist(), record)
    write(folder.path / "events.lhe.gz", record.events(stream), info, threads=card.threads)
    _other_formats(state, folder)
    return {**stream.totals.as_dict(), "policy": card.unweighting.policy, "uncertainties": record.as_json()}


def _other_formats(state: State, folder: RunFolder) -> None:
    if "hepmc3" in state.card.formats:
        lhe_to_hepmc3(folder.path / "events.lhe.gz", folder.path / "events.hepmc.gz")


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
        card=dump_card(card),
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


def _note(status: UnweightingStatus) -> str:
    return f"efficiency {status.efficiency:.3g}"
