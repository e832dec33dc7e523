"""Whatever state file the daemon starts with, it is reported, nothing is overwritten, and monitoring goes on."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import Status
from monitor.model.products import ProductStatus
from monitor.poller.protocols import StateError
from monitor.state.errors import RefusedStateError
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_database import RETRY_SECONDS
from monitor.state.sqlite_history import read_state, read_transitions
from monitor.state.sqlite_schema import COLUMNS, MIGRATIONS, VERSION
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, listing
from tests.state.damage import execute
from tests.state.reports import FIRST, IN_MEMORY, SECOND, STATUSES, THIRD, Reports, ids, unpublished


def test_an_empty_file_is_a_new_one(tmp_path: Path, reports: Reports) -> None:
    """A file that was just created has nothing to lose."""
    (tmp_path / "monitor.db").touch()
    reports.open(tmp_path / "monitor.db").close()
    assert reports.errors == []


@pytest.mark.parametrize("version", range(1, VERSION))
def test_a_file_of_an_earlier_version_is_migrated(tmp_path: Path, version: int) -> None:
    """Snapshots stay, and transitions keep their order and whether they were published."""
    path = tmp_path / "monitor.db"
    with closing(sqlite3.connect(path)) as connection:
        for script in MIGRATIONS[:version]:
            connection.executescript(script)
        connection.executescript(f"PRAGMA user_version = {version}")
        connection.execute("INSERT INTO product (id, observed_at) VALUES (?, 0)", (BASELINE.id,))
        connection.execute("INSERT INTO instance VALUES (?, ?, ?, 'CURRENT', 0)", (BASELINE.id, ONE, EU))
        published = "told" if version < 3 else "published"
        for number in range(3):
            connection.execute(
                f"INSERT INTO transition (event_id, poll_id, product_id, product_name, account, region, status,"
                f" observed_at, {published}) VALUES (?, 'poll', ?, 'n', ?, ?, 'CURRENT', 0, ?)",
                (f"event-{number}", BASELINE.id, ONE, EU, number == 0),
            )
        connection.commit()
    with closing(SqliteStore(path)) as store:
        snapshot = store.load(BASELINE.id).snapshot
        assert snapshot is not None
        assert set(snapshot.states) == {(ONE, EU)}
        assert unpublished(store) == ["event-1", "event-2"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        for table, columns in COLUMNS.items():
            connection.execute(f"SELECT {', '.join(columns)} FROM {table}")


@pytest.mark.parametrize("version", [VERSION - 1, VERSION + 1])
def test_a_file_of_another_version_is_not_read_beside_the_daemon(path: Path, version: int) -> None:
    """`status` and `history` cannot migrate a file that a daemon may be using, and do not call it broken."""
    execute(path, f"PRAGMA user_version = {version}")
    with pytest.raises(StateError, match=f"is of version {version}, and this stackset-monitor knows version {VERSION}"):
        list(read_transitions(path, EPOCH))
    with pytest.raises(StateError, match="use the version of the daemon"), read_state(path):
        pass


def test_the_details_of_a_product_stay_without_the_time_of_its_status(tmp_path: Path) -> None:
    """A file of version 3 has no such time: a change of the status during the upgrade is logged all the same."""
    path = tmp_path / "monitor.db"
    with closing(sqlite3.connect(path)) as connection:
        for script in MIGRATIONS[:3]:
            connection.executescript(script)
        connection.executescript("PRAGMA user_version = 3")
        connection.execute(
            "INSERT INTO product (id, name, type, status) VALUES (?, 'n', 'CFN_STACKSET', 'TAINTED')", (BASELINE.id,)
        )
        connection.commit()
    with closing(SqliteStore(path)) as store:
        stored = store.load(BASELINE.id)
        assert stored.detail is not None
        assert stored.detail.status is ProductStatus.TAINTED
        assert stored.status_since is None


def test_a_file_of_a_later_version_is_left_alone(path: Path, reports: Reports) -> None:
    """What a later version wrote is read and not touched; the monitor goes on in memory and says so."""
    execute(path, f"PRAGMA user_version = {VERSION + 1}")
    before = path.read_bytes()
    with closing(reports.open(path)) as store:
        assert store.load(BASELINE.id).snapshot == SECOND.snapshot
        store.commit(THIRD)
        assert unpublished(store) == ids(SECOND, THIRD)
    assert path.read_bytes() == before
    (error,) = reports.errors
    assert error.startswith(f"the state file {path} is of version {VERSION + 1}, made by a later stackset-monitor;")
    assert error.endswith(f" this one knows version {VERSION}{IN_MEMORY}")
    assert reports.commits == 0


def test_a_folder_that_cannot_be_created_does_not_stop_the_monitor(tmp_path: Path, reports: Reports) -> None:
    """If the path leads through a file, the state is kept in memory, and no commit to a file is reported."""
    (tmp_path / "file").touch()
    with closing(reports.open(tmp_path / "file" / "monitor.db")) as store:
        store.commit(FIRST)
        assert store.load(BASELINE.id).snapshot == FIRST.snapshot
    (error,) = reports.errors
    assert error.endswith(IN_MEMORY)
    assert reports.commits == 0


def test_a_directory_and_a_second_daemon_are_refused(path: Path) -> None:
    """These are for a person to decide, and nothing is kept in memory instead."""
    with pytest.raises(RefusedStateError, match=rf"^the state file {path.parent} is a directory$"):
        SqliteStore(path.parent)
    with closing(SqliteStore(path)), pytest.raises(RefusedStateError, match="another stackset-monitor"):
        SqliteStore(path)


def test_a_change_of_a_snapshot_that_is_not_in_the_file_is_written_whole(path: Path) -> None:
    """A file that has an older snapshot gets all instances and not only those that changed."""
    with closing(SqliteStore(path)) as store:
        execute(path, "UPDATE product SET observed_at = 0")
        store.commit(THIRD)
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot


def test_a_full_disk_is_an_error_and_no_damage(path: Path) -> None:
    """The commit fails with the message of SQLite, succeeds with space again, and nothing is quarantined."""
    with closing(SqliteStore(path)) as store:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        grown = {(f"{n:012}", EU): Status.CURRENT for n in range(1000, 9000)}
        change = diff(SECOND.snapshot, listing({**STATUSES, **grown}), BASELINE, "poll-3", LATER)
        with pytest.raises(StateError, match=r"^the state file .*: database or disk is full$"):
            store.commit(change)
        assert store.load(BASELINE.id).snapshot == SECOND.snapshot
        store._connection.execute("PRAGMA max_page_count = 1000000")
        store.commit(change)
        assert store.load(BASELINE.id).snapshot == change.snapshot
    assert list(path.parent.glob("*.broken-*")) == []


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing in a folder be written, not even by root, whose rights override every permission."""
    before = os.geteuid()
    for path in (*folder.iterdir(), folder):
        path.chmod(path.stat().st_mode & 0o555 | 0o444)
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)
        folder.chmod(0o755)
        for path in folder.iterdir():
            path.chmod(0o644)


