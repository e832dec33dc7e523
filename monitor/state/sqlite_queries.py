"""The statements on the tables of the state, each in the transaction of its caller."""

import sqlite3
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

from monitor.model.diff import Change, Transition
from monitor.model.instances import Product, Snapshot, count_statuses
from monitor.model.products import Description, ProductDetail, ProductTransition
from monitor.poller.protocols import StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.errors import BrokenStateError
from monitor.state.sqlite_schema import COLUMNS

_T = TypeVar("_T")
Keys = list[tuple[object, ...]]

_INSERT_INSTANCE = "INSERT OR REPLACE INTO instance (product_id, account, region, status, since) VALUES (?, ?, ?, ?, ?)"
# A commit that reported an error may have been written: its transitions come again under the same event ids.
_INSERT_TRANSITION = (
    f"INSERT INTO transition ({rows.TRANSITION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    " ON CONFLICT (event_id) DO NOTHING"
)
_KEYS = {
    "instance": ("product_id", "account", "region"),
    "discovered": ("source", "product_id"),
    "transition": ("rowid",),
}


def tolerant(connection: sqlite3.Connection, operation: Callable[[sqlite3.Connection], _T]) -> _T:
    """Run a read; a text that is not UTF-8 is read as bytes instead of ending the whole query."""
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


