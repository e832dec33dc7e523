"""A state file that is deleted, replaced or moved while in use is noticed, and nothing is lost."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from monitor.model.instances import Product, Status
from monitor.state.errors import RefusedStateError
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_database import RETRY_SECONDS
from tests.making import BASELINE, EU, ONE, baseline
from tests.state.reports import IN_MEMORY, SECOND, THIRD, Reports, ids, unpublished


def deleted(path: Path) -> None:
    """Delete the state file alone."""
    path.unlink()


def folder_deleted(path: Path) -> None:
    """Delete the folder with everything in it."""
    shutil.rmtree(path.parent)


def folder_renamed(path: Path) -> None:
    """Rename the folder."""
    path.parent.rename(path.parent.with_name("renamed"))


def replaced(path: Path) -> None:
    """Put another state file in its place, with another product."""
    with closing(SqliteStore(path.with_name("other.db"))) as store:
        store.commit(baseline({(ONE, EU): Status.CURRENT}, Product("pp-other", "other")))
    path.with_name("other.db").rename(path)


@pytest.mark.parametrize("displace", [deleted, folder_deleted, folder_renamed, replaced])
def test_a_file_that_is_displaced_while_in_use_is_noticed(
    path: Path, reports: Reports, displace: Callable[[Path], None]
) -> None:
    """The next commit goes to the path, with all snapshots and all unpublished transitions."""
    with closing(reports.open(path)) as store:
        displace(path)
        store.commit(THIRD)
        assert unpublished(store) == ids(SECOND, THIRD)
    assert reports.errors == [f"the state file {path} was deleted, moved or replaced{IN_MEMORY}"]
    assert len(reports.recoveries) == 1
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot
        assert unpublished(store) == ids(SECOND, THIRD)
        assert (store.load("pp-other").snapshot is not None) == (displace is replaced)
    renamed = path.parent.with_name("renamed") / path.name
    if displace is folder_renamed:
        with closing(SqliteStore(renamed)) as store:
            assert store.load(BASELINE.id).snapshot == SECOND.snapshot


@pytest.mark.parametrize("suffix", [".lock", "-wal"])
def test_a_lock_file_or_log_that_is_deleted_is_made_again(path: Path, reports: Reports, suffix: str) -> None:
    """After the next look at the file a second daemon is refused, and a crash loses nothing that was committed."""
    with closing(reports.open(path)) as store:
        store.commit(THIRD)
        path.with_name(path.name + suffix).unlink()
        store.check_file()
        with pytest.raises(RefusedStateError):
            SqliteStore(path)
        copy = path.with_name("after-a-crash.db")
        shutil.copy(path, copy)
        shutil.copy(path.with_name("monitor.db-wal"), copy.with_name("after-a-crash.db-wal"))
        with closing(SqliteStore(copy)) as restarted:
            assert unpublished(restarted) == ids(SECOND, THIRD)
            assert restarted.load(BASELINE.id).snapshot == THIRD.snapshot
    assert reports.errors == [f"the state file {path} lost its lock file or its write-ahead log{IN_MEMORY}"]
    assert len(reports.recoveries) == 1


def test_a_daemon_that_loses_its_file_to_another_one_says_so(path: Path, reports: Reports) -> None:
    """The first daemon writes nothing to the file that a second one uses, until the second has stopped."""
    with closing(reports.open(path)) as store:
        path.with_name("monitor.db.lock").unlink()
        with closing(SqliteStore(path)) as second:
            second.mark_missing("pp-second")
            log = path.with_name("monitor.db-wal").stat().st_ino
            store.mark_missing("pp-other")
            assert path.with_name("monitor.db-wal").stat().st_ino == log, "the log of the second daemon is deleted"
            assert store.load("pp-other").missing
            assert not second.load("pp-other").missing
        assert len(reports.errors) == 2
        assert reports.errors[1].startswith("another stackset-monitor (process ")
        reports.now = RETRY_SECONDS
        store.check_file()
        assert len(reports.recoveries) == 1
    with closing(SqliteStore(path)) as store:
        assert store.load("pp-other").missing
        assert store.load("pp-second").missing


def test_a_position_of_another_file_marks_nothing(path: Path, reports: Reports) -> None:
    """If the file is displaced while the outbox writes lines, they are published once more and no other is lost."""
    with closing(reports.open(path)) as store:
        store.mark_published(store.unpublished(1)[0][0])
        store.commit(THIRD)
        ((position, _),) = store.unpublished(1)
        path.unlink()
        store.mark_published(position)
        assert unpublished(store) == ids(THIRD)
