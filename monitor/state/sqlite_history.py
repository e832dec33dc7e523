"""Read the stored transitions beside a running daemon."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from monitor.model.diff import Transition
from monitor.poller.protocols import StateError
from monitor.state import sqlite_rows as rows
from monitor.state.errors import translated_errors
from monitor.state.sqlite_file import connect_read_only


def read_transitions(
    path: Path,
    since: datetime,
    products: Sequence[str] = (),
    accounts: Sequence[str] = (),
    on_unreadable: Callable[[], None] = lambda: None,
) -> Iterator[Transition]:
    """Yield the stored transitions of stack instances since a moment, oldest first.

    Empty `products` or `accounts` let all pass. `on_unreadable` is called for each row that cannot be read, which
    is left out. Raises `StateError`.
    """
    if not path.is_file():
        message = f"there is no state file {path}"
        raise StateError(message)
    where, arguments = ["observed_at >= ?", "account != ''"], [rows.to_milliseconds(since), *products, *accounts]
    for column, values in (("product_id", products), ("account", accounts)):
        if values:
            where.append(f"{column} IN ({','.join('?' * len(values))})")
    with translated_errors(path):
        connection = connect_read_only(path)
        connection.text_factory = rows.text_or_bytes
        try:
            # A file of an earlier version, which a new `history` may read before the new daemon started.
            existing = {row[1] for row in connection.execute("PRAGMA table_info(transition)")}
            columns = rows.TRANSITION_COLUMNS.split(", ")
            selected = ", ".join(column if column in existing else "NULL" for column in columns)
            for row in connection.execute(
                f"SELECT {selected} FROM transition"  # noqa: S608 - constants and question marks
                f" WHERE {' AND '.join(where)} ORDER BY observed_at, rowid",
                arguments,
            ):
                try:
                    transition = rows.transition(row)
                except rows.UNREADABLE:
                    on_unreadable()
                    continue
                if isinstance(transition, Transition):
                    yield transition
        finally:
            connection.close()
