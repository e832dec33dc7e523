"""Read what the poller and the outbox need from an open connection; `SqliteStore` runs it under its lock."""

import sqlite3
from collections.abc import Sequence

from monitor.model.diff import Transition
from monitor.model.instances import Product, Snapshot, count_statuses
from monitor.model.products import ProductTransition
from monitor.poller.protocols import StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.details import decode_details

AnyTransition = Transition | ProductTransition


def load_product(connection: sqlite3.Connection, product_id: str) -> tuple[StoredProduct, list[rows.Row]]:
    """Return what is stored of a product, and the rows of its instances that cannot be read."""
    row = connection.execute(
        f"SELECT observed_at, missing, {rows.DESCRIPTION_COLUMNS} FROM product WHERE id = ?",  # noqa: S608 - constants
        (product_id,),
    ).fetchone()
    if row is None:
        return StoredProduct(None, missing=False), []
    observed_at, missing = row[0], bool(row[1])
    detail, status_since = rows.description(product_id, row[2:])
    if observed_at is None:
        return StoredProduct(None, missing, detail, status_since), []
    states, unreadable = rows.instance_states(
        connection.execute("SELECT account, region, status, since FROM instance WHERE product_id = ?", (product_id,))
    )
    try:
        moment = rows.from_milliseconds(observed_at)
    except rows.UNREADABLE:
        # The snapshot is still right to compare with; it is at least as new as its newest instance.
        moment = max((state.since for state in states.values()), default=rows.from_milliseconds(0))
    states |= rows.repaired(unreadable, moment)
    snapshot = Snapshot(product_id, moment, states, count_statuses(states.values()))
    found = connection.execute("SELECT content FROM details WHERE product_id = ?", (product_id,)).fetchone()
    details = decode_details(found[0]) if found else None
    return StoredProduct(snapshot, missing, detail, status_since, details), unreadable


def load_discovered(connection: sqlite3.Connection, source: str) -> tuple[Sequence[Product], int]:
    """Return the products that the last search of a source found, and how many more cannot be read."""
    query = "SELECT product_id, name FROM discovered WHERE source = ? ORDER BY product_id"
    found = connection.execute(query, (source,)).fetchall()
    readable = [Product(*row) for row in found if row[0] and all(isinstance(column, str) for column in row)]
    return readable, len(found) - len(readable)


def load_unpublished(connection: sqlite3.Connection, limit: int) -> list[tuple[int, AnyTransition | None]]:
    """Return the oldest unpublished transitions with their positions; None for what cannot be read."""
    found: list[tuple[int, AnyTransition | None]] = []
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
