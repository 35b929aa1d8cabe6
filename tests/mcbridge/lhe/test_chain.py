"""Survey, integration, unweighting, file: the cross sections of all stages agree."""

import numpy as np

from mcbridge.integration import fresh_weights, integrate
from mcbridge.lhe import RunInfo, read, write
from mcbridge.random import Streams
from mcbridge.samplers import survey
from mcbridge.unweighting import Quantile, largest_weights, unweight
from tests.mcbridge.unweighting.toys import TwoChannels


def test_integration_unweighting_and_file_agree_on_the_cross_section(tmp_path):
    source, streams = TwoChannels(), Streams(11)
    sampler = survey(source, 20_000, streams).sampler
    integral = integrate(source, sampler, 40_000, 4, streams)
    fresh = fresh_weights(source, sampler, 20_000, streams, "largest weights")
    weights = [fresh.of_channel(channel).event_weights for channel in range(source.channels)]
    w_max = largest_weights(weights, Quantile(1e-3), np.random.default_rng(0))
    stream = unweight(source, sampler, w_max, 5000, streams)
    info = RunInfo(integral.mean, integral.error, (11, -11), (50.0, 50.0), absolute=integral.absolute)
    write(tmp_path / "events.lhe.gz", stream, info)
    totals, found = stream.totals, read(tmp_path / "events.lhe.gz").load()
    assert abs(integral.mean - 5.0) < 4.0 * integral.error
    assert abs(totals.cross_section - 5.0) < 4.0 * totals.error
    assert abs(totals.pull(integral.mean, integral.error)) < 4.0
    assert abs(np.mean(found.weight) / integral.mean - 1.0) < 1e-9
    assert totals.overweight_share < 0.01
    assert totals.efficiency > 0.5
    for values in (found.scale - 2 / 3, (found.momenta[:, 2, 3] / 50.0 + 1.0) / 2.0 - 3 / 4):
        assert abs(np.sum(found.weight * values)) < 4.0 * np.sqrt(np.sum((found.weight * values) ** 2))
