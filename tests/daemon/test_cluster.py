"""What a replica drops when it loses a lease."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from monitor.config.settings import ClusterSettings, TableSettings
from monitor.daemon.cluster import Cluster
from monitor.metrics.registry import MonitorMetrics
from monitor.model.shard import shard_of
from tests.daemon.fakes import FakeLog, FakeMetrics, settings

PRODUCTS = [f"pp-{number}" for number in range(20)]


def test_a_lost_lease_takes_the_series_of_its_shard_only() -> None:
    """They are dropped at once, since the next owner may publish them; those of other shards stay."""
    configured = replace(settings(), cluster=ClusterSettings(shards=2, lease=15.0))
    metrics, log = FakeMetrics(), FakeLog()
    table = TableSettings("monitor", "eu-west-1")
    cluster = Cluster(configured, table, MonitorMetrics(version="", revision=""), log, lambda _: None)
    cluster._product_set = SimpleNamespace(products=dict.fromkeys(PRODUCTS))  # type: ignore[assignment]
    cluster._metrics = metrics
    cluster.lost(1, "lost")
    assert metrics.calls == [("remove", product_id) for product_id in PRODUCTS if shard_of(product_id, 2) == 1]
    assert 0 < len(metrics.calls) < len(PRODUCTS)
    assert [(entry["event"], entry["level"]) for entry in log.take()] == [("lease.lost", "warning")]


def test_a_replica_is_not_alive_without_either_of_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one renews the leases, the other follows them."""
    configured = settings()
    table = TableSettings("monitor", "eu-west-1")
    cluster = Cluster(configured, table, MonitorMetrics(version="", revision=""), FakeLog(), lambda _: None)
    cluster.follow()
    assert not cluster.alive()
    monkeypatch.setattr(cluster.leases, "alive", lambda: True)
    assert cluster.alive()
    cluster._stopping = True
    cluster._changed.set()
    cluster._thread.join(5.0)
    assert not cluster.alive()
