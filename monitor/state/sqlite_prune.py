"""Delete what is older than the history that is kept, without trusting the clock."""

import sqlite3
from collections.abc import Collection
from datetime import datetime

from monitor.state.sqlite_queries import delete_products_by_id
from monitor.state.sqlite_rows import to_milliseconds

PRUNE_ROWS, PRUNE_BATCHES = 5000, 20
"""Transitions that one transaction deletes, and transactions of one call: a batch holds the lock for some 20 ms."""
_DAY = 24 * 3600 * 1000


def prune_horizon(connection: sqlite3.Connection, before: datetime) -> int | None:
    """Return before which time, in milliseconds since 1970, transitions are deleted; None if nothing is.

    If even the newest stored time is too old, the clock is probably wrong. Beyond the oldest transition, a call
    deletes one day: a clock that is far ahead for an hour costs a day of the history and not all of it.
    """
    wanted = to_milliseconds(before)
    newest = [
        connection.execute(
            f"SELECT observed_at FROM {table} WHERE typeof(observed_at) = 'integer'"  # noqa: S608 - constants
            " ORDER BY observed_at DESC LIMIT 1"
        ).fetchone()
        for table in ("transition", "product")
    ]
    if all(row is None or row[0] < wanted for row in newest):
        return None
    oldest = connection.execute(
        "SELECT observed_at FROM transition WHERE published = 1 ORDER BY observed_at LIMIT 1"
    ).fetchone()
    return wanted if oldest is None or not isinstance(oldest[0], int) else min(wanted, oldest[0] + _DAY)


def prune_batch(connection: sqlite3.Connection, horizon: int) -> int:
    """Delete some published transitions older than the horizon; return how many."""
    return connection.execute(
        "DELETE FROM transition WHERE rowid IN"
        " (SELECT rowid FROM transition WHERE observed_at < ? AND published = 1 LIMIT ?)",
        (horizon, PRUNE_ROWS),
    ).rowcount


def prune_products(connection: sqlite3.Connection, before: datetime, monitored: Collection[str]) -> None:
    """Delete products that are not monitored: never seen, or seen last within the day after the oldest of them."""
    stored = connection.execute(
        "SELECT id, observed_at FROM product WHERE observed_at IS NULL OR observed_at < ?", (to_milliseconds(before),)
    ).fetchall()
    gone = {product_id: observed_at for product_id, observed_at in stored if product_id not in monitored}
    oldest = min((at for at in gone.values() if at is not None), default=0)
    delete_products_by_id(connection, [one for one, at in gone.items() if at is None or at < oldest + _DAY])
