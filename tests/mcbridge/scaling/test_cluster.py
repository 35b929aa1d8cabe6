"""Chunks on a Dask cluster: the same numbers, through deaths and hanging of its workers."""

from __future__ import annotations

import pytest

from mcbridge.errors import UserError
from mcbridge.scaling import Context
from tests.mcbridge.scaling.test_workers import assert_same, here, result, sampler_file  # noqa: F401 (fixture)
from tests.mcbridge.scaling.toys import Make

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def workers():
    from mcbridge.scaling.cluster import DaskWorkers

    with dask.config.set({"distributed.scheduler.allowed-failures": 1}):
        made = DaskWorkers.start("local", 2)
        yield made
        made.close()


def test_results_are_those_of_this_process(workers, sampler_file):  # noqa: F811
    costs = []
    assert_same(result(workers, Context(Make(), "slope", sampler_file), costs), here())
    assert sum(cost.evaluations for cost in costs) == 20_000
    assert workers.count == 2


@pytest.mark.parametrize("deed", ["die", "hang"])
def test_a_worker_that_dies_or_hangs_is_replaced(workers, sampler_file, tmp_path, deed):  # noqa: F811
    context = Context(Make(deed, str(tmp_path / "flag")), f"slope {deed}", sampler_file, time_limit=2.0)
    costs = []
    assert_same(result(workers, context, costs), here())
    assert (tmp_path / "flag").exists()
    assert sum(cost.evaluations for cost in costs) == 20_000


def test_workers_that_always_die_end_the_run_in_a_sentence(workers, sampler_file):  # noqa: F811
    with pytest.raises(UserError, match=r"ended again and again at the same chunk .*time_limit"):
        result(workers, Context(Make("always die"), "slope always die", sampler_file))


def test_a_cluster_can_be_reached_by_its_address(workers, sampler_file):  # noqa: F811
    from mcbridge.scaling.cluster import DaskWorkers

    other = DaskWorkers.connect(workers.client.scheduler.address)
    try:
        assert_same(result(other, Context(Make(), "slope", sampler_file)), here())
    finally:
        other.close()


def test_a_cluster_whose_workers_are_all_gone_gets_new_ones(sampler_file, monkeypatch):  # noqa: F811
    """A nanny that gives up does not come back by itself."""
    from mcbridge.scaling import cluster

    monkeypatch.setattr(cluster, "_LOOK", 1.0)
    own = cluster.DaskWorkers.start("local", 1)
    try:
        own.client.wait_for_workers(1)
        for nanny in list(own.cluster.workers.values()):
            own.cluster.sync(nanny.close)
        waiting = own.client.submit(abs, -3, pure=False)
        assert own._result(waiting) == 3
        assert_same(result(own, Context(Make(), "slope", sampler_file)), here())
    finally:
        own.close()
