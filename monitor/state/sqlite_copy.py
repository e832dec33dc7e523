"""Copy the state between two SQLite connections, of which the source may have an earlier version of the tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from monitor.state.sqlite_schema import COLUMNS


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


def copy_state(source: sqlite3.Connection, target: sqlite3.Connection, *, published: bool) -> None:
    """Copy products with their instances, discovered products and transitions, in one transaction.

    A product of the source replaces the product of the target with all its instances. Without `published`,
    transitions that were published stay where they are. Rows that cannot be read are copied as they are.
    Raises `sqlite3.Error`.
    """
    with transaction(target):
        products = [(row[0],) for row in read_table(source, "product")]
        target.executemany("DELETE FROM instance WHERE product_id = ?", products)
        target.executemany("DELETE FROM details WHERE product_id = ?", products)
        target.executemany("DELETE FROM product WHERE id = ?", products)
        sources = {(row[0],) for row in read_table(source, "discovered")}
        target.executemany("DELETE FROM discovered WHERE source = ?", sources)
        for table in ("product", "instance", "details", "discovered"):
            _insert(target, table, read_table(source, table))
        _insert(target, "transition", _transitions(source, published=published))


def salvage_transitions(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Copy the unpublished transitions of a damaged file, up to the first that cannot be read; return how many."""
    with transaction(target), suppress(sqlite3.Error):  # the damaged file is kept, so nothing is lost
        _insert(target, "transition", _transitions(source, published=False))
    (copied,) = target.execute("SELECT count(*) FROM transition").fetchone()
    return int(copied)


def read_table(
    source: sqlite3.Connection, table: str, condition: str = "", arguments: tuple[object, ...] = ()
) -> Iterator[tuple[object, ...]]:
    """Yield the columns of COLUMNS of the rows of a table; NULL for those that an earlier version does not have."""
    existing = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    if not existing:
        return
    former = {"published": "told"}
    columns = ", ".join(
        name if name in existing else f"{former[name] if former.get(name) in existing else 'NULL'} AS {name}"
        for name in COLUMNS[table]
    )
    yield from source.execute(f"SELECT {columns} FROM {table} {condition}", arguments)  # noqa: S608 - constants


def is_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether a table exists; a file has none before its first transaction."""
    return connection.execute(f"PRAGMA table_info({name})").fetchone() is not None


def _transitions(source: sqlite3.Connection, *, published: bool) -> Iterator[tuple[object, ...]]:
    # The plus lets SQLite read through the primary key and not through an index, which may be the damaged part.
    return read_table(source, "transition", f"{'' if published else 'WHERE +published = 0'} ORDER BY rowid")


def _insert(target: sqlite3.Connection, table: str, rows: Iterator[tuple[object, ...]]) -> None:
    columns = COLUMNS[table]
    again = " ON CONFLICT (event_id) DO UPDATE SET published = max(published, excluded.published)"
    target.executemany(
        f"INSERT OR IGNORE INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608
        f"{again if table == 'transition' else ''}",
        rows,
    )
