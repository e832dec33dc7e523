"""How often the time of polls without a change is written."""

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.config.settings import TableSettings
from monitor.daemon.cluster import Cluster
from monitor.metrics.registry import MonitorMetrics
from monitor.model.diff import diff
from monitor.poller.protocols import StateError
from tests.daemon.fakes import FakeLog, settings
from tests.making import BASELINE, EPOCH, baseline, listing
from tests.state.engines import DynamoDbEngine
from tests.state.values import STATUSES


@pytest.mark.parametrize(("stale_after", "interval"), [(300, 60), (300, 149), (300, 290), (1000, 300), (3600, 60)])
def test_the_stored_time_is_never_stale(dynamodb: DynamoDbEngine, stale_after: int, interval: int) -> None:
    """Until the next poll ends, another replica that takes the product over finds it young enough to show it."""
    store = dynamodb.open()
    store.stale_after = stale_after
    first = baseline(STATUSES)
    store.commit(first)
    last, oldest = first.snapshot, 0.0
    for number in range(1, 20):
        moment = EPOCH + timedelta(seconds=number * interval)
        stored = dynamodb.reader().load(BASELINE.id).snapshot
        assert stored is not None
        oldest = max(oldest, (moment - stored.observed_at).total_seconds())
        change = diff(last, listing(STATUSES), BASELINE, f"poll-{number}", moment)
        store.commit(change)
        last = change.snapshot
    assert oldest <= stale_after


def test_the_store_follows_a_reload_of_stale_after() -> None:
    """A shorter one counts from the next poll on."""
    ignored: list[StateError] = []
    table = TableSettings("monitor", "eu-west-1")
    before = settings()
    cluster = Cluster(before, table, MonitorMetrics(version="", revision=""), FakeLog(), ignored.append)
    assert cluster.store.stale_after == before.poll.stale_after
    cluster.configure(replace(before, poll=replace(before.poll, stale_after=240.0)))
    assert cluster.store.stale_after == 240.0
