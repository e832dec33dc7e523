"""The state file: the last snapshot of each product, and the transitions, told or not yet."""

import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from monitor.model.diff import Change, Transition
from monitor.model.instances import Product, Snapshot, count_statuses
from monitor.model.products import Description, ProductTransition
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.errors import BrokenStateError, RefusedStateError, explained
from monitor.state.lock import StateLock
from monitor.state.quarantine import set_aside
from monitor.state.sqlite_schema import MIGRATIONS, VERSION

BUSY_MILLISECONDS = 5000


class SqliteStore:
    """One SQLite file with one writer, which is this object. Safe to use from many threads."""

    def __init__(
        self,
        path: Path | None,
        on_commit: Callable[[], None] = lambda: None,
        on_problem: Callable[[StateError], None] = lambda _: None,
    ) -> None:
        """Open or make the file, or keep everything in memory where `path` is None.

        `on_commit` is called after each commit to a file. Raises `StateError` where the file cannot be
        opened, `BrokenStateError` where it is damaged, `RefusedStateError` where another daemon has it.
        """
        self._path = path
        self._on_commit = on_commit if path else lambda: None
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._file_lock = StateLock(path) if path else None
        with explained(path):
            if path and self._file_lock:
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.is_dir():
                    raise RefusedStateError(f"the state file {path} is a directory")
                self._file_lock.acquire()
            try:
                self._open()
            except BaseException:
                self._release()
                raise

    def load(self, product_id: str) -> StoredProduct:
        """Return the last snapshot of a product, and whether AWS had said that it does not exist."""
        with self._lock, explained(self._path):
            known = self._connection.execute(
                f"SELECT observed_at, missing, {rows.DETAIL_COLUMNS} FROM product WHERE id = ?",  # noqa: S608
                (product_id,),
            ).fetchone()
            if known is None:
                return StoredProduct(None, missing=False)
            detail = rows.detail(product_id, known[2:])
            if known[0] is None:
                return StoredProduct(None, missing=bool(known[1]), detail=detail)
            states = rows.states(
                self._connection.execute(
                    "SELECT account, region, status, since FROM instance WHERE product_id = ?", (product_id,)
                )
            )
        observed_at = rows.from_milliseconds(known[0])
        snapshot = Snapshot(product_id, observed_at, states, count_statuses(states.values()))
        return StoredProduct(snapshot, missing=bool(known[1]), detail=detail)

    def commit(self, change: Change, description: Description | None = None) -> None:
        """Write a snapshot, a description and their transitions in one transaction; only what changed is written.

        A file that breaks meanwhile is set aside, and a new one begun. Raises `StateError`.
        """
        try:
            self._commit(change, description)
        except BrokenStateError as error:
            self._begin_anew(error)
            self._commit(change, description)

    def save_description(self, product_id: str, description: Description) -> None:
        """Write a description and its transition. Raises `StateError`."""
        with self._transaction() as connection:
            connection.execute("INSERT INTO product (id) VALUES (?) ON CONFLICT (id) DO NOTHING", (product_id,))
            _describe(connection, product_id, description)

    def _commit(self, change: Change, description: Description | None) -> None:
        product_id, snapshot = change.product.id, change.snapshot
        with self._transaction() as connection:
            whole = not self._holds(change.previous)
            connection.execute(
                "INSERT INTO product (id, observed_at, missing) VALUES (?, ?, 0)"
                " ON CONFLICT (id) DO UPDATE SET observed_at = excluded.observed_at, missing = 0",
                (product_id, rows.to_milliseconds(snapshot.observed_at)),
            )
            if whole:
                connection.execute("DELETE FROM instance WHERE product_id = ?", (product_id,))
                written = snapshot.states.items()
            else:
                connection.executemany(
                    "DELETE FROM instance WHERE product_id = ? AND account = ? AND region = ?",
                    ((product_id, *t.key) for t in change.transitions if t.status is None),
                )
                written = {t.key: snapshot.states[t.key] for t in change.transitions if t.status}.items()
            connection.executemany(_INSERT_INSTANCE, (rows.instance_row(product_id, *item) for item in written))
            if description is not None:
                _describe(connection, product_id, description)
            connection.executemany(_INSERT_TRANSITION, map(rows.transition_row, change.transitions))

    def _holds(self, previous: Snapshot | None) -> bool:
        """Say whether the file has the snapshot that a change begins with; a file that was begun anew has not."""
        if previous is None:
            return False
        stored = self._connection.execute(
            "SELECT observed_at FROM product WHERE id = ?", (previous.product_id,)
        ).fetchone()
        return bool(stored == (rows.to_milliseconds(previous.observed_at),))

    def mark_missing(self, product_id: str) -> None:
        """Write down that AWS does not know the product. Its last snapshot is kept, should it come back."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO product (id, missing) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET missing = 1",
                (product_id,),
            )

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that were found in a source last. Raises `StateError`."""
        with self._lock, explained(self._path):
            rows_found = self._connection.execute(
                "SELECT product_id, name FROM discovered WHERE source = ? ORDER BY product_id", (source,)
            ).fetchall()
        return [Product(*row) for row in rows_found]

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Write down which products were found in a source. Raises `StateError`."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM discovered WHERE source = ?", (source,))
            connection.executemany(
                "INSERT INTO discovered (source, product_id, name) VALUES (?, ?, ?)",
                ((source, product.id, product.name) for product in products),
            )

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Forget the snapshots of some products: should they come back, they begin anew. Raises `StateError`."""
        with self._transaction() as connection:
            known = [row[0] for row in connection.execute("SELECT id FROM product")]
            gone = [(product_id,) for product_id in known if which(product_id)]
            connection.executemany("DELETE FROM instance WHERE product_id = ?", gone)
            connection.executemany("DELETE FROM product WHERE id = ?", gone)

    def unpublished(self, limit: int) -> Sequence[tuple[int, Transition | ProductTransition]]:
        """Return the oldest transitions that were not told yet, each with its place in the order."""
        with self._lock, explained(self._path):
            found = self._connection.execute(
                f"SELECT sequence, {rows.TRANSITION_COLUMNS} FROM transition"  # noqa: S608 - a constant
                " WHERE told = 0 ORDER BY sequence LIMIT ?",
                (limit,),
            ).fetchall()
        return [(row[0], rows.any_transition(row[1:])) for row in found]

    def mark_published(self, through: int) -> None:
        """Write down that every transition up to and with this place was told."""
        with self._transaction() as connection:
            connection.execute("UPDATE transition SET told = 1 WHERE told = 0 AND sequence <= ?", (through,))

    def prune(self, before: datetime, monitored: Collection[str] = ()) -> int:
        """Forget what was observed before a moment: transitions, and products that are not monitored any more.

        Return how many transitions. Raises `StateError`.
        """
        moment = (rows.to_milliseconds(before),)
        with self._transaction() as connection:
            old = connection.execute("SELECT id FROM product WHERE observed_at < ?", moment).fetchall()
            gone = [(product_id,) for (product_id,) in old if product_id not in monitored]
            connection.executemany("DELETE FROM instance WHERE product_id = ?", gone)
            connection.executemany("DELETE FROM product WHERE id = ?", gone)
            return connection.execute("DELETE FROM transition WHERE observed_at < ?", moment).rowcount

    def close(self) -> None:
        """Close the file, after a commit that may be under way."""
        with self._lock:
            self._connection.close()
            self._release()

    def _begin_anew(self, error: BrokenStateError) -> None:
        if self._path is None:
            raise error
        with self._lock, explained(self._path):
            self._connection.close()
            kept = set_aside(self._path)
            self._open()
        self._on_problem(StateError(f"{error}; it is kept as {kept.name}, and a new one was begun"))

    def _release(self) -> None:
        if self._file_lock:
            self._file_lock.release()

    def _open(self) -> None:
        self._connection = sqlite3.connect(self._path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        run(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        (version,) = run("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StateError(
                f"the state file {self._path} is of version {version}, made by a later stackset-monitor;"
                f" this one knows version {VERSION}"
            )
        (found,) = run("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise BrokenStateError(f"the state file {self._path} is broken: {' '.join(found.split())}")
        run("PRAGMA journal_mode = WAL")
        # FULL: a transition that was told must still be there after a power failure.
        run("PRAGMA synchronous = FULL")
        for step, script in enumerate(MIGRATIONS[version:], start=version + 1):
            self._connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {step}; COMMIT;")
        run("BEGIN IMMEDIATE")  # a file that can only be read is found out now, not at the first change
        run("ROLLBACK")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, explained(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # on some failures SQLite has rolled back by itself
                    self._connection.execute("ROLLBACK")
                raise
        self._on_commit()


def _describe(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    columns = " = ?, ".join(rows.DETAIL_COLUMNS.split(", "))
    connection.execute(
        f"UPDATE product SET {columns} = ? WHERE id = ?",  # noqa: S608 - constants
        (*rows.detail_row(description.detail), product_id),
    )
    if description.transition is not None:
        connection.execute(_INSERT_TRANSITION, rows.transition_row(description.transition))


_INSERT_INSTANCE = "INSERT OR REPLACE INTO instance (product_id, account, region, status, since) VALUES (?, ?, ?, ?, ?)"
_INSERT_TRANSITION = f"INSERT INTO transition ({rows.TRANSITION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
