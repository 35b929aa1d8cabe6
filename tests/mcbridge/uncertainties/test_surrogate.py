"""Events drawn from the Bayesian density alone: they follow the mean of the replicas, channel by channel."""

from __future__ import annotations

import numpy as np
import pytest

from mcbridge import core
from mcbridge.errors import AmplitudeError, UserError
from mcbridge.random import Streams
from mcbridge.samplers import Replicas, Sampler
from mcbridge.uncertainties.surrogate import SurrogateEvents
from tests.mcbridge.unweighting.toys import Wedge


class Cut(Wedge):
    """The wedge, inside u_0 > edge, with an amplitude that must not be called."""

    def __init__(self, edge=0.0, channels=1):
        super().__init__()
        self.edge, self.channels = edge, channels

    def __call__(self, u, channel):
        raise AssertionError("the amplitude was evaluated")

    def inside(self, u, channel):
        return u[:, 0] > self.edge


def sampler(channels=1):
    generator = np.random.default_rng(1)
    spec = core.FlowSpec(2, hidden=8, bins=5)
    own = (0.3 * generator.normal(size=(5, channels, spec.parameters))).astype(np.float32)
    grid = [np.array([0.0, 0.3, 1.0]), np.array([0.0, 1.0])]
    return Sampler([core.ChannelSampler(2, grid) for _ in range(channels)], replicas=Replicas(spec, own))


@pytest.mark.parametrize("edge", [0.0, 0.2])
def test_events_follow_the_mean_of_the_replicas_inside_the_cuts(edge):
    made = sampler()
    stream = SurrogateEvents(Cut(edge), made, [3.0], 30_000, Streams(1))
    chunks = list(stream)
    u = np.concatenate([chunk.u for chunk in chunks])
    assert len(u) == 30_000
    assert all(np.all(chunk.weight == 1.0) for chunk in chunks)
    p = made.replica_densities(0, u).mean(axis=0)
    # a sample of p inside: 1/p averages to the volume over the probability
    inverse = (1.0 - stream.leaked) / p
    error = np.hypot(inverse.std(), inverse.mean() * np.sqrt(stream.leaked + 1e-9)) / np.sqrt(30_000)
    assert inverse.mean() == pytest.approx(1.0 - edge, abs=4 * error)
    assert (stream.leaked > 0.02) == (edge > 0.0)
    assert np.all(u[:, 0] > edge)


def test_channels_get_their_share_and_their_own_density():
    made = sampler(channels=2)
    chunks = list(SurrogateEvents(Cut(channels=2), made, [3.0, 1.0], 20_000, Streams(2)))
    channel = np.concatenate([chunk.channel for chunk in chunks])
    u = np.concatenate([chunk.u for chunk in chunks])
    assert channel.mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / 20_000))
    for index in (0, 1):
        own = u[channel == index]
        inverse = 1.0 / made.replica_densities(index, own).mean(axis=0)
        assert inverse.mean() == pytest.approx(1.0, abs=4 * inverse.std() / np.sqrt(len(own)))


def test_the_same_seed_gives_the_same_events():
    first, again = (
        np.concatenate([chunk.u for chunk in SurrogateEvents(Cut(), sampler(), [1.0], 3000, Streams(4))])
        for _ in range(2)
    )
    assert np.array_equal(first, again)


def test_what_cannot_be_drawn_is_told():
    with pytest.raises(UserError, match="no Bayesian flow"):
        SurrogateEvents(Cut(), sampler().with_replicas(None), [1.0], 10, Streams(1))
    with pytest.raises(UserError, match="does not know which points lie inside its cuts"):
        SurrogateEvents(Wedge(), sampler(), [1.0], 10, Streams(1))
    with pytest.raises(AmplitudeError, match="lie outside the cuts"):
        list(SurrogateEvents(Cut(1.0), sampler(), [1.0], 200_000, Streams(1)))
