"""The state: the last snapshot of each product, and the transitions, published or not yet."""

import sqlite3
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from monitor.model.diff import Change
from monitor.model.instances import InstanceKey, InstanceState, Product, Snapshot
from monitor.model.products import Description
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.details import encode_details
from monitor.state.errors import BrokenStateError
from monitor.state.sqlite_database import StateDatabase
from monitor.state.sqlite_reader import AnyTransition, load_discovered, load_product, load_unpublished

# Transitions that one transaction deletes, and transactions of one call: a batch holds the lock for some 20 ms.
PRUNE_ROWS, PRUNE_BATCHES = 5000, 20
_DAY = 24 * 3600 * 1000
# Later than every time. Damaged times that are text or blobs are larger than every number for SQLite.
_NEVER = rows.to_milliseconds(datetime.max.replace(tzinfo=UTC))

_INSERT_INSTANCE = "INSERT OR REPLACE INTO instance (product_id, account, region, status, since) VALUES (?, ?, ?, ?, ?)"
# A commit that reported an error may have been written: its transitions come again under the same event ids.
_INSERT_TRANSITION = (
    f"INSERT INTO transition ({rows.TRANSITION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT (event_id) DO NOTHING"
)

# Without a change, the poll writes its time only.
_UPSERT_DETAILS = (
    "INSERT INTO details (product_id, content) VALUES (?, ?)"
    " ON CONFLICT (product_id) DO UPDATE SET content = excluded.content WHERE content != excluded.content"
)


