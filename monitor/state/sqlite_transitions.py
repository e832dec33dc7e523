"""Pages of the stored transitions, the newest first."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from monitor.model.diff import Transition
from monitor.model.paging import Page, Place, TransitionFilter, decode, encode
from monitor.poller.protocols import StateError
from monitor.state import sqlite_rows as rows

QUERY_SECONDS = 2.0  # a stop waits for it, and promises to end within 10 s
_STEPS = 10_000  # of the virtual machine of SQLite between two looks at the clock: about a millisecond
_NEVER = rows.to_milliseconds(datetime.max.replace(tzinfo=UTC))


def transition_page(
    connection: sqlite3.Connection, wanted: TransitionFilter, limit: int, cursor: str | None
) -> Page[Transition]:
    """Return a page of transitions of stack instances, by time (the newest first), product, account and Region.

    A transition that is stored while the pages are read is newer than the cursor, and is not on a later page. Rows
    that cannot be read are left out.

    Raises:
        CursorError: the cursor is not one of this list.
        StateError: the query took more than two seconds.
    """
    found: list[Transition] = []
    after = decode(cursor, (int, str, str, str))
    with _time_limit(connection):
        for transition in _select(connection, wanted, after):
            found.append(transition)
            if len(found) > limit:
                return Page(found[:limit], encode(_place(found[limit - 1])))
    return Page(found, None)


def _select(connection: sqlite3.Connection, wanted: TransitionFilter, after: Place | None) -> Iterator[Transition]:
    # Damaged times that are text or blobs are larger than every number.
    newest = _NEVER if after is None else after[0]
    conditions = ["account != ''", "observed_at BETWEEN ? AND ?"]
    arguments: list[object] = [rows.to_milliseconds(wanted.since), newest]
    if after is not None:
        conditions.append("(observed_at < ? OR (product_id, account, region) > (?, ?, ?))")
        arguments.extend(after)
    for column, values in (
        ("product_id", wanted.products),
        ("account", wanted.accounts),
        ("coalesce(status, '')", {status or "" for status in wanted.statuses}),
    ):
        if values:
            conditions.append(f"{column} IN ({', '.join('?' * len(values))})")
            arguments.extend(sorted(values))
    query = (
        f"SELECT {rows.TRANSITION_COLUMNS} FROM transition WHERE {' AND '.join(conditions)}"  # noqa: S608 - constants
        " ORDER BY observed_at DESC, product_id, account, region"
    )
    for row in connection.execute(query, arguments):
        try:
            transition = rows.transition(row)
        except rows.UNREADABLE:
            continue
        if isinstance(transition, Transition):
            yield transition


def _place(transition: Transition) -> Place:
    return (rows.to_milliseconds(transition.observed_at), transition.product.id, *transition.key)


@contextmanager
def _time_limit(connection: sqlite3.Connection, clock: Callable[[], float] = time.monotonic) -> Iterator[None]:
    """Interrupt a query that takes too long: a filter may match nothing in years of history."""
    end = clock() + QUERY_SECONDS
    connection.set_progress_handler(lambda: clock() > end, _STEPS)
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        message = f"the query took longer than {QUERY_SECONDS:g} s: choose a later time, or a product"
        raise StateError(message) from error
    finally:
        connection.set_progress_handler(None, 0)
