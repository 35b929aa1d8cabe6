"""An event with a broken law is refused with the law's name, a good one is not."""

import numpy as np
import pytest

from mcbridge.errors import AmplitudeError
from mcbridge.events import check_batch
from mcbridge.integrands import EventBatch
from tests.mcbridge.unweighting.toys import lepton_pairs


def boosted(batch, rapidity):
    """The same events seen from a moving frame."""
    cosh, sinh = np.cosh(rapidity), np.sinh(rapidity)
    e, z = batch.momenta[:, :, 0].copy(), batch.momenta[:, :, 3].copy()
    batch.momenta[:, :, 0], batch.momenta[:, :, 3] = cosh * e + sinh * z, cosh * z + sinh * e
    return batch


def leptons(n=5):
    u = np.random.default_rng(0).random((n, 2))
    return lepton_pairs(u, np.ones(n, dtype=np.int64))


def gluons(n=4):
    """g g -> g g with the colour flow 501 502 503 504."""
    batch = leptons(n)
    batch.pdg_ids[:] = 21
    batch.colours[:] = [[501, 502], [503, 501], [503, 504], [504, 502]]
    return batch


def quarks(n=4):
    """u ubar -> e+ e- through a Z that is written down."""
    old = leptons(n)
    momenta = np.concatenate(
        [old.momenta[:, :2], np.sum(old.momenta[:, :2], axis=1, keepdims=True), old.momenta[:, 2:]], axis=1
    )
    return EventBatch(
        momenta=momenta,
        pdg_ids=np.tile([2, -2, 23, -11, 11], (n, 1)),
        status=np.array([-1, -1, 2, 1, 1]),
        mothers=np.array([[0, 0], [0, 0], [1, 2], [3, 3], [3, 3]]),
        colours=np.tile([[501, 0], [0, 501], [0, 0], [0, 0], [0, 0]], (n, 1, 1)),
        masses=np.tile([0.0, 0.0, 100.0, 0.0, 0.0], (n, 1)),
        scale=old.scale,
        alpha_s=old.alpha_s,
        alpha_qed=old.alpha_qed,
        process_id=old.process_id,
    )


@pytest.mark.parametrize("make", [leptons, gluons, quarks])
@pytest.mark.parametrize("rapidity", [0.0, 4.5, -6.0])
def test_good_events_pass_in_any_frame(make, rapidity):
    check_batch(boosted(make(), rapidity))


def test_a_missing_momentum_is_noticed():
    batch = leptons()
    batch.momenta[3, 2, 1] += 1e-3
    with pytest.raises(AmplitudeError, match=r"event 3 .* four-momentum; it is off by 0.001 GeV"):
        check_batch(batch)


def test_a_particle_off_its_mass_shell_is_noticed():
    batch = leptons()
    batch.masses[1, 2] = 0.105
    with pytest.raises(AmplitudeError, match=r"event 1 .* mass shell"):
        check_batch(batch)


def test_a_negative_energy_is_noticed():
    batch = leptons()
    batch.momenta *= -1.0
    with pytest.raises(AmplitudeError):
        check_batch(batch)


def test_a_resonance_without_its_daughters_momentum_is_noticed():
    batch = quarks()
    batch.momenta[2, 2, 0] += 1.0
    with pytest.raises(AmplitudeError, match=r"event 2 .* daughters miss 1 GeV"):
        check_batch(batch)


@pytest.mark.parametrize(
    ("colours", "message"),
    [
        ([[501, 502], [503, 501], [503, 504], [504, 505]], "without two ends"),
        ([[501, 502], [501, 502], [501, 502], [501, 502]], "without two ends"),
        ([[501, 0], [503, 501], [503, 504], [504, 0]], "its colour does not allow"),
    ],
)
def test_a_broken_colour_flow_is_noticed(colours, message):
    batch = gluons()
    batch.colours[1] = colours
    with pytest.raises(AmplitudeError, match=rf"event 1 .* {message}"):
        check_batch(batch)


def test_a_quark_with_an_anticolour_is_noticed():
    batch = quarks()
    batch.colours[0, 0], batch.colours[0, 1] = [0, 501], [501, 0]
    with pytest.raises(AmplitudeError, match=r"event 0 .* its colour does not allow"):
        check_batch(batch)


def test_a_coloured_lepton_is_noticed():
    batch = leptons()
    batch.colours[0, 2], batch.colours[0, 3] = [501, 0], [0, 501]
    with pytest.raises(AmplitudeError, match="its colour does not allow"):
        check_batch(batch)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("momenta", np.zeros((5, 4, 3)), "momenta have shape"),
        ("scale", np.zeros(4), "scale of shape"),
        ("alpha_s", np.full(5, np.nan), "alpha_s that are not finite"),
        ("status", np.array([-1, -1, 1, 7]), "the status 7"),
        ("mothers", np.full((4, 2), 5), "mothers outside 0 to 4"),
    ],
)
def test_wrong_shapes_and_numbers_are_noticed(field, value, message):
    batch = leptons()
    setattr(batch, field, value)
    with pytest.raises(AmplitudeError, match=message):
        check_batch(batch)