@pytest.mark.parametrize("clean", [True, False])
def test_a_file_that_can_only_be_read_is_read(path: Path, reports: Reports, clean: bool) -> None:
    """A restart on a read-only volume keeps since-times and ids, also if the last stop was not a clean one."""
    last = SECOND
    if not clean:  # a copy of a file in use has a write-ahead log, as after a SIGKILL
        copy = path.parent.with_name("copy")
        with closing(SqliteStore(path)) as store:
            store.commit(THIRD)
            shutil.copytree(path.parent, copy)
        copy.chmod(0o755)
        path, last = copy / path.name, THIRD
    before = path.read_bytes()
    with read_only(path.parent), closing(reports.open(path)) as store:
        assert store.load(BASELINE.id).snapshot == last.snapshot
        assert unpublished(store) == (ids(SECOND) if clean else ids(SECOND, THIRD))
    assert path.read_bytes() == before
    (error,) = reports.errors
    assert error.endswith(IN_MEMORY)


def test_a_file_that_can_be_written_again_gets_what_was_kept_in_memory(path: Path, reports: Reports) -> None:
    """It is tried again after a while; no transition is lost, published twice under two ids, or published again."""
    with read_only(path.parent):
        store = reports.open(path)
        store.commit(THIRD)
        store.mark_published(store.unpublished(1)[0][0])
        reports.now = RETRY_SECONDS
        store.check_file()
        assert reports.recoveries == []
    store.check_file()
    assert reports.recoveries == []
    reports.now = 2 * RETRY_SECONDS
    store.mark_missing("pp-other")
    assert reports.recoveries == [f"The state file {path} is used again, and contains what was kept in memory."]
    assert reports.commits == 1
    store.close()
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot
        assert store.load("pp-other").missing
        assert unpublished(store) == ids(THIRD)


def test_a_disk_that_is_full_at_the_start_is_found_out_at_the_start(
    path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening writes something: in WAL mode, everything but a write succeeds on a full disk."""
    connect = sqlite3.connect

    class FullDisk(sqlite3.Connection):
        def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
            if sql == "COMMIT":
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *parameters)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(
            sqlite3, "connect",
            lambda name, **options: connect(name, factory=FullDisk if name == path else sqlite3.Connection, **options),
        )  # fmt: skip
        store = reports.open(path)
    assert store.load(BASELINE.id).snapshot == SECOND.snapshot
    assert reports.errors == [f"the state file {path}: database or disk is full{IN_MEMORY}"]
    store.close()


def test_a_lock_file_that_cannot_be_written_is_tried_again(
    path: Path, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no lock behind that would refuse the same process later."""
    path.with_name("monitor.db.lock").unlink()

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("monitor.state.lock.os.write", full)
        store = reports.open(path)
    assert reports.errors == [f"the state file {path}: No space left on device{IN_MEMORY}"]
    reports.now = RETRY_SECONDS
    store.check_file()
    assert len(reports.recoveries) == 1
    assert unpublished(store) == ids(SECOND)
    store.close()
