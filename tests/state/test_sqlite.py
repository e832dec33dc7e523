"""The state file: what is written comes back, in one piece, also after the process is gone."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
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

FLEET: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
CHANGED: dict[InstanceKey, Status] = {
    (ONE, EU): Status.UNKNOWN,
    (ONE, US): Status.CURRENT,
    (THREE, EU): Status.INOPERABLE,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the state is, in a folder that is not there yet."""
    return tmp_path / "state" / "monitor.db"


@pytest.fixture
def state(path: Path) -> Iterator[SqliteStore]:
    """Open a new state."""
    opened = SqliteStore(path)
    yield opened
    opened.close()


def test_a_product_that_was_never_seen_has_nothing(state: SqliteStore) -> None:
    """There is no snapshot, and nothing is missing."""
    assert state.load(BASELINE.id) == StoredProduct(None, missing=False)


def test_a_baseline_comes_back(state: SqliteStore, path: Path) -> None:
    """A snapshot has its statuses, times and counts again when the file is opened anew."""
    state.commit(baseline(FLEET))
    state.close()
    again = SqliteStore(path)
    assert again.load(BASELINE.id) == StoredProduct(baseline(FLEET).snapshot, missing=False)
    again.close()


def test_a_change_comes_back_with_its_transitions(state: SqliteStore) -> None:
    """Changed, new and gone instances are there as the diff says, and each transition in its order."""
    first = baseline(FLEET)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot
    assert [transition for _, transition in state.unpublished(10)] == list(change.transitions)


def test_products_do_not_touch_each_other(state: SqliteStore) -> None:
    """The same account and Region in two products are two instances."""
    other = Product("pp-other", "other")
    state.commit(baseline(FLEET))
    state.commit(baseline({(ONE, EU): Status.INOPERABLE}, other))
    assert state.load(BASELINE.id).snapshot == baseline(FLEET).snapshot
    assert state.load("pp-other").snapshot == baseline({(ONE, EU): Status.INOPERABLE}, other).snapshot


def test_what_was_told_is_not_told_again(state: SqliteStore) -> None:
    """Marking tells up to a place; what comes later still waits."""
    first = baseline(FLEET)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    (place, transition), *_ = state.unpublished(1)
    state.mark_published(place)
    assert transition == change.transitions[0]
    assert [t for _, t in state.unpublished(10)] == list(change.transitions[1:])


def test_a_missing_product_keeps_its_snapshot(state: SqliteStore) -> None:
    """What AWS does not know is marked, and the mark goes with the next complete listing."""
    first = baseline(FLEET)
    state.commit(first)
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(first.snapshot, missing=True)
    state.commit(diff(first.snapshot, listing(FLEET), BASELINE, "poll-2", LATER))
    assert state.load(BASELINE.id).missing is False


def test_a_product_that_never_was_there_can_be_missing(state: SqliteStore) -> None:
    """A product that AWS never knew has no snapshot."""
    state.mark_missing(BASELINE.id)
    assert state.load(BASELINE.id) == StoredProduct(None, missing=True)


def test_old_transitions_are_forgotten(state: SqliteStore) -> None:
    """Pruning takes what was observed before a moment, told or not, and nothing else."""
    first = baseline(FLEET)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    assert state.prune(LATER) == 0
    assert state.prune(LATER + timedelta(milliseconds=1)) == 3
    assert state.unpublished(10) == []


def test_a_product_that_nobody_watches_is_forgotten_with_its_history(state: SqliteStore) -> None:
    """Discovery may find and lose many in a year; one that is monitored stays, however long its polls have failed."""
    state.commit(baseline(FLEET))
    later = LATER + timedelta(milliseconds=1)
    state.prune(later, {BASELINE.id})
    assert state.load(BASELINE.id).snapshot is not None
    state.prune(EPOCH, ())
    assert state.load(BASELINE.id).snapshot is not None
    state.prune(later, {"pp-another"})
    assert state.load(BASELINE.id).snapshot is None
    assert state._connection.execute("SELECT count(*) FROM instance").fetchone() == (0,)


def test_each_commit_is_told(path: Path) -> None:
    """The time of the last commit is a metric."""
    commits: list[str] = []
    state = SqliteStore(path, lambda: commits.append("commit"))
    state.commit(baseline(FLEET))
    state.mark_missing(BASELINE.id)
    state.close()
    assert commits == ["commit", "commit"]


def test_a_commit_that_fails_leaves_everything_as_it_was(state: SqliteStore) -> None:
    """Snapshot and transitions are written together or not at all, and the next commit goes well."""
    first = baseline(FLEET)
    change = diff(first.snapshot, listing(CHANGED), BASELINE, "poll-2", LATER)
    state.commit(first)
    state._connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON transition BEGIN SELECT RAISE(ABORT, 'no'); END")
    with pytest.raises(StateError, match=r"^the state file .*monitor\.db: no$"):
        state.commit(change)
    assert state.load(BASELINE.id).snapshot == first.snapshot
    state._connection.execute("DROP TRIGGER refuse")
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot


