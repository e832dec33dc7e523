"""The errors of the state, by what has to happen next."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from monitor.poller.protocols import StateError

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class RefusedStateError(StateError):
    """Only a person can solve it: another daemon uses the file, or the path is a directory."""


class BrokenStateError(StateError):
    """The content of the file is damaged: it is not a SQLite database, or not a complete one."""


@contextmanager
def translated_errors(path: Path) -> Iterator[None]:
    """Raise the errors of SQLite and of the file system as `StateError`, with the path.

    Raises `BrokenStateError` for damaged content. A table or column that does not exist is damage too: the
    statements are constants, and the migrations made what they name. SQLite has no code of its own for that.
    """
    try:
        yield
    except sqlite3.Error as error:
        # The low byte is the primary result code: https://www.sqlite.org/rescode.html#pve
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _BROKEN or str(error).startswith("no such "):
            raise BrokenStateError(f"the state file {path} is broken: {error}") from error
        raise StateError(f"the state file {path}: {error}") from error
    except UnicodeDecodeError as error:  # a damaged name in an error message of SQLite
        raise BrokenStateError(f"the state file {path} is broken: a name in it is not UTF-8") from error
    except OSError as error:
        raise StateError(f"the state file {path}: {error.strerror or error}") from error
