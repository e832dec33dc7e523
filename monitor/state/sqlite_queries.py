"""The statements on the tables of the state, each in the transaction of its caller."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TypeVar

from monitor.model.diff import Change, Transition
from monitor.model.instances import Product, Snapshot, count_statuses
from monitor.model.products import Description, ProductTransition
from monitor.poller.protocols import StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.errors import BrokenStateError

PRUNE_ROWS, PRUNE_BATCHES = 5000, 20
"""Transitions that one transaction deletes, and transactions of one call: a batch holds the lock for some 20 ms."""
_DAY = 24 * 3600 * 1000
_NEVER = rows.to_milliseconds(datetime.max.replace(tzinfo=UTC))
_T = TypeVar("_T")

_INSERT_INSTANCE = "INSERT OR REPLACE INTO instance (product_id, account, region, status, since) VALUES (?, ?, ?, ?, ?)"
# A commit that reported an error may have been written: its transitions come again under the same event ids.
_INSERT_TRANSITION = (
    f"INSERT INTO transition ({rows.TRANSITION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT (event_id) DO NOTHING"
)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


def tolerant(connection: sqlite3.Connection, operation: Callable[[sqlite3.Connection], _T]) -> _T:
    """Run an operation; a text that is not UTF-8 is read as bytes instead of ending the whole query."""
    try:
        return operation(connection)
    except sqlite3.OperationalError as error:
        if "Could not decode" not in str(error):
            raise
        # Only now: a text factory in Python takes several times as long for a large snapshot.
        connection.text_factory = rows.text_or_bytes
        try:
            return operation(connection)
        finally:
            connection.text_factory = str


def load_product(connection: sqlite3.Connection, product_id: str) -> tuple[StoredProduct, list[rows.Row]]:
    """Return what is stored of a product, and the rows of its instances that cannot be read."""
    row = connection.execute(
        f"SELECT observed_at, missing, {rows.DETAIL_COLUMNS} FROM product WHERE id = ?",  # noqa: S608 - constants
        (product_id,),
    ).fetchone()
    if row is None:
        return StoredProduct(None, missing=False), []
    observed_at, missing, detail = row[0], bool(row[1]), rows.detail(product_id, row[2:])
    if observed_at is None:
        return StoredProduct(None, missing=missing, detail=detail), []
    states, unreadable = rows.instance_states(
        connection.execute("SELECT account, region, status, since FROM instance WHERE product_id = ?", (product_id,))
    )
    try:
        moment = rows.from_milliseconds(observed_at)
    except rows.UNREADABLE:
        # The snapshot is still right to compare with; it is at least as new as its newest instance.
        moment = max((state.since for state in states.values()), default=rows.from_milliseconds(0))
    snapshot = Snapshot(product_id, moment, states, count_statuses(states.values()))
    return StoredProduct(snapshot, missing=missing, detail=detail), unreadable


def set_aside(connection: sqlite3.Connection, product_id: str, instances: Iterable[rows.Row]) -> None:
    """Move instances that cannot be read to the table `unreadable`."""
    for account, region, *others in instances:
        content = (product_id, account, region, *others)
        connection.execute("INSERT INTO unreadable VALUES ('instance', ?, ?)", (repr(content), int(time.time() * 1000)))
        # A damaged text is bytes here, and a blob never equals a text: compare both as blobs.
        connection.execute(
            "DELETE FROM instance WHERE product_id = ? AND CAST(account AS BLOB) = CAST(? AS BLOB)"
            " AND CAST(region AS BLOB) = CAST(? AS BLOB)",
            content[:3],
        )


def write_change(connection: sqlite3.Connection, change: Change, description: Description | None) -> None:
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
    _insert_transitions(connection, change.earlier)
    if description is not None:
        _update_description(connection, product_id, description)
    _insert_transitions(connection, change.transitions)


def write_description(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    """Write a description and its transition."""
    connection.execute("INSERT INTO product (id) VALUES (?) ON CONFLICT (id) DO NOTHING", (product_id,))
    _update_description(connection, product_id, description)


def mark_missing(connection: sqlite3.Connection, product_id: str) -> None:
    """Record that AWS does not know the product."""
    connection.execute(
        "INSERT INTO product (id, missing) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET missing = 1", (product_id,)
    )


def discovered_products(connection: sqlite3.Connection, source: str) -> tuple[Sequence[Product], int]:
    """Return the products found in a source, by id, and how many rows cannot be read."""
    found = connection.execute(
        "SELECT product_id, name FROM discovered WHERE source = ? ORDER BY product_id", (source,)
    ).fetchall()
    readable = [row for row in found if row[0] and all(isinstance(column, str) for column in row)]
    return [Product(*row) for row in readable], len(found) - len(readable)


def write_discovered_products(connection: sqlite3.Connection, source: str, products: Sequence[Product]) -> None:
    """Replace the products found in a source."""
    connection.execute("DELETE FROM discovered WHERE source = ?", (source,))
    connection.executemany(
        "INSERT INTO discovered (source, product_id, name) VALUES (?, ?, ?)",
        ((source, product.id, product.name) for product in products),
    )


def delete_products(connection: sqlite3.Connection, which: Callable[[str], bool], before: int = _NEVER) -> None:
    """Delete some of the products that have no snapshot or one from before a time, with their instances."""
    found = connection.execute("SELECT id FROM product WHERE observed_at IS NULL OR observed_at < ?", (before,))
    gone = [row for row in found.fetchall() if isinstance(row[0], str) and which(row[0])]
    connection.executemany("DELETE FROM instance WHERE product_id = ?", gone)
    connection.executemany("DELETE FROM product WHERE id = ?", gone)


def unpublished(connection: sqlite3.Connection, limit: int) -> list[tuple[int, Transition | ProductTransition | None]]:
    """Return the oldest unpublished transitions with their positions; None for what cannot be read."""
    found: list[tuple[int, Transition | ProductTransition | None]] = []
    for position, *row in connection.execute(
        f"SELECT rowid, {rows.TRANSITION_COLUMNS} FROM transition"  # noqa: S608 - constants
        " WHERE published = 0 ORDER BY rowid LIMIT ?",
        (limit,),
    ):
        try:
            found.append((position, rows.transition(tuple(row))))
        except rows.UNREADABLE:
            found.append((position, None))
    return found


def mark_published(connection: sqlite3.Connection, through: int) -> None:
    """Record that every transition up to and including this position was published.

    Raises `BrokenStateError` if the file does not keep it: the same lines would be published for ever.
    """
    connection.execute("UPDATE transition SET published = 1 WHERE published = 0 AND rowid <= ?", (through,))
    # A damaged index returns rows that the update does not find; quick_check does not compare the two.
    first = connection.execute("SELECT rowid FROM transition WHERE published = 0 ORDER BY rowid LIMIT 1").fetchone()
    if first is not None and first[0] <= through:
        raise BrokenStateError("the state file is broken: a published transition stays unpublished")


def prune_horizon(connection: sqlite3.Connection, before: datetime) -> int | None:
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


def prune_batch(connection: sqlite3.Connection, horizon: int) -> int:
    """Delete some published transitions older than the horizon; return how many."""
    return connection.execute(
        "DELETE FROM transition WHERE rowid IN"
        " (SELECT rowid FROM transition WHERE observed_at < ? AND published = 1 LIMIT ?)",
        (horizon, PRUNE_ROWS),
    ).rowcount


def _is_stored(connection: sqlite3.Connection, snapshot: Snapshot | None) -> bool:
    """Return whether the file has the snapshot that a change starts from; a file that was replaced does not."""
    if snapshot is None:
        return False
    stored = connection.execute("SELECT observed_at FROM product WHERE id = ?", (snapshot.product_id,)).fetchone()
    return bool(stored == (rows.to_milliseconds(snapshot.observed_at),))


def _insert_transitions(connection: sqlite3.Connection, found: Iterable[Transition | ProductTransition]) -> None:
    connection.executemany(_INSERT_TRANSITION, map(rows.transition_row, found))


def _update_description(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    columns = " = ?, ".join(rows.DETAIL_COLUMNS.split(", "))
    connection.execute(
        f"UPDATE product SET {columns} = ? WHERE id = ?",  # noqa: S608 - constants
        (*rows.detail_row(description.detail), product_id),
    )
    if description.transition is not None:
        _insert_transitions(connection, [description.transition])