class SqliteStore(StateDatabase):
    """The `Store` of the poller, and what the outbox, the product set and the supervisor need."""

    _numbered: sqlite3.Connection | None = None
    """Where the positions come from that `unpublished` returned last."""

    def load(self, product_id: str) -> StoredProduct:
        """Return the last snapshot of a product, and whether AWS had said that it does not exist.

        Raises `StateError`.
        """
        stored, unreadable = self._run(lambda connection: load_product(connection, product_id))
        if unreadable:
            self._report(
                f"{len(unreadable)} instances of {product_id} cannot be read and are moved to the table unreadable"
            )
            states = stored.snapshot.states if stored.snapshot else {}
            with suppress(StateError):  # the others can be used all the same
                self._write(lambda connection: _set_aside(connection, product_id, unreadable, states))
        return stored

    def commit(self, change: Change, description: Description | None = None) -> None:
        """Write a snapshot, a description and their transitions in one transaction; only what changed is written.

        Raises `StateError`.
        """
        with self._lock:
            # A poll without changes writes its time only. A power failure may lose that, which is no reason for a sync
            # of the disk: with 5,000 products it would be one every 60 ms.
            changed = bool(change.transitions or change.earlier) or self._run(
                lambda connection: not _is_stored(connection, change.previous, description)
            )
            self._write(lambda connection: _write_change(connection, change, description), sync=changed)

    def save_description(self, product_id: str, description: Description) -> None:
        """Write a description and its transition. Raises `StateError`."""

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO product (id) VALUES (?) ON CONFLICT (id) DO NOTHING", (product_id,))
            _update_description(connection, product_id, description)

        self._write(write)

    def mark_missing(self, product_id: str) -> None:
        """Record that AWS does not know the product; its last snapshot is kept. Raises `StateError`."""
        statement = "INSERT INTO product (id, missing) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET missing = 1"
        self._write(lambda connection: connection.execute(statement, (product_id,)))

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that the last search of a source found, by id. Raises `StateError`."""
        found, unreadable = self._run(lambda connection: load_discovered(connection, source))
        if unreadable:
            self._report(f"{unreadable} discovered products of source {source} cannot be read and are left out")
        return found

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Replace the products that the last search of a source found. Raises `StateError`."""
        found = [(source, product.id, product.name) for product in products]

        def write(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM discovered WHERE source = ?", (source,))
            connection.executemany("INSERT INTO discovered (source, product_id, name) VALUES (?, ?, ?)", found)

        self._write(write)

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Delete the snapshots of some products: if they come back, they start with a baseline. Raises `StateError`."""
        self._write(lambda connection: _delete_products(connection, which, _NEVER))

    def unpublished(self, limit: int) -> Sequence[tuple[int, AnyTransition | None]]:
        """Return the oldest transitions that were not published yet, each with its position.

        None stands for a transition that cannot be read. Raises `StateError`.
        """

        def read(connection: sqlite3.Connection) -> Sequence[tuple[int, AnyTransition | None]]:
            self._numbered = connection
            return load_unpublished(connection, limit)

        return self._run(read)

    def mark_published(self, through: int) -> None:
        """Record that every transition up to and including this position was published. Raises `StateError`."""

        def write(connection: sqlite3.Connection) -> None:
            # Another file or the memory numbers them anew: they are published once more, under the same ids.
            if connection is self._numbered:
                _mark_published(connection, through)

        self._write(write)

    def prune(self, before: datetime, monitored: Collection[str] = ()) -> int:
        """Delete published transitions and products that are not monitored, if older than a moment.

        Return how many transitions. The lock is released between batches. A wrong clock deletes little: nothing if
        all that is stored is older, and per call at most the oldest day. Raises `StateError`.
        """
        horizon = self._run(lambda connection: _prune_horizon(connection, before))
        if horizon is None:
            return 0
        self._write(
            lambda connection: _delete_products(connection, lambda product_id: product_id not in monitored, horizon)
        )
        statement = (
            "DELETE FROM transition WHERE rowid IN"
            " (SELECT rowid FROM transition WHERE observed_at < ? AND published = 1 LIMIT ?)"
        )
        deleted = 0
        for _ in range(PRUNE_BATCHES):
            count = self._write(lambda connection: connection.execute(statement, (horizon, PRUNE_ROWS)).rowcount)
            if not count:
                break
            deleted += count
            # Not `execute`: it steps once, and each step frees one page.
            self._run(lambda connection: connection.executescript("PRAGMA incremental_vacuum"))
        return deleted


def _set_aside(
    connection: sqlite3.Connection,
    product_id: str,
    instances: Iterable[rows.Row],
    states: Mapping[InstanceKey, InstanceState],
) -> None:
    """Move instances that cannot be read to the table `unreadable`, and store the states that replace them."""
    for account, region, *others in instances:
        content = (product_id, account, region, *others)
        connection.execute("INSERT INTO unreadable VALUES ('instance', ?, ?)", (repr(content), int(time.time() * 1000)))
        # A damaged text is bytes here, and a blob never equals a text: compare both as blobs.
        connection.execute(
            "DELETE FROM instance WHERE product_id = ? AND CAST(account AS BLOB) = CAST(? AS BLOB)"
            " AND CAST(region AS BLOB) = CAST(? AS BLOB)",
            content[:3],
        )
        if state := states.get((account, region)):
            connection.execute(_INSERT_INSTANCE, rows.instance_row(product_id, (account, region), state))


def _write_change(connection: sqlite3.Connection, change: Change, description: Description | None) -> None:
    """Write a snapshot, a description and their transitions; only the instances that changed, if that is enough."""
    product_id, snapshot = change.product.id, change.snapshot
    incremental = _is_stored(connection, change.previous)
    connection.execute(
        "INSERT INTO product (id, observed_at, missing) VALUES (?, ?, 0)"
        " ON CONFLICT (id) DO UPDATE SET observed_at = excluded.observed_at, missing = 0",
        (product_id, rows.to_milliseconds(snapshot.observed_at)),
    )
    if incremental:
        connection.executemany(
            "DELETE FROM instance WHERE product_id = ? AND account = ? AND region = ?",
            ((product_id, *t.key) for t in change.transitions if t.status is None),
        )
        written = {t.key: snapshot.states[t.key] for t in change.transitions if t.status}
    else:
        connection.execute("DELETE FROM instance WHERE product_id = ?", (product_id,))
        written = dict(snapshot.states)
    connection.executemany(_INSERT_INSTANCE, (rows.instance_row(product_id, *item) for item in written.items()))
    if change.details is not None:
        connection.execute(_UPSERT_DETAILS, (product_id, encode_details(change.details)))
    _insert_transitions(connection, change.earlier)
    if description is not None:
        _update_description(connection, product_id, description)
    _insert_transitions(connection, change.transitions)


def _is_stored(
    connection: sqlite3.Connection, snapshot: Snapshot | None, description: Description | None = None
) -> bool:
    """Return whether the file has the snapshot that a change starts from; a file that was replaced does not.

    With a description, it must have that as well.
    """
    if snapshot is None:
        return False
    row = connection.execute(
        f"SELECT observed_at, missing, {rows.DESCRIPTION_COLUMNS} FROM product WHERE id = ?",  # noqa: S608 - constants
        (snapshot.product_id,),
    ).fetchone()
    if row is None or row[0] != rows.to_milliseconds(snapshot.observed_at):
        return False
    return description is None or row[1:] == (0, *rows.description_row(description))


def _update_description(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    columns = " = ?, ".join(rows.DESCRIPTION_COLUMNS.split(", "))
    connection.execute(
        f"UPDATE product SET {columns} = ? WHERE id = ?",  # noqa: S608 - constants
        (*rows.description_row(description), product_id),
    )
    if description.transition is not None:
        _insert_transitions(connection, [description.transition])


def _insert_transitions(connection: sqlite3.Connection, found: Iterable[AnyTransition]) -> None:
    connection.executemany(_INSERT_TRANSITION, map(rows.transition_row, found))


def _delete_products(connection: sqlite3.Connection, which: Callable[[str], bool], before: int) -> None:
    """Delete some of the products that have no snapshot or one from before a time, with their instances."""
    found = connection.execute("SELECT id FROM product WHERE observed_at IS NULL OR observed_at < ?", (before,))
    gone = [row for row in found.fetchall() if isinstance(row[0], str) and which(row[0])]
    connection.executemany("DELETE FROM instance WHERE product_id = ?", gone)
    connection.executemany("DELETE FROM details WHERE product_id = ?", gone)
    connection.executemany("DELETE FROM product WHERE id = ?", gone)


def _mark_published(connection: sqlite3.Connection, through: int) -> None:
    """Record that every transition up to and including this position was published.

    Raises `BrokenStateError` if the file does not keep it: the same lines would be published for ever.
    """
    connection.execute("UPDATE transition SET published = 1 WHERE published = 0 AND rowid <= ?", (through,))
    # A damaged index returns rows that the update does not find; quick_check does not compare the two.
    first = connection.execute("SELECT rowid FROM transition WHERE published = 0 ORDER BY rowid LIMIT 1").fetchone()
    if first is not None and first[0] <= through:
        raise BrokenStateError("the state file is broken: a published transition stays unpublished")


def _prune_horizon(connection: sqlite3.Connection, before: datetime) -> int | None:
    """Return before which time, in milliseconds since 1970, transitions are deleted; None if nothing is.

    If even the newest stored time is too old, the clock is probably wrong. Beyond the oldest transition, a call
    deletes one day: a clock that is far ahead for an hour costs a day of the history and not all of it.
    """
    wanted = rows.to_milliseconds(before)
    # Damaged times that are text or blobs are larger than every number.
    newest, newest_product, oldest = connection.execute(
        "SELECT (SELECT max(observed_at) FROM transition WHERE observed_at < ?1),"
        " (SELECT max(observed_at) FROM product WHERE observed_at < ?1),"
        " (SELECT min(observed_at) FROM transition WHERE observed_at < ?1 AND published = 1)",
        (_NEVER,),
    ).fetchone()
    if max(newest or 0, newest_product or 0) < wanted:
        return None
    return wanted if oldest is None else min(wanted, int(oldest) + _DAY)
