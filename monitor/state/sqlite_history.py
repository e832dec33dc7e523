"""Read the stored transitions beside a running daemon."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from monitor.model.diff import Transition
from monitor.poller.protocols import StateError
from monitor.state import sqlite_rows as rows
from monitor.state.errors import explained
from monitor.state.sqlite import BUSY_MILLISECONDS


def read_transitions(
    path: Path, since: datetime, products: Sequence[str] = (), accounts: Sequence[str] = ()
) -> Iterator[Transition]:
    """Read the stored transitions of stack instances since a moment, oldest first, while a daemon may be writing more.

    Empty `products` or `accounts` let all pass. Raises `StateError`.
    """
    if not path.is_file():
        message = f"there is no state file {path}"
        raise StateError(message)
    where, arguments = ["observed_at >= ?", "account != ''"], [rows.to_milliseconds(since), *products, *accounts]
    for column, values in (("product_id", products), ("account", accounts)):
        if values:
            where.append(f"{column} IN ({','.join('?' * len(values))})")
    query = (
        f"SELECT {rows.TRANSITION_COLUMNS} FROM transition"  # noqa: S608 - constants and question marks
        f" WHERE {' AND '.join(where)} ORDER BY observed_at, sequence"
    )
    with explained(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            yield from map(rows.transition, connection.execute(query, arguments))
        finally:
            connection.close()
