"""Checks of event records: shapes, four-momentum, mass shells, colour flow."""

from __future__ import annotations

import numpy as np

from mcbridge.errors import AmplitudeError
from mcbridge.integrands.protocol import Array, EventBatch, IntArray

__all__ = ["check_batch"]

_ALLOWED_STATUS = (-1, 1, 2, -2, 3, -9)  # hep-ph/0109068, ISTUP


def check_batch(batch: EventBatch, tolerance: float = 1e-7) -> None:
    """Check that every event of a batch is one that a parton shower can take.

    Shapes agree and all numbers are finite; the outgoing momenta add up to the incoming ones and the momentum of an
    intermediate particle to that of its daughters; ``E^2 - p^2 = m^2``; every colour line has two ends, and quarks,
    gluons and colourless particles carry the lines that their colour demands (hep-ph/0109068, section 2).

    Arguments:
        batch: the events.
        tolerance: largest violation in units of the incoming energy (momenta) and of E^2 (mass shell).

    Raises:
        AmplitudeError: naming the first event that is wrong, and what is wrong with it.
    """
    _check_shapes(batch)
    if len(batch.momenta):
        _check_momenta(batch, tolerance)
        _check_colours(batch)


def _check_shapes(batch: EventBatch) -> None:
    momenta = np.asarray(batch.momenta)
    if momenta.ndim != 3 or momenta.shape[2] != 4:
        raise AmplitudeError(f"event momenta have shape {momenta.shape}; expected (n, particles, 4)")
    n, particles = momenta.shape[:2]
    expected = {
        "pdg_ids": (n, particles),
        "status": (particles,),
        "mothers": (particles, 2),
        "colours": (n, particles, 2),
        "masses": (n, particles),
        "scale": (n,),
        "alpha_s": (n,),
        "alpha_qed": (n,),
        "process_id": (n,),
    }
    for name, shape in expected.items():
        found = np.shape(getattr(batch, name))
        if found != shape:
            raise AmplitudeError(f"event records have {name} of shape {found}; expected {shape}")
    for name in ("momenta", "masses", "scale", "alpha_s", "alpha_qed"):
        if not np.all(np.isfinite(getattr(batch, name))):
            raise AmplitudeError(f"event records have {name} that are not finite")
    unknown = set(np.asarray(batch.status).tolist()) - set(_ALLOWED_STATUS)
    if unknown:
        raise AmplitudeError(f"event records have the status {min(unknown)}; allowed are {_ALLOWED_STATUS}")
    if np.any(batch.mothers < 0) or np.any(batch.mothers > particles):
        raise AmplitudeError(f"event records name mothers outside 0 to {particles}")


def _check_momenta(batch: EventBatch, tolerance: float) -> None:
    momenta, status = batch.momenta, batch.status
    incoming = np.sum(momenta[:, status == -1], axis=1)
    missing = np.max(np.abs(np.sum(momenta[:, status == 1], axis=1) - incoming), axis=1)
    _refuse(missing > tolerance * incoming[:, 0], missing, "does not conserve four-momentum; it is off by {:.3g} GeV")
    for index in np.flatnonzero((status == 2) | (status == -2)):
        # A mother entry of two numbers is a range, as in the standard.
        first, last = batch.mothers[:, 0], np.maximum(batch.mothers[:, 0], batch.mothers[:, 1])
        daughters = (first > 0) & (first <= index + 1) & (index + 1 <= last)
        if daughters.any():
            missing = np.max(np.abs(np.sum(momenta[:, daughters], axis=1) - momenta[:, index]), axis=1)
            text = f"has an intermediate particle {index + 1} whose daughters miss {{:.3g}} GeV of its momentum"
            _refuse(missing > tolerance * incoming[:, 0], missing, text)
    energy = momenta[:, :, 0]
    square = energy**2 - np.sum(momenta[:, :, 1:] ** 2, axis=2)
    # A negative mass stands for a space-like momentum.
    off = np.max(np.abs(square - batch.masses * np.abs(batch.masses)) / np.maximum(energy**2, 1e-300), axis=1)
    _refuse(off > tolerance, off, "has a particle off its mass shell; |E^2 - p^2 - m^2| is {:.3g} of E^2")
    _refuse(np.any(energy[:, np.abs(status) == 1] < 0.0, axis=1), off, "has a particle of negative energy")


def _check_colours(batch: EventBatch) -> None:
    external = np.abs(batch.status) == 1
    outgoing = batch.status[external] == 1
    colours, ids = batch.colours[:, external], np.abs(batch.pdg_ids[:, external])
    # A line that enters with an incoming colour must leave again: incoming colours are ends like outgoing anticolours.
    starts = np.sort(np.where(outgoing, colours[:, :, 0], colours[:, :, 1]), axis=1)
    ends = np.sort(np.where(outgoing, colours[:, :, 1], colours[:, :, 0]), axis=1)
    doubled = np.any((starts[:, 1:] == starts[:, :-1]) & (starts[:, 1:] > 0), axis=1)
    _refuse(np.any(starts != ends, axis=1) | doubled, starts[:, 0], "has a colour line without two ends")
    present = colours > 0
    positive = batch.pdg_ids[:, external] > 0
    quark, gluon = (ids >= 1) & (ids <= 8), (ids == 21) | (ids == 9)
    singlet = ((ids >= 11) & (ids <= 18)) | ((ids >= 22) & (ids <= 25)) | (ids == 32)
    wrong = quark & ((present[:, :, 0] != positive) | (present[:, :, 1] == positive))
    wrong |= gluon & ~np.all(present, axis=2)
    wrong |= singlet & np.any(present, axis=2)
    _refuse(np.any(wrong, axis=1), starts[:, 0], "has a particle with colour lines that its colour does not allow")


def _refuse(wrong: Array, value: Array | IntArray, text: str) -> None:
    if np.any(wrong):
        event = int(np.argmax(wrong))
        raise AmplitudeError(f"event {event} of a batch {text.format(float(value[event]))}")
