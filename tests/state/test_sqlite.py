"""What is written to the state file is read back complete, also after a restart."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.model.diff import Transition, diff
from monitor.model.instances import InstanceKey, Product, Snapshot, Status
from monitor.model.products import Description, ProductStatus, describe
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_history import read_transitions
from monitor.state.sqlite_schema import VERSION
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing, snapshot

STATUSES: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
CHANGED: dict[InstanceKey, Status] = {
    (ONE, EU): Status.UNKNOWN,
    (ONE, US): Status.CURRENT,
    (THREE, EU): Status.INOPERABLE,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of a state file in a folder that does not exist yet."""
    return tmp_path / "state" / "monitor.db"


@pytest.fixture
def state(path: Path) -> Iterator[SqliteStore]:
    """Open a new state file."""
    opened = SqliteStore(path)
    yield opened
    opened.close()


def test_an_unknown_product_has_no_snapshot(state: SqliteStore) -> None:
    """A product that was never polled has no snapshot and is not missing."""
    assert state.load(BASELINE.id) == StoredProduct(None, missing=False)


def test_a_baseline_is_loaded_after_a_restart(state: SqliteStore, path: Path) -> None:
    """Statuses, times and counts of a snapshot are the same after the file is opened again."""
    state.commit(baseline(STATUSES))
    state.close()
    again = SqliteStore(path)
    assert again.load(BASELINE.id) == StoredProduct(baseline(STATUSES).snapshot, missing=False)
    again.close()


def test_a_change_is_loaded_with_its_transitions(state: SqliteStore) -> None:
    """Changed, new and removed instances are stored as the diff says, and the transitions in order."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot
    assert [transition for _, transition in state.unpublished(10)] == list(change.transitions)


def test_transitions_of_earlier_polls_are_stored_first(state: SqliteStore) -> None:
    """They could not be committed when they were found; an instance may have come and gone meanwhile."""
    first = baseline(STATUSES)
    there = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    back = diff(there.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))
    state.commit(first)
    state.commit(replace(back, earlier=there.transitions))
    assert state.load(BASELINE.id).snapshot == back.snapshot
    assert [transition for _, transition in state.unpublished(10)] == [*there.transitions, *back.transitions]


def test_transitions_that_were_stored_before_are_not_stored_twice(state: SqliteStore) -> None:
    """A commit that reported an error may have been written; the poller commits its transitions again."""
    first = baseline(STATUSES)
    there = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    back = diff(there.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))
    state.commit(first)
    state.commit(there)
    state.commit(replace(back, earlier=there.transitions))
    assert [transition for _, transition in state.unpublished(10)] == [*there.transitions, *back.transitions]


def test_products_are_stored_separately(state: SqliteStore) -> None:
    """The same account and Region in two products are two instances."""
    other = Product("pp-other", "other")
    state.commit(baseline(STATUSES))
    state.commit(baseline({(ONE, EU): Status.INOPERABLE}, other))
    assert state.load(BASELINE.id).snapshot == baseline(STATUSES).snapshot
    assert state.load("pp-other").snapshot == baseline({(ONE, EU): Status.INOPERABLE}, other).snapshot


def test_published_transitions_are_not_returned_again(state: SqliteStore) -> None:
    """Marking covers all transitions up to a position; later ones stay unpublished."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    (position, transition), *_ = state.unpublished(1)
    state.mark_published(position)
    assert transition == change.transitions[0]
    assert [t for _, t in state.unpublished(10)] == list(change.transitions[1:])


def test_a_missing_product_keeps_its_snapshot(state: SqliteStore) -> None:
    """A product is marked as missing until its next complete listing."""
    first = baseline(STATUSES)
    state.commit(first)
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(first.snapshot, missing=True)
    state.commit(diff(first.snapshot, listing(STATUSES), BASELINE, "poll-2", LATER))
    assert state.load(BASELINE.id).missing is False


def test_a_product_without_a_snapshot_can_be_missing(state: SqliteStore) -> None:
    """A product that AWS never knew is missing and has no snapshot."""
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(None, missing=True)


def test_each_commit_calls_on_commit(path: Path) -> None:
    """Each commit to a file is reported, because the time of the last commit is a metric."""
    commits: list[str] = []
    state = SqliteStore(path, lambda: commits.append("commit"))
    state.commit(baseline(STATUSES))
    state.mark_missing(BASELINE.id)
    state.close()
    assert commits == ["commit", "commit"]


