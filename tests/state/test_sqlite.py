"""What is written to the state file is read back complete, also after a restart."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import Status
from monitor.model.products import ProductStatus
from monitor.poller.protocols import StateError
from monitor.state import sqlite_history
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_history import read_transitions
from monitor.state.sqlite_schema import VERSION
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, baseline, listing, snapshot
from tests.state.values import CHANGED, STATUSES, described


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


def test_there_is_no_history_without_a_file(tmp_path: Path) -> None:
    """Reading the history of a missing file is an error and does not create the file."""
    path = tmp_path / "none.db"
    with pytest.raises(StateError, match=r"^there is no state file .*none\.db$"):
        list(read_transitions(path, EPOCH))
    assert not path.exists()


def test_a_reader_of_the_history_does_not_hold_back_the_daemon(
    state: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`history | less` may wait for hours: the write-ahead log can be emptied, and no row is lost or doubled."""
    monkeypatch.setattr(sqlite_history, "BATCH", 2)
    first = baseline(STATUSES)
    change = diff(first.snapshot, listing(dict.fromkeys(STATUSES, Status.INOPERABLE)), BASELINE, "poll-2", LATER)
    state.commit(first)
    state.commit(change)
    reader = iter(read_transitions(path, EPOCH))
    read = [next(reader)]
    state.mark_missing("pp-other")
    assert state._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)
    assert [*read, *reader] == list(change.transitions)
    assert len(change.transitions) > sqlite_history.BATCH


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
