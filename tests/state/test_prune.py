"""Old history is deleted, but never because the clock is wrong."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Product, Status
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_history import read_transitions
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, TWO, baseline, listing

DAY = timedelta(days=1)
OTHER = Product("pp-other", "other")
BEFORE: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (TWO, EU): Status.CURRENT}
AFTER: dict[InstanceKey, Status] = {(ONE, EU): Status.OUTDATED, (TWO, EU): Status.OUTDATED}
JUST_AFTER = LATER + timedelta(milliseconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a state file."""
    return tmp_path / "monitor.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """Open a state file with two transitions, and a product that was polled ten days later."""
    with closing(SqliteStore(path)) as opened:
        first = baseline(BEFORE)
        opened.commit(first)
        opened.commit(diff(first.snapshot, listing(AFTER), BASELINE, "poll-2", LATER))
        poll(opened, OTHER, LATER + 10 * DAY)
        yield opened


def poll(store: SqliteStore, product: Product, at: datetime) -> None:
    """Store the first snapshot of a product."""
    store.commit(diff(None, listing(BEFORE), product, "poll-1", at))


def publish(store: SqliteStore) -> None:
    """Mark everything as published."""
    store.mark_published(store.unpublished(100)[-1][0])


def test_published_transitions_are_deleted_when_they_are_old(store: SqliteStore, path: Path) -> None:
    """A transition is deleted if it was observed before the moment, and not at the moment itself."""
    publish(store)
    assert store.prune(LATER) == 0
    assert len(list(read_transitions(path, EPOCH))) == 2
    assert store.prune(JUST_AFTER) == 2
    assert list(read_transitions(path, EPOCH)) == []


def test_an_unpublished_transition_is_never_deleted(store: SqliteStore) -> None:
    """If stdout is blocked for longer than the history, the transitions still wait."""
    assert store.prune(LATER + 5 * DAY) == 0
    assert len(store.unpublished(10)) == 2


def test_a_clock_far_ahead_deletes_nothing(store: SqliteStore) -> None:
    """If everything that is stored is older than the history, the clock is wrong, and nothing is deleted."""
    publish(store)
    assert store.prune(LATER + 200 * DAY, ()) == 0
    assert store.load(BASELINE.id).snapshot is not None


def test_one_call_deletes_one_day_at_most(store: SqliteStore) -> None:
    """A wrong clock that is confirmed by a poll costs a day of history for each call."""
    last = store.load(BASELINE.id).snapshot
    store.commit(diff(last, listing(BEFORE), BASELINE, "poll-3", LATER + 2 * DAY))
    publish(store)
    poll(store, OTHER, LATER + 300 * DAY)
    assert [store.prune(LATER + 200 * DAY) for _ in range(3)] == [2, 2, 0]


def test_many_transitions_are_deleted_in_batches(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is a transaction of its own, so that a commit waits for one batch at most."""
    monkeypatch.setattr("monitor.state.sqlite.PRUNE_ROWS", 1)
    publish(store)
    assert store.prune(JUST_AFTER) == 2


def test_a_product_that_is_not_monitored_is_deleted(store: SqliteStore, path: Path) -> None:
    """A product stays while it is monitored, however long its polls fail, and is deleted with its instances later."""
    store.prune(JUST_AFTER, {BASELINE.id})
    assert store.load(BASELINE.id).snapshot is not None
    store.prune(EPOCH, ())
    assert store.load(BASELINE.id).snapshot is not None
    store.prune(JUST_AFTER, {OTHER.id})
    assert store.load(BASELINE.id).snapshot is None
    assert store.load(OTHER.id).snapshot is not None
    assert store._connection.execute("SELECT DISTINCT product_id FROM instance").fetchall() == [(OTHER.id,)]


def test_a_product_without_a_snapshot_is_deleted_if_it_is_not_monitored(store: SqliteStore) -> None:
    """A product that AWS never knew leaves no row behind once it is not configured any more."""
    store.mark_missing("pp-never")
    store.mark_missing("pp-monitored")
    store.prune(EPOCH, {"pp-monitored"})
    assert not store.load("pp-never").missing
    assert store.load("pp-monitored").missing


def test_the_file_shrinks(store: SqliteStore, path: Path) -> None:
    """Pages of deleted transitions are given back to the file system."""
    many: dict[InstanceKey, Status] = {(f"{n:012}", EU): Status.CURRENT for n in range(2000)}
    last = store.load(BASELINE.id).snapshot
    store.commit(diff(last, listing(many), BASELINE, "poll-3", LATER))
    store.unpublished(1)
    store.mark_published(10_000)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    assert store.prune(JUST_AFTER) == 2004
    assert store._connection.execute("PRAGMA page_count").fetchone()[0] < pages / 2
