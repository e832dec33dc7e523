"""Whatever has become of the state file: it is said, nothing is overwritten, and monitoring goes on."""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.model.diff import diff
from monitor.model.instances import InstanceKey, Status
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state.errors import BrokenStateError, RefusedStateError
from monitor.state.opening import open_state
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_schema import VERSION
from tests.making import BASELINE, EU, LATER, ONE, US, baseline, listing

FLEET: dict[InstanceKey, Status] = {(f"{n:012}", region): Status.CURRENT for n in range(500) for region in (EU, US)}
FIRST = baseline(FLEET)
NOTHING = StoredProduct(None, missing=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a state file with a fleet of a thousand instances."""
    made = tmp_path / "monitor.db"
    state = SqliteStore(made)
    state.commit(FIRST)
    state.close()
    return made


def garbage(path: Path) -> None:
    """Make it a text."""
    path.write_bytes(b"this is not a database, whatever its name says" * 100)


def cut(path: Path) -> None:
    """Leave half of it."""
    os.truncate(path, path.stat().st_size // 2)


def scribbled(path: Path) -> None:
    """Write over its middle, leaving the first page as it is."""
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(3 * 4096))


@pytest.mark.parametrize("damage", [garbage, cut, scribbled])
def test_a_broken_file_is_set_aside_and_a_new_one_begun(path: Path, damage: Callable[[Path], None]) -> None:
    """The damaged bytes are kept under a name with the time, the problem is told, and the new file works."""
    damage(path)
    before, problems = path.read_bytes(), list[str]()
    state = open_state(path, on_problem=lambda problem: problems.append(str(problem)))
    (kept,) = path.parent.glob("monitor.db.broken-*")
    assert kept.read_bytes() == before
    (problem,) = problems
    assert problem.startswith(f"the state file {path} is broken: ")
    assert problem.endswith(f"; it is kept as {kept.name}, and a new one was begun")
    assert state.load(BASELINE.id) == NOTHING
    state.commit(FIRST)
    state.close()
    again = open_state(path)
    assert again.load(BASELINE.id).snapshot == FIRST.snapshot
    again.close()


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """A file that was just made, by hand or by a crash, has nothing to lose."""
    path = tmp_path / "monitor.db"
    path.touch()
    problems: list[StateError] = []
    open_state(path, on_problem=problems.append).close()
    assert problems == []


def test_a_file_from_the_future_is_left_alone(path: Path) -> None:
    """What a later version wrote is not touched; this one goes on in memory and says so."""
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before, problems = path.read_bytes(), list[str]()
    state = open_state(path, on_problem=lambda problem: problems.append(str(problem)))
    state.commit(FIRST)
    assert state.load(BASELINE.id).snapshot == FIRST.snapshot
    state.close()
    assert path.read_bytes() == before
    assert problems == [
        (
            f"the state file {path} is of version {VERSION + 1}, made by a later stackset-monitor;"
            f" this one knows version {VERSION}; the state is kept in memory and will not survive a restart"
        )
    ]


def test_a_folder_that_cannot_be_made_is_no_reason_to_stop(tmp_path: Path) -> None:
    """Where the path leads through a file, the state is kept in memory."""
    (tmp_path / "file").touch()
    problems: list[str] = []
    state = open_state(tmp_path / "file" / "monitor.db", on_problem=lambda problem: problems.append(str(problem)))
    state.commit(FIRST)
    state.close()
    (problem,) = problems
    assert problem.endswith("; the state is kept in memory and will not survive a restart")


def test_a_state_in_memory_does_not_pretend_to_be_a_file(tmp_path: Path) -> None:
    """The time of the last commit stays where it was: an alert can see it."""
    (tmp_path / "file").touch()
    commits: list[str] = []
    state = open_state(tmp_path / "file" / "monitor.db", lambda: commits.append("commit"))
    state.commit(FIRST)
    state.close()
    assert commits == []


def test_a_person_decides_about_a_directory_and_a_second_daemon(tmp_path: Path) -> None:
    """These are not worked around."""
    with pytest.raises(RefusedStateError, match="is a directory"):
        open_state(tmp_path)
    first = open_state(tmp_path / "monitor.db")
    with pytest.raises(RefusedStateError, match="another stackset-monitor"):
        open_state(tmp_path / "monitor.db")
    first.close()


def test_a_refused_or_broken_file_is_not_left_locked(path: Path) -> None:
    """An opening that failed lets the lock go."""
    garbage(path)
    for _ in range(2):
        with pytest.raises(BrokenStateError):
            SqliteStore(path)


def test_a_file_that_breaks_while_it_is_used_is_replaced(path: Path) -> None:
    """The commit goes to a new file, with the whole snapshot and not only with what changed."""
    problems: list[str] = []
    state = open_state(path, on_problem=lambda problem: problems.append(str(problem)))
    loaded = state.load(BASELINE.id).snapshot
    assert loaded is not None
    scribbled(path)
    state._connection.close()  # what is in its cache would hide the damage
    state._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    change = diff(loaded, listing({**FLEET, (ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot
    assert [transition for _, transition in state.unpublished(10)] == list(change.transitions)
    state.close()
    assert [problem.endswith("and a new one was begun") for problem in problems] == [True]
    assert len(list(path.parent.glob("monitor.db.broken-*"))) == 1


def test_a_change_of_a_snapshot_that_is_not_in_the_file_is_written_whole(path: Path) -> None:
    """A file that somebody replaced by an older one gets the fleet, not a few rows of it."""
    state = open_state(path)
    second = diff(FIRST.snapshot, listing({**FLEET, (ONE, EU): Status.OUTDATED}), BASELINE, "poll-2", LATER)
    third = diff(second.snapshot, listing(FLEET), BASELINE, "poll-3", LATER + timedelta(minutes=5))
    state.commit(third)
    assert state.load(BASELINE.id).snapshot == third.snapshot
    state.close()


def test_a_full_disk_is_an_error_and_no_damage(path: Path) -> None:
    """The commit fails with SQLite's sentence; with room again it goes well, and nothing was set aside."""
    state = open_state(path)
    (pages,) = state._connection.execute("PRAGMA page_count").fetchone()
    state._connection.execute(f"PRAGMA max_page_count = {pages}")
    grown = {(f"{n:012}", EU): Status.CURRENT for n in range(1000, 9000)}
    change = diff(FIRST.snapshot, listing({**FLEET, **grown}), BASELINE, "poll-2", LATER)
    with pytest.raises(StateError, match=r"^the state file .*: database or disk is full$"):
        state.commit(change)
    assert state.load(BASELINE.id).snapshot == FIRST.snapshot
    state._connection.execute("PRAGMA max_page_count = 1000000")
    state.commit(change)
    assert state.load(BASELINE.id).snapshot == change.snapshot
    state.close()
    assert list(path.parent.glob("*.broken-*")) == []


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Let nothing in a folder be written, also by root, whose rights go past every permission."""
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


def test_a_file_that_can_only_be_read_is_left_alone() -> None:
    """A volume mounted read-only, or another user's file: said at the start, and monitoring goes on in memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "monitor.db"
        state = SqliteStore(path)
        state.commit(FIRST)
        state.close()
        before, problems = path.read_bytes(), list[str]()
        with without_rights(folder):
            state = open_state(path, on_problem=lambda problem: problems.append(str(problem)))
            state.commit(FIRST)
            assert state.load(BASELINE.id).snapshot == FIRST.snapshot
            state.close()
        assert path.read_bytes() == before
        (problem,) = problems
        assert problem.endswith("; the state is kept in memory and will not survive a restart")
