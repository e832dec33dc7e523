"""Damaged and unknown content of the state file: it is reported and set aside, and monitoring goes on."""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.model.diff import Transition, diff
from monitor.model.instances import InstanceKey, Status
from monitor.model.products import Description, ProductStatus
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_database import RETRY_SECONDS
from monitor.state.sqlite_history import read_transitions
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, baseline, detail, listing
from tests.state.damage import DAMAGES, execute, overwritten

STATUSES: dict[InstanceKey, Status] = {
    (ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED,
}  # fmt: skip
FIRST = baseline(STATUSES)
SECOND = diff(FIRST.snapshot, listing(dict.fromkeys(STATUSES, Status.INOPERABLE)), BASELINE, "poll-2", LATER)
THIRD = diff(SECOND.snapshot, listing(STATUSES), BASELINE, "poll-3", LATER + timedelta(minutes=5))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Write a state file with one product and three unpublished transitions."""
    path = tmp_path / "monitor.db"
    with closing(SqliteStore(path)) as store:
        store.commit(FIRST, Description(detail(ProductStatus.AVAILABLE), None, EPOCH))
        store.commit(SECOND)
    return path


class Errors(list[str]):
    """The errors that a store reported."""

    def add(self, error: StateError) -> None:
        """Keep the text of an error."""
        self.append(str(error))


def test_a_status_of_a_later_version_is_unknown_and_kept(path: Path) -> None:
    """An older image after a newer one monitors on; the text stays in the file for the newer image."""
    execute(
        path,
        f"UPDATE instance SET status = 'SUSPENDED' WHERE account = '{ONE}'",
        "UPDATE product SET status = 'DELETING'",
        "UPDATE transition SET status = 'SUSPENDED', provisioned_product_status = 'DELETING'",
    )
    errors = Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        stored = store.load(BASELINE.id)
        assert stored.snapshot is not None
        assert stored.detail is not None
        assert {key: state.status for key, state in stored.snapshot.states.items()} == {
            (ONE, EU): Status.UNKNOWN, (ONE, US): Status.UNKNOWN, (TWO, EU): Status.INOPERABLE,
        }  # fmt: skip
        assert stored.snapshot.counts[Status.UNKNOWN] == 2
        assert stored.detail.status is ProductStatus.UNKNOWN
        published = [transition for _, transition in store.unpublished(10)]
        assert {(one.status, one.provisioned_product_status) for one in published if isinstance(one, Transition)} == {
            (Status.UNKNOWN, ProductStatus.UNKNOWN)
        }
        moved = {**dict.fromkeys(STATUSES, Status.UNKNOWN), (TWO, EU): Status.CURRENT}
        store.commit(diff(stored.snapshot, listing(moved), BASELINE, "poll-3", LATER))
        kept = store._connection.execute("SELECT DISTINCT status FROM instance ORDER BY status").fetchall()
    assert kept == [("CURRENT",), ("SUSPENDED",)]
    assert errors == []


@pytest.mark.parametrize(
    ("damage", "status"),
    [
        ("status = CAST(x'43ff' AS TEXT)", Status.UNKNOWN),
        ("status = 'CURR NT'", Status.UNKNOWN),
        ("status = x'00'", Status.UNKNOWN),
        ("since = 'soon'", Status.INOPERABLE),
        ("since = 9223372036854775807", Status.INOPERABLE),
        ("region = CAST(x'65ff' AS TEXT)", None),
        ("region = ''", None),
        ("account = x'3131'", None),
    ],
)
def test_an_instance_that_cannot_be_read_is_set_aside(path: Path, damage: str, status: Status | None) -> None:
    """The row is kept in another table, which is reported once. If its key can be read, the instance is still there."""
    execute(path, f"UPDATE instance SET {damage} WHERE account = '{TWO}'")
    errors = Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        for _ in range(2):
            snapshot = store.load(BASELINE.id).snapshot
            assert snapshot is not None
            assert snapshot.states.keys() >= {(ONE, EU), (ONE, US)}
            state = snapshot.states.get((TWO, EU))
            assert (state and (state.status, state.since)) == (status and (status, LATER))
            assert len(snapshot.states) == sum(snapshot.counts.values()) == (3 if status else 2)
        assert store._connection.execute("SELECT table_name FROM unreadable").fetchall() == [("instance",)]
    assert errors == [
        f"the state file {path}: 1 instances of {BASELINE.id} cannot be read and are moved to the table unreadable"
    ]


@pytest.mark.parametrize("damage", ["status = 'x'", "event_id = x'00'", "observed_at = 'x'", "product_name = x'ff'"])
def test_a_transition_that_cannot_be_read_is_left_out(path: Path, damage: str) -> None:
    """The outbox gets None in its place and can go on after it, and the history leaves it out and says so."""
    execute(path, f"UPDATE transition SET {damage} WHERE sequence = 1")
    left_out: list[None] = []
    history = list(read_transitions(path, EPOCH, on_unreadable=lambda: left_out.append(None)))
    assert history == list(SECOND.transitions[1:])
    assert len(left_out) == 1
    with closing(SqliteStore(path)) as store:
        (position, unreadable), *others = store.unpublished(10)
        assert unreadable is None
        assert [transition for _, transition in others] == list(SECOND.transitions[1:])
        store.mark_published(position)
        assert store.unpublished(10) == others


def test_a_product_whose_time_cannot_be_read_keeps_its_snapshot(path: Path) -> None:
    """The newest instance dates the snapshot, so that nothing that changed meanwhile is lost."""
    execute(path, "UPDATE product SET observed_at = 'never', type = x'ff'")
    with closing(SqliteStore(path)) as store:
        stored = store.load(BASELINE.id)
        assert stored.snapshot == SECOND.snapshot
        assert stored.detail is None
        store.commit(THIRD)
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot


def test_a_discovered_product_that_cannot_be_read_is_left_out(path: Path) -> None:
    """The other products of the source are monitored from the start; the next search replaces the row."""
    with closing(SqliteStore(path)) as store:
        store.save_discovered_products("hub", [BASELINE])
    execute(path, "INSERT INTO discovered VALUES ('hub', CAST(x'70ff' AS TEXT), 'x')")
    errors = Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        assert store.discovered_products("hub") == [BASELINE]
        store.save_discovered_products("hub", [BASELINE])
        assert store.discovered_products("hub") == [BASELINE]
    assert errors == [f"the state file {path}: 1 discovered products of source hub cannot be read and are left out"]


def test_a_product_id_that_cannot_be_read_does_not_cost_the_file(path: Path) -> None:
    """Old products are pruned although the id of one is damaged, and the file stays in use."""
    with closing(SqliteStore(path)) as store:
        store.mark_missing("pp-other")
    execute(path, "INSERT INTO product (id) VALUES (CAST(x'70ff' AS TEXT))")
    errors = Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        store.prune(EPOCH, {BASELINE.id})
        assert not store.load("pp-other").missing
    assert errors == []


def test_a_flipped_byte_never_stops_the_daemon(path: Path) -> None:
    """Whichever byte of the file is wrong, it opens, loads, publishes, commits and prunes; some 300 bytes are tried."""
    good = path.read_bytes()
    used = [place for place, byte in enumerate(good) if byte]
    target = path.parent / "flipped" / "monitor.db"
    target.parent.mkdir()
    for number, place in enumerate(used[:: len(used) // 300]):
        for left in target.parent.iterdir():
            left.unlink()
        flipped = bytearray(good)
        flipped[place] ^= 1 << number % 8
        target.write_bytes(flipped)
        with closing(SqliteStore(target)) as store:
            use(store)


def use(store: SqliteStore) -> None:
    """Do what a daemon does after its start; nothing may raise, and publishing comes to an end."""
    loaded = store.load(BASELINE.id).snapshot
    for _ in range(5):
        if batch := store.unpublished(2):
            store.mark_published(batch[-1][0])
    assert store.unpublished(10) == []
    store.commit(diff(loaded, listing(STATUSES), BASELINE, "poll-9", LATER + timedelta(days=1)))
    assert store.load(BASELINE.id).snapshot is not None
    store.discovered_products("hub")
    store.prune(LATER + timedelta(hours=12), {BASELINE.id})


def damage_open_file(store: SqliteStore, path: Path) -> None:
    """Damage a file in use, and let the store see it: its page cache would hide the damage."""
    store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    overwritten(path)
    assert store._file is not None
    store._connection.close()
    store._file._log_files = {}
    store._connection = store._file.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)


def test_a_file_that_breaks_while_in_use_is_replaced(path: Path) -> None:
    """The commit goes to a new file, with the whole snapshot and not only with what changed."""
    errors = Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        damage_open_file(store, path)
        store.commit(THIRD)
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot
        assert [transition for _, transition in store.unpublished(10)][-3:] == list(THIRD.transitions)
    (kept,) = path.parent.glob("*.broken-*Z")
    assert [f"it was renamed to {kept.name}" in error for error in errors] == [True]


def test_two_threads_that_find_the_same_damage_replace_the_file_once(path: Path) -> None:
    """The new file of the first thread is not quarantined by the second, so both commits are kept."""
    together = threading.Barrier(2)
    with closing(SqliteStore(path)) as store:
        damage_open_file(store, path)

        def commit(product_id: str) -> None:
            together.wait()
            store.mark_missing(product_id)

        threads = [threading.Thread(target=commit, args=(name,)) for name in ("pp-1", "pp-2")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        missing = StoredProduct(None, missing=True)
        assert [store.load(name) for name in ("pp-1", "pp-2")] == [missing, missing]
    assert len(list(path.parent.glob("*.broken-*Z"))) == 1


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_broken_file_is_quarantined_at_the_start(path: Path, damage: Callable[[Path], None]) -> None:
    """The damaged bytes are kept under a name with the time, it is reported, and a new file works."""
    damage(path)
    before, errors = path.read_bytes(), Errors()
    with closing(SqliteStore(path, on_error=errors.add)) as store:
        (kept,) = path.parent.glob("monitor.db.broken-*Z")
        assert kept.read_bytes() == before
        assert store.load(BASELINE.id) == StoredProduct(None, missing=False)
        store.commit(FIRST)
    (error,) = errors
    assert error.startswith(f"the state file {path} is broken: ")
    assert f"; it was renamed to {kept.name} and a new file was created" in error
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot == FIRST.snapshot


def test_a_broken_file_on_a_full_disk_is_replaced_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If no new file can be made, the broken one keeps its name, and its transitions are copied when there is space."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'instance'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    now = [0.0]

    def full(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patched:
        patched.setattr("monitor.state.sqlite_file.check_columns", full)
        store = SqliteStore(path, clock=lambda: now[0])
    with closing(store):
        assert list(path.parent.glob("*.broken-*Z")) == []
        now[0] = RETRY_SECONDS
        store.check_file()
        assert len(list(path.parent.glob("*.broken-*Z"))) == 1
        assert [transition for _, transition in store.unpublished(10)] == list(SECOND.transitions)


def test_a_large_file_is_checked_beside_its_use(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start does not wait for the check; damage that it finds is treated as at a start."""
    monkeypatch.setattr("monitor.state.sqlite_file.CHECKED_AT_START", 0)
    found = threading.Event()
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot == SECOND.snapshot
    overwritten(path)
    with closing(SqliteStore(path, on_error=lambda _: found.set())) as store:
        assert found.wait(5.0)
        store.commit(THIRD)
        assert store.load(BASELINE.id).snapshot == THIRD.snapshot
    assert len(list(path.parent.glob("*.broken-*Z"))) == 1


def test_unpublished_transitions_of_a_broken_file_are_kept(path: Path) -> None:
    """What can still be read of a broken file is published, under the ids that it has."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'instance'").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot is None
        assert [transition for _, transition in store.unpublished(10)] == list(SECOND.transitions)


def test_a_vanished_instance_is_deleted_from_the_file(path: Path) -> None:
    """An instance that disappeared does not come back after a restart, and no other instance goes with it."""
    fewer = {key: Status.INOPERABLE for key in STATUSES if key != (ONE, EU)}
    change = diff(SECOND.snapshot, listing({**fewer, (THREE, EU): Status.CURRENT}), BASELINE, "poll-3", LATER)
    with closing(SqliteStore(path)) as store:
        store.commit(change)
    with closing(SqliteStore(path)) as store:
        assert store.load(BASELINE.id).snapshot == change.snapshot