fleets = st.dictionaries(
    st.tuples(st.sampled_from([ONE, TWO, THREE]), st.sampled_from([EU, US])), st.sampled_from(list(Status))
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(fleets, min_size=1, max_size=5))
def test_whatever_happens_to_a_fleet_the_state_has_it(
    tmp_path_factory: pytest.TempPathFactory, story: list[dict[InstanceKey, Status]]
) -> None:
    """After any row of changes the file holds the last snapshot and every transition once."""
    path = tmp_path_factory.mktemp("story") / "monitor.db"
    state = SqliteStore(path)
    snapshot: Snapshot | None = None
    told: list[Transition] = []
    for number, fleet in enumerate(story):
        at = EPOCH + timedelta(minutes=number)
        change = diff(snapshot, listing(fleet), BASELINE, f"poll-{number}", at)
        state.commit(change)
        snapshot = change.snapshot
        told.extend(change.transitions)
    state.close()
    again = SqliteStore(path)
    assert again.load(BASELINE.id).snapshot == snapshot
    assert [transition for _, transition in again.unpublished(1000)] == told
    again.close()


def test_a_second_daemon_is_refused(state: SqliteStore, path: Path) -> None:
    """Another process cannot open the state; it says which process has it."""
    code = (
        "import os, sys, pathlib; from monitor.state.sqlite import SqliteStore\n"
        "try: SqliteStore(pathlib.Path(sys.argv[1]))\n"
        "except Exception as error: print(f'{type(error).__name__}: {error}')\n"
    )
    state.commit(baseline(FLEET))
    other = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    lock = path.with_name("monitor.db.lock")
    assert other.stdout.startswith("RefusedStateError: another stackset-monitor (process ")
    assert other.stdout.endswith(f") is using the state file that {lock} locks\n")


def test_a_closed_state_can_be_opened_again(state: SqliteStore, path: Path) -> None:
    """Closing lets the lock go."""
    state.close()
    SqliteStore(path).close()


def test_a_directory_is_refused(tmp_path: Path) -> None:
    """A path that is a folder is one sentence."""
    with pytest.raises(StateError, match=rf"^the state file {tmp_path} is a directory$"):
        SqliteStore(tmp_path)


def test_a_file_from_the_future_is_refused_and_left_alone(state: SqliteStore, path: Path) -> None:
    """What a later version wrote is not touched."""
    state._connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    state.close()
    before = path.read_bytes()
    with pytest.raises(StateError, match=rf"is of version {VERSION + 1}, made by a later stackset-monitor"):
        SqliteStore(path)
    assert path.read_bytes() == before


def test_the_history_is_read_while_a_daemon_writes(state: SqliteStore, path: Path) -> None:
    """Transitions are found by time, product and account, oldest first."""
    first = baseline(FLEET)
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
    """Reading does not make a file."""
    path = tmp_path / "none.db"
    with pytest.raises(StateError, match=r"^there is no state file .*none\.db$"):
        list(read_transitions(path, EPOCH))
    assert not path.exists()


def test_the_file_is_durable(state: SqliteStore) -> None:
    """Write-ahead log, and every commit synced: a transition that was told survives a power failure."""
    modes = [state._connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]


def test_the_file_has_the_version_of_the_code(state: SqliteStore, path: Path) -> None:
    """A file that was made new went through every migration."""
    state.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    connection.close()


def described(status: ProductStatus, before: ProductStatus | None = None, poll: str = "poll-2") -> Description:
    """Return what a poll finds out of a product."""
    return describe(detail(before) if before else None, detail(status), BASELINE, poll, LATER)


def test_what_a_product_is_survives(path: Path) -> None:
    """With the snapshot of the same poll, or alone where the listing failed."""
    with closing(SqliteStore(path)) as state:
        state.save_description(BASELINE.id, described(ProductStatus.TAINTED))
        assert state.load(BASELINE.id) == StoredProduct(None, missing=False, detail=detail(ProductStatus.TAINTED))
        state.commit(baseline({(ONE, EU): Status.CURRENT}), described(ProductStatus.AVAILABLE))
    with closing(SqliteStore(path)) as state:
        stored = state.load(BASELINE.id)
        assert stored.detail == detail(ProductStatus.AVAILABLE)
        assert stored.snapshot == snapshot({(ONE, EU): Status.CURRENT})


def test_transitions_of_products_wait_in_one_order_with_those_of_instances(path: Path) -> None:
    """They are told as they were written, and are no part of the history of instances."""
    first = baseline({(ONE, EU): Status.CURRENT})
    change = diff(first.snapshot, listing({(ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    product = described(ProductStatus.UNDER_CHANGE, ProductStatus.AVAILABLE)
    with closing(SqliteStore(path)) as state:
        state.commit(first)
        state.commit(change, product)
        assert [transition for _, transition in state.unpublished(9)] == [product.transition, *change.transitions]
        assert list(read_transitions(path, EPOCH)) == list(change.transitions)
