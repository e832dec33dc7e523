"""Read the state beside a running daemon."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from monitor.model.diff import Transition
from monitor.model.instances import Product
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import sqlite_rows as rows
from monitor.state.errors import translated_errors
from monitor.state.sqlite_copy import is_table
from monitor.state.sqlite_file import connect_read_only
from monitor.state.sqlite_reader import load_discovered, load_product
from monitor.state.sqlite_schema import VERSION

BATCH = 1000
"""Transitions that are read at once."""


def read_transitions(
    path: Path,
    since: datetime,
    products: Sequence[str] = (),
    accounts: Sequence[str] = (),
    on_unreadable: Callable[[], None] = lambda: None,
) -> Iterator[Transition]:
    """Yield the stored transitions of stack instances since a moment, oldest first.

    Empty `products` or `accounts` let all pass. `on_unreadable` is called for each row that cannot be read, which
    is left out. No transaction is open while the caller has a row: with `history | less` it would last until the
    user leaves, and meanwhile the daemon's write-ahead log only grows. Raises `StateError`.
    """
    condition = "observed_at >= ? AND account != ''"
    for column, values in (("product_id", products), ("account", accounts)):
        if values:
            condition += f" AND {column} IN ({','.join('?' * len(values))})"
    query = (
        f"SELECT observed_at, sequence, {rows.TRANSITION_COLUMNS} FROM transition WHERE {condition}"  # noqa: S608
        " AND (observed_at, sequence) > (?, ?) ORDER BY observed_at, sequence LIMIT ?"
    )
    after: tuple[object, ...] = (rows.to_milliseconds(since), 0)
    with _read_only(path) as connection:
        if not is_table(connection, "transition"):
            return
        while batch := connection.execute(query, (after[0], *products, *accounts, *after, BATCH)).fetchall():
            for row in batch:
                try:
                    transition = rows.transition(row[2:])
                except rows.UNREADABLE:
                    on_unreadable()
                    continue
                if isinstance(transition, Transition):
                    yield transition
            after = batch[-1][:2]


def read_products(path: Path) -> Sequence[Product]:
    """Return every product of the state, once for each name that it has had. Raises `StateError`."""
    query = "SELECT product_id, product_name FROM transition UNION SELECT id, id FROM product"
    with _read_only(path) as connection:
        found = connection.execute(query).fetchall()
    # Damaged text is bytes, which is the name of no product.
    return [Product(*row) for row in found if all(isinstance(value, str) for value in row)]


class StateReader:
    """What is stored, as it was at one moment."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that the last search of a source found, by ID."""
        return load_discovered(self._connection, source)[0]

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product. Instances that cannot be read are left out."""
        return load_product(self._connection, product_id)[0]


@contextmanager
def read_state(path: Path) -> Iterator[StateReader]:
    """Open a state file that a daemon may be writing. Raises `StateError`, also for the errors of the block."""
    with _read_only(path) as connection:
        connection.execute("BEGIN")  # all reads see the commits until the first one, and none after it
        yield StateReader(connection)


@contextmanager
def _read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a state file that a daemon may be writing. Raises `StateError`, also for the errors of the block."""
    if not path.is_file():
        message = f"there is no state file {path}"
        raise StateError(message)
    with translated_errors(path), closing(connect_read_only(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version and version != VERSION:  # 0: the daemon creates the tables just now
            raise StateError(
                f"the state file {path} is of version {version}, and this stackset-monitor knows version {VERSION}: use"
                " the version of the daemon, which migrates the file when it starts"
            )
        yield connection
