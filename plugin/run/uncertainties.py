"""Uncertainties of the events of a run: Bayesian flow, replicas, calibration, and what the event file says of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mcbridge.errors import UserError
from mcbridge.events import WeightedEvents
from mcbridge.integrands import Evaluation
from mcbridge.integration import Integral, Samples
from mcbridge.lhe import RunInfo, WeightGroup, write
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties import (
    Calibration,
    calibrate,
    header_block,
    positive_part,
    weight_group,
    with_uncertainties,
)
from mcbridge.uncertainties.record import ATTRIBUTE
from mcbridge.uncertainties.surrogate import SurrogateEvents
from mcbridge.uncertainties.theory import THEORY, TheoryWeights
from mcbridge.unweighting import UnweightedChunk

if TYPE_CHECKING:
    from plugin.run.folder import RunFolder
    from plugin.run.state import State

__all__ = ["Record", "learn_replicas", "make_record", "write_surrogate"]

log = logging.getLogger("plugin.run")


def learn_replicas(state: State, stored: Sampler, sampler: Sampler) -> None:
    """Give the sampler that will be stored the replicas of a Bayesian flow, where the card wants them.

    The posterior starts from the trained flow and learns from the points of survey and training, with the channel
    weights of the sampler that will draw the events. Replicas of an earlier run are kept where they fit.

    Arguments:
        state: of the run; ``points`` are learned from, ``uncertain`` is set to the sampler with replicas.
        stored: the sampler that goes into the file; its ``replicas`` are set.
        sampler: the one that was chosen.

    Raises:
        UserError: the card insists on uncertainties, but the integrand is a signed one.
    """
    card = state.card.uncertainties
    if card.enabled is False or not card.replicas:
        stored.replicas = None
        state.uncertain_note = "switched off in the run card"
        return
    try:
        state.uncertain_note = _learn(state, stored, sampler)
    except UserError as error:
        if _insists(state):
            raise
        stored.replicas = None
        state.uncertain_note = str(error)
        log.warning("events get no uncertainties: %s", error)
    state.uncertain = stored if stored.replicas is not None else None


def _learn(state: State, stored: Sampler, sampler: Sampler) -> str:
    """Set ``stored.replicas``; the reason where there are none."""
    card = state.card.uncertainties
    weights = "prior" if sampler.channel_weights is None else "learned"
    if stored.replicas is not None:
        if len(stored.channels) > 1 and stored.replicas.information.get("channel_weights") != weights:
            stored.replicas = None
            return "the replicas of the sampler file belong to other channel weights"
        kept = stored.replicas
        stored.replicas = Replicas(kept.spec, kept.parameters[: card.replicas], kept.information)
        return ""
    if state.points is None:
        return "the sampler file holds no replicas"
    if not stored.has_flow and not _insists(state):
        return "no flow was trained"
    if not stored.channels[0].continuous:
        return "the integrand has no continuous coordinate for a flow"
    stored.replicas = _fit(state, stored, sampler, _with_channel_weights(state.points, sampler), weights)
    state.points = state.fresh = None
    return "" if stored.replicas is not None else "the fit of the Bayesian flow diverged"


def _insists(state: State) -> bool:
    """Whether a run without a Bayesian flow is not what the card asks for."""
    return state.card.uncertainties.enabled is True or state.card.mode == "surrogate"


def _fit(state: State, stored: Sampler, sampler: Sampler, points: Samples, weights: str) -> Replicas | None:
    from plugin.bayesian import COLD, BayesianConfig, Events, fit, sized_replicas
    from plugin.bayesian.fit import default_steps
    from plugin.flows import identity_parameters
    from plugin.training.config import TrainingConfig
    from plugin.training.cost import flow_spec
    from plugin.training.optimise import DivergedError

    card = state.card.uncertainties
    points, negative = positive_part(points)
    events = Events.of_samples(points, stored, state.process.periodic)
    spec = stored.channels[0].spec
    generator = state.streams.generator("Bayesian flow")
    steps = card.steps or default_steps(len(events))
    if spec is None:
        first = stored.channels[0]
        config = TrainingConfig().resolved(len(first.continuous), len(events))
        columns = 0 if events.context is None else events.context.shape[1]
        periodic = tuple(i for i, axis in enumerate(first.continuous) if axis in state.process.periodic)
        spec = flow_spec(len(first.continuous), config, columns, periodic)
        start = identity_parameters(spec, len(stored.channels), state.streams.generator("flow parameters"))
    else:
        start = np.stack([channel.params for channel in stored.channels if channel.params is not None])
    cold = stored.has_flow and state.fresh is not None
    settings = BayesianConfig(
        prior_width=card.prior,
        scope=card.scope,
        steps=steps,
        mean_steps=0 if stored.has_flow else steps,
        temperature=COLD if cold else 1.0,
        threads=state.card.threads,
    )
    try:
        found = fit(spec, start, events, settings, generator, state.progress.counter("Bayesian flow", steps))
    except DivergedError as failure:
        log.warning("the fit of the Bayesian flow diverged: %s", failure)
        return None
    information: dict[str, Any] = {
        "prior": {"distribution": "normal", "width": card.prior},
        "random_parameters": card.scope,
        "effective_training_events": [float(value) for value in found.n_eff],
        "channel_weights": weights,
        "negative_share_left_out": negative,
        "steps": steps,
        "temperature": settings.temperature,
    }

    exact = None if state.fresh is None else _with_channel_weights(state.fresh, sampler)
    streams = state.streams
    replicas, scale = sized_replicas(
        found.flow, card.replicas, lambda: streams.generator("replicas"), information, stored, exact, state.card.threads
    )
    text = "Bayesian flow: ELBO per event %.4f, %d replicas, widths multiplied with %.3g"
    log.info(text, -found.history[-1], card.replicas, scale)
    return replicas


def _with_channel_weights(points: Samples, sampler: Sampler) -> Samples:
    """The points with the channel weights that the sampler gives them."""
    alpha = sampler.alpha(Evaluation(points.weight, points.alpha, points.features))
    if alpha is None:
        return points
    return replace(points, channel_weight=alpha[np.arange(len(points)), points.channel])


@dataclass(frozen=True)
class Record:
    """What becomes of the events on their way into the file.

    Attributes:
        sampler: with replicas, or None for events without uncertainties.
        weights: whether every event carries its replica weights.
        calibration: on points that neither training nor choice has seen, or None.
        note: why there are no uncertainties, or no calibration.
        threads: of the kernel.
        theory: weights of other scales and PDF members, or None.
        mode: ``"exact"`` or ``"surrogate"``.
        shares: (channels,), integrals of the channels.
    """

    sampler: Sampler | None
    weights: bool
    calibration: Calibration | None
    note: str
    threads: int
    theory: TheoryWeights | None = None
    mode: str = "exact"
    shares: tuple[float, ...] = ()

    def events(self, stream: Iterable[UnweightedChunk]) -> Iterable[WeightedEvents]:
        """The stream with sigma_stat, sigma_th and all weights."""
        events: Iterable[WeightedEvents] = stream
        if self.sampler is not None:
            events = with_uncertainties(stream, self.sampler, self.weights, self.threads)
        return events if self.theory is None else self.theory.apply(events)

    def declarations(self) -> dict[str, Any]:
        """The arguments of :class:`mcbridge.lhe.RunInfo` that declare them."""
        attributes: tuple[str, ...] = ()
        groups: tuple[WeightGroup, ...] = ()
        blocks = {}
        if self.sampler is not None and self.sampler.replicas is not None:
            replicas = self.sampler.replicas
            notes = {"note": self.note} if self.note else {}
            attributes = (ATTRIBUTE,)
            groups = (weight_group(len(replicas)),) if self.weights else ()
            blocks["binn"] = header_block(self.mode, replicas, self.calibration, notes)
        if self.theory is not None:
            attributes, groups = (*attributes, THEORY), (*groups, *self.theory.groups)
        return {"attributes": attributes, "weight_groups": groups, "blocks": blocks}

    def as_json(self) -> dict[str, Any]:
        """For the summary of the run."""
        replicas = None if self.sampler is None else self.sampler.replicas
        return {
            "mode": self.mode,
            "replicas": 0 if replicas is None else len(replicas),
            "note": self.note,
            **({} if replicas is None else replicas.information),
            "calibration": None if self.calibration is None else self.calibration.as_json(),
            "theory": None if self.theory is None else self.theory.as_json(),
        }


def make_record(state: State, trials: Samples, integral: Integral) -> Record:
    """Calibrate the replicas, and say what goes into the event file.

    Arguments:
        state: of the run.
        trials: fresh points of the chosen sampler that neither training nor choice has seen: those that fixed the
            largest weights, so that the calibration costs no evaluation of the amplitude.
        integral: with the integral of every channel.
    """
    card = state.card.uncertainties
    theory = TheoryWeights.of_process(state.process.integrand) if card.theory and card.enabled is not False else None
    if state.uncertain is None:
        return Record(None, False, None, state.uncertain_note, state.card.threads, theory)
    calibration, note = None, ""
    integrals = tuple(channel.mean for channel in integral.channels)
    try:
        calibration = calibrate(state.uncertain, trials, integrals, state.card.threads)
        log.info("calibration: %s", calibration)
        for warning in calibration.warnings:
            log.warning("calibration: %s", warning)
    except UserError as error:
        note = f"not calibrated: {error}"
        log.warning(note)
    return Record(
        state.uncertain, card.weights, calibration, note, state.card.threads, theory, state.card.mode, integrals
    )


def write_surrogate(state: State, folder: RunFolder, record: Record, info: RunInfo) -> dict[str, Any]:
    """Write events that are drawn from the Bayesian density alone; what there is to say of them.

    The cross section is that of the integration; the amplitude is not evaluated for any event.

    Raises:
        UserError: there is no Bayesian flow, or the process does not know its cuts without the amplitude.
    """
    card = state.card
    if record.sampler is None:
        raise UserError(f"mode: surrogate: there is no Bayesian flow to draw events from ({record.note})")
    process: Any = state.process.integrand
    stream = SurrogateEvents(process, record.sampler, record.shares, card.events, state.streams, card.threads)
    write(folder.path / "events.lhe.gz", record.events(stream), info, threads=card.threads)
    return {
        "events": card.events,
        "trials": stream.drawn,
        "efficiency": 1.0 - stream.leaked,
        "outside_the_cuts": stream.leaked,
        "policy": "surrogate",
        "uncertainties": record.as_json(),
    }
