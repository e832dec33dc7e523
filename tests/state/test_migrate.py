"""The state moves from a file to a table and back, and loses nothing."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import Product
from monitor.model.products import ProductStatus
from monitor.poller.protocols import StateError
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.leases import Leases
from monitor.state.migrate import DynamoDbSource, MigrationOwner, SqliteSource, migrate
from monitor.state.sqlite import SqliteStore
from tests.making import BASELINE, EU, ONE, baseline, listing
from tests.state.engines import DAY, DynamoDbEngine
from tests.state.test_leases import Cluster, Replica
from tests.state.values import CHANGED, STATUSES, described

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
GONE = Product("pp-gone", "gone")
MISSING = Product("pp-missing", "missing")


def fill(store: SqliteStore) -> None:
    """Write products of every kind: changed 100 times, missing, only described, and deleted."""
    change = baseline(STATUSES, at=BEGIN)
    store.commit(change, described(ProductStatus.TAINTED, ProductStatus.AVAILABLE, "poll-1"))
    for number in range(100):
        at = BEGIN + timedelta(minutes=number)
        statuses = CHANGED if number % 2 == 0 else STATUSES
        change = diff(change.snapshot, listing(statuses), BASELINE, f"poll-{number}", at)
        store.commit(change)
    gone = baseline(STATUSES, GONE, BEGIN)
    store.commit(gone)
    store.commit(diff(gone.snapshot, listing(CHANGED), GONE, "poll-gone", BEGIN + timedelta(days=1)))
    store.delete_products(lambda product_id: product_id == GONE.id)
    store.commit(baseline(STATUSES, MISSING, BEGIN))
    store.mark_missing(MISSING.id)
    store.save_description("pp-described", described(ProductStatus.AVAILABLE))
    store.save_discovered_products("hub", [BASELINE])
    store.mark_published(store.unpublished(200)[-1][0])


@pytest.mark.parametrize("name", [BASELINE.id, GONE.id, MISSING.id, "pp-described", "pp-other"])
def test_a_state_is_the_same_after_there_and_back(dynamodb: DynamoDbEngine, tmp_path: Path, name: str) -> None:
    """Snapshots with their times, descriptions, discovered products, and transitions, published or not."""
    with closing(SqliteStore(tmp_path / "first.db")) as store:
        fill(store)
    with closing(SqliteSource(tmp_path / "first.db")) as source:
        copied = migrate(source, DynamoDbStore(dynamodb.table, MigrationOwner(dynamodb.table), DAY))
        before = [list(source.all_transitions(published=published)) for published in (True, False)]
        stored, searches = source.load(name), source.searches()
    with closing(SqliteStore(tmp_path / "second.db")) as second:
        assert migrate(DynamoDbSource(dynamodb.table), second) == copied
        assert second.load(name) == stored
        assert second.discovered_products("hub") == searches["hub"] == [BASELINE]
    with closing(SqliteSource(tmp_path / "second.db")) as source:
        after = [list(source.all_transitions(published=published)) for published in (True, False)]
    assert [{t.event_id: t for t in found} for found in after] == [{t.event_id: t for t in found} for found in before]
    assert copied.transitions == sum(map(len, before))
    assert 198 <= len(before[0]) <= 200  # the last poll of them may be published in part


def test_a_state_in_use_is_refused(dynamodb: DynamoDbEngine, tmp_path: Path) -> None:
    """A file that a daemon has, a table with a lease, a table that is not empty, and a file that does not exist."""
    with (
        closing(SqliteStore(tmp_path / "state.db")),
        pytest.raises(StateError, match=r"another stackset-monitor"),
    ):
        SqliteSource(tmp_path / "state.db")
    with pytest.raises(StateError, match=r"^there is no state file "):
        SqliteSource(tmp_path / "none.db")
    replica = Replica(Cluster(dynamodb.table), "one", 1)
    replica.step()
    for use in (DynamoDbSource, MigrationOwner):
        with pytest.raises(StateError, match=r"^a lease of the table is held by one: stop every replica"):
            use(dynamodb.table)
    assert isinstance(replica.leases, Leases)
    replica.leases.stop()
    dynamodb.open().commit(baseline({(ONE, EU): STATUSES[ONE, EU]}))
    with pytest.raises(StateError, match=r"^the table is not empty"):
        MigrationOwner(dynamodb.table)