def transaction(connection: sqlite3.Connection, operation: Callable[[sqlite3.Connection], _T]) -> _T:
    """Run a write as one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = operation(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise
    return result


def load_product(connection: sqlite3.Connection, product_id: str) -> tuple[StoredProduct, Keys]:
    """Return what is stored of a product, and the keys of its instances that cannot be read."""
    row = connection.execute(
        f"SELECT observed_at, missing, {rows.DETAIL_COLUMNS} FROM product WHERE id = ?",  # noqa: S608 - constants
        (product_id,),
    ).fetchone()
    if row is None:
        return StoredProduct(None, missing=False), []
    observed_at, missing, detail = row[0], bool(row[1]), _detail(product_id, row[2:])
    if observed_at is None:
        return StoredProduct(None, missing=missing, detail=detail), []
    found = connection.execute(
        "SELECT account, region, status, since FROM instance WHERE product_id = ?", (product_id,)
    )
    states, unreadable = rows.instance_states(found)
    try:
        moment = rows.from_milliseconds(observed_at)
    except rows.UNREADABLE:
        # The snapshot is still right to compare with; it is at least as new as its newest instance.
        moment = max((state.since for state in states.values()), default=rows.from_milliseconds(0))
    snapshot = Snapshot(product_id, moment, states, count_statuses(states.values()))
    return StoredProduct(snapshot, missing=missing, detail=detail), [(product_id, *key) for key in unreadable]


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
        written = [(t.key, snapshot.states[t.key]) for t in change.transitions if t.status]
        connection.executemany(_INSERT_INSTANCE, (rows.instance_row(product_id, *item) for item in written))
    else:
        connection.execute("DELETE FROM instance WHERE product_id = ?", (product_id,))
        every = snapshot.states.items()
        connection.executemany(_INSERT_INSTANCE, (rows.instance_row(product_id, *item) for item in every))
    connection.executemany(_INSERT_TRANSITION, map(rows.transition_row, change.earlier))
    if description is not None:
        _update_description(connection, product_id, description)
    connection.executemany(_INSERT_TRANSITION, map(rows.transition_row, change.transitions))


def write_description(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    """Write a description and its transition."""
    connection.execute("INSERT INTO product (id) VALUES (?) ON CONFLICT (id) DO NOTHING", (product_id,))
    _update_description(connection, product_id, description)


def mark_missing(connection: sqlite3.Connection, product_id: str) -> None:
    """Record that AWS does not know the product."""
    connection.execute(
        "INSERT INTO product (id, missing) VALUES (?, 1) ON CONFLICT (id) DO UPDATE SET missing = 1", (product_id,)
    )


def discovered_products(connection: sqlite3.Connection, source: str) -> tuple[Sequence[Product], Keys]:
    """Return the products found in a source, by id, and the keys of the rows that cannot be read."""
    found = connection.execute(
        "SELECT product_id, name FROM discovered WHERE source = ? ORDER BY product_id", (source,)
    ).fetchall()
    readable = [row for row in found if row[0] and all(isinstance(column, str) for column in row)]
    unreadable: Keys = [(source, row[0]) for row in found if row not in readable]
    return [Product(*row) for row in readable], unreadable


def write_discovered_products(connection: sqlite3.Connection, source: str, products: Sequence[Product]) -> None:
    """Replace the products found in a source."""
    connection.execute("DELETE FROM discovered WHERE source = ?", (source,))
    connection.executemany(
        "INSERT INTO discovered (source, product_id, name) VALUES (?, ?, ?)",
        ((source, product.id, product.name) for product in products),
    )


def delete_products(connection: sqlite3.Connection, which: Callable[[str], bool]) -> None:
    """Delete products and their instances."""
    stored = [row[0] for row in connection.execute("SELECT id FROM product")]
    delete_products_by_id(connection, [product_id for product_id in stored if which(product_id)])


def delete_products_by_id(connection: sqlite3.Connection, product_ids: Sequence[str]) -> None:
    """Delete products and their instances."""
    gone = [(product_id,) for product_id in product_ids]
    connection.executemany("DELETE FROM instance WHERE product_id = ?", gone)
    connection.executemany("DELETE FROM product WHERE id = ?", gone)


def unpublished(
    connection: sqlite3.Connection, limit: int
) -> tuple[list[tuple[int, Transition | ProductTransition]], Keys]:
    """Return the oldest unpublished transitions with their positions, and the keys of those that cannot be read.

    Raises `BrokenStateError` if their index is damaged.
    """
    found: list[tuple[int, Transition | ProductTransition]] = []
    unreadable: Keys = []
    for row in connection.execute(
        f"SELECT rowid, {rows.TRANSITION_COLUMNS} FROM transition"  # noqa: S608 - constants
        " WHERE published = 0 ORDER BY rowid LIMIT ?",
        (limit,),
    ):
        try:
            found.append((row[0], rows.transition(row[1:])))
        except rows.UNREADABLE:
            unreadable.append((row[0],))
    if any(first >= second for (first, _), (second, _) in pairwise(found)):
        raise BrokenStateError("the state file is broken: the index of unpublished transitions is not in order")
    return found, unreadable


def mark_published(connection: sqlite3.Connection, through: int) -> None:
    """Record that every transition up to and including this position was published.

    Raises `BrokenStateError` if the file does not keep it: the same lines would be published for ever.
    """
    for repair in (False, True):
        if repair:
            connection.execute("REINDEX transition_unpublished")
        connection.execute("UPDATE transition SET published = 1 WHERE published = 0 AND rowid <= ?", (through,))
        # A damaged index returns rows that the update does not find; quick_check does not compare the two.
        first = connection.execute("SELECT rowid FROM transition WHERE published = 0 ORDER BY rowid LIMIT 1").fetchone()
        if first is None or first[0] > through:
            return
    raise BrokenStateError("the state file is broken: a published transition stays unpublished")


def set_aside(connection: sqlite3.Connection, table: str, keys: Sequence[tuple[object, ...]]) -> None:
    """Move rows to the table `unreadable`, each as a list of SQL literals."""
    content = " || ', ' || ".join(f"quote({column})" for column in COLUMNS[table])
    # A damaged text is bytes here, and a blob never equals a text: compare both as blobs.
    where = " AND ".join(f"CAST({column} AS BLOB) = CAST(? AS BLOB)" for column in _KEYS[table])
    for key in keys:
        connection.execute(
            f"INSERT INTO unreadable SELECT '{table}', {content}, ? FROM {table} WHERE {where}",  # noqa: S608 - constants
            (int(time.time() * 1000), *key),
        )
        connection.execute(f"DELETE FROM {table} WHERE {where}", key)  # noqa: S608 - constants


def _is_stored(connection: sqlite3.Connection, snapshot: Snapshot | None) -> bool:
    """Return whether the file has the snapshot that a change starts from; a file that was replaced does not."""
    if snapshot is None:
        return False
    stored = connection.execute("SELECT observed_at FROM product WHERE id = ?", (snapshot.product_id,)).fetchone()
    return bool(stored == (rows.to_milliseconds(snapshot.observed_at),))


def _detail(product_id: str, columns: Sequence[Any]) -> ProductDetail | None:
    try:
        return rows.detail(product_id, columns)
    except rows.UNREADABLE:
        return None  # the next poll describes the product again


def _update_description(connection: sqlite3.Connection, product_id: str, description: Description) -> None:
    columns = " = ?, ".join(rows.DETAIL_COLUMNS.split(", "))
    connection.execute(
        f"UPDATE product SET {columns} = ? WHERE id = ?",  # noqa: S608 - constants
        (*rows.detail_row(description.detail), product_id),
    )
    if description.transition is not None:
        connection.execute(_INSERT_TRANSITION, rows.transition_row(description.transition))