def test_a_commit_that_fails_leaves_everything_as_it_was(state: SqliteStore) -> None:
    """A snapshot and its transitions are written together or not at all, and the next commit succeeds."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state._connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON transition BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StateError, match=r"^the state file .*monitor\.db: no$"):
        state.commit(change)
    assert state.load(BASELINE.id).snapshot == first.snapshot
    state._connection.execute("DROP TRIGGER refuse")
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot


listings = st.dictionaries(
    st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from([EU, US])), st.sampled_from(list(Status))
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(listings, min_size=1, max_size=5))
def test_any_sequence_of_changes_is_stored(
    tmp_path_factory: pytest.TempPathFactory, sequence: list[dict[InstanceKey, Status]]
) -> None:
    """After any sequence of changes the file has the last snapshot and every transition once."""
    path = tmp_path_factory.mktemp("sequence") / "monitor.db"
    state = SqliteStore(path)
    snapshot: Snapshot | None = None
    expected: list[Transition] = []
    for number, statuses in enumerate(sequence):
        at = EPOCH + timedelta(minutes=number)
        change = diff(snapshot, listing(statuses), BASELINE, f"poll-{number}", at)
        state.commit(change)
        snapshot = change.snapshot
        expected.extend(change.transitions)
    state.close()
    again = SqliteStore(path)
    assert again.load(BASELINE.id).snapshot == snapshot
    assert [transition for _, transition in again.unpublished(1000)] == expected
    again.close()


def test_a_second_daemon_is_refused(state: SqliteStore, path: Path) -> None:
    """A second process cannot open the state file and says which process has it."""
    code = (
        "import os, sys, pathlib; from monitor.state.sqlite import SqliteStore\n"
        "try: SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')\n"
    )
    state.commit(baseline(STATUSES))
    other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    lock = path.with_name("monitor.db.lock")
    assert other.stdout.startswith("RefusedStateError: another stackset-monitor (process ")
    assert other.stdout.endswith(f") is using the state file that {lock} locks\n")


def test_a_closed_state_can_be_opened_again(state: SqliteStore, path: Path) -> None:
    """Closing releases the lock."""
    state.close()
    SqliteStore(path).close()


def test_the_history_is_read_beside_a_daemon(state: SqliteStore, path: Path) -> None:
    """Transitions are filtered by time, product and account, oldest first."""
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)

    def found(*products: str, accounts: tuple[str, ...] = (), since: timedelta = timedelta()) -> list[InstanceKey]:
        return [t.key for t in read_transitions(path, LATER + since, products, accounts)]

    everything = [t.key for t in change.transitions]
    assert found() == found(BASELINE.id) == found(BASELINE.id, "pp-other") == everything
    assert found("pp-other") == []
    assert found(accounts=(THREE,)) == [(THREE, EU)]
    assert found(since=timedelta(milliseconds=1)) == []


def test_there_is_no_history_without_a_file(tmp_path: Path) -> None:
    """Reading the history of a missing file is an error and does not create the file."""
    path = tmp_path / "none.db"
    with pytest.raises(StateError, match=r"^there is no state file .*none\.db$"):
        list(read_transitions(path, EPOCH))
    assert not path.exists()


def test_the_file_is_durable(state: SqliteStore) -> None:
    """Every commit of a change is synced to a write-ahead log, so a published transition survives a power failure."""
    modes = [state._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]


def test_a_poll_without_changes_does_not_sync_the_disk(state: SqliteStore) -> None:
    """Its commit writes the time of the poll only. A change, another description or the end of `missing` is synced."""
    running = {(ONE, EU): Status.CURRENT}
    modes: list[str] = []
    state.commit(baseline(running), described(ProductStatus.AVAILABLE))
    state._connection.set_trace_callback(lambda sql: modes.append(sql[-6:]) if "synchronous" in sql else None)
    last = snapshot(running)

    def poll(status: Status, product: ProductStatus = ProductStatus.AVAILABLE) -> list[str]:
        nonlocal last
        modes.clear()
        at = last.observed_at + timedelta(minutes=5)
        change = diff(last, listing({(ONE, EU): status}), BASELINE, f"poll-{at}", at)
        state.commit(change, described(product))
        last = change.snapshot
        return list(modes)

    without_sync = ["NORMAL", "= FULL"]
    assert poll(Status.CURRENT) == without_sync
    assert state.load(BASELINE.id).snapshot == last
    assert poll(Status.OUTDATED) == []
    assert poll(Status.OUTDATED, ProductStatus.TAINTED) == []
    assert poll(Status.OUTDATED, ProductStatus.TAINTED) == without_sync
    state.mark_missing(BASELINE.id)
    assert poll(Status.OUTDATED, ProductStatus.TAINTED) == []


def test_the_file_has_the_version_of_the_code(state: SqliteStore, path: Path) -> None:
    """A new file has gone through every migration."""
    state.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def described(status: ProductStatus, before: ProductStatus | None = None, poll: str = "poll-2") -> Description:
    """Return the description of a product that a poll made."""
    return describe(detail(before) if before else None, EPOCH, detail(status), BASELINE, poll, LATER)


def test_the_description_of_a_product_is_stored(path: Path) -> None:
    """A description is stored with the snapshot of its poll, or alone if the listing failed."""
    with closing(SqliteStore(path)) as state:
        state.save_description(BASELINE.id, described(ProductStatus.TAINTED))
        assert state.load(BASELINE.id) == StoredProduct(
            None, missing=False, detail=detail(ProductStatus.TAINTED), status_since=EPOCH
        )
        state.commit(baseline({(ONE, EU): Status.CURRENT}), described(ProductStatus.AVAILABLE, ProductStatus.TAINTED))
    with closing(SqliteStore(path)) as state:
        stored = state.load(BASELINE.id)
        assert (stored.detail, stored.status_since) == (detail(ProductStatus.AVAILABLE), LATER)
        assert stored.snapshot == snapshot({(ONE, EU): Status.CURRENT})


def test_transitions_of_products_and_instances_have_one_order(path: Path) -> None:
    """They are published in the order of writing; the history has those of instances only."""
    first = baseline({(ONE, EU): Status.CURRENT})
    change = diff(first.snapshot, listing({(ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    product = described(ProductStatus.UNDER_CHANGE, ProductStatus.AVAILABLE)
    with closing(SqliteStore(path)) as state:
        state.commit(first)
        state.commit(change, product)
        assert [transition for _, transition in state.unpublished(9)] == [product.transition, *change.transitions]
        assert list(read_transitions(path, EPOCH)) == list(change.transitions)
