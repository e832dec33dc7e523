"""The ways in which a state file fails, told apart where that decides what happens next."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.poller.protocols import StateError

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class RefusedStateError(StateError):
    """A person has to decide: another daemon has the file, or the path is a directory."""


class BrokenStateError(StateError):
    """The content of the file is damaged: it is no SQLite database, or not a whole one."""


@contextmanager
def explained(path: Path | None) -> Iterator[None]:
    """Turn what SQLite and the file system raise into `StateError`, with the path."""
    what = f"the state file {path}" if path else "the state in memory"
    try:
        yield
    except sqlite3.Error as error:
        # The upper bits of the code say in more detail what the lower ones say.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN:
            raise BrokenStateError(f"{what} is broken: {error}") from error
        raise StateError(f"{what}: {error}") from error
    except OSError as error:
        raise StateError(f"{what}: {error.strerror or error}") from error
