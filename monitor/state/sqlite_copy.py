"""Copy the state between two SQLite connections, which may have other versions of the tables."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice

from monitor.state.sqlite_rows import text_or_bytes
from monitor.state.sqlite_schema import COLUMNS

_FORMER_NAMES = {"published": "told"}
"""Columns that had another name in a file of an earlier version."""
_ROWS_AT_ONCE = 1000


def copy_state(source: sqlite3.Connection, target: sqlite3.Connection, *, published: bool) -> None:
    """Copy products with their instances, discovered products and transitions, in one transaction.

    A product of the source replaces the product of the target with all its instances. A transition that the
    target has already is not copied again, only marked as published if it is. Without `published`, transitions
    that were published stay where they are. Rows that cannot be read are copied as they are. Raises `sqlite3.Error`.
    """
    target.execute("BEGIN IMMEDIATE")
    try:
        products = _rows(source, "product")
        while some := _some(products):
            ids = [(row[0],) for row in some]
            target.executemany("DELETE FROM instance WHERE product_id = ?", ids)
            _insert(target, "product", some)
        instances = _rows(source, "instance")
        while some := _some(instances):
            _insert(target, "instance", some)
        discovered = list(_rows(source, "discovered"))
        target.executemany("DELETE FROM discovered WHERE source = ?", {(row[0],) for row in discovered})
        _insert(target, "discovered", discovered)
        transitions = _rows(source, "transition", only_unpublished=not published)
        while some := _some(transitions):
            _insert(target, "transition", some, otherwise="IGNORE")
            target.executemany(
                "UPDATE transition SET published = 1 WHERE published = 0 AND event_id = ?",
                [(row[0],) for row in some if row[-1]],
            )
        target.execute("COMMIT")
    except BaseException:
        if target.in_transaction:
            target.execute("ROLLBACK")
        raise


def copy_unpublished(source: sqlite3.Connection, target: sqlite3.Connection) -> int:
    """Copy the unpublished transitions of a damaged file, up to the first that cannot be read; return how many."""
    copied = 0
    target.execute("BEGIN IMMEDIATE")
    with suppress(sqlite3.Error):  # the damaged file is kept, so what is not copied is not lost
        for row in _rows(source, "transition", only_unpublished=True):
            _insert(target, "transition", [row], otherwise="IGNORE")
            copied += 1
    target.execute("COMMIT")
    return copied


def _rows(source: sqlite3.Connection, table: str, *, only_unpublished: bool = False) -> Iterator[tuple[object, ...]]:
    """Yield the rows of a table with the columns of COLUMNS; a column that the source does not have is NULL."""
    existing = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    if not existing:
        return
    names = [
        name if name in existing else former if (former := _FORMER_NAMES.get(name)) in existing else "NULL"
        for name in COLUMNS[table]
    ]
    # Read through the primary key of the table, not through an index, which may be the damaged part.
    where = f" WHERE +{names[-1]} = 0 ORDER BY rowid" if only_unpublished else ""
    order = " ORDER BY rowid" if table == "transition" and not where else ""
    source.text_factory = text_or_bytes
    try:
        yield from source.execute(f"SELECT {', '.join(map(str, names))} FROM {table}{where}{order}")  # noqa: S608 - constants
    finally:
        source.text_factory = str


def _some(rows: Iterator[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return list(islice(rows, _ROWS_AT_ONCE))


def _insert(target: sqlite3.Connection, table: str, rows: list[tuple[object, ...]], otherwise: str = "REPLACE") -> None:
    columns = COLUMNS[table]
    target.executemany(
        f"INSERT OR {otherwise} INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",  # noqa: S608
        rows,
    )
