"""Open a state file: lock, damage, version, and whether it can be written."""

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from monitor.poller.protocols import StateError
from monitor.state.errors import BrokenStateError, RefusedStateError, translated_errors
from monitor.state.lock import StateLock, is_file
from monitor.state.sqlite_copy import salvage_transitions, transaction
from monitor.state.sqlite_rows import text_or_bytes
from monitor.state.sqlite_schema import VERSION, check_columns, migrate

BUSY_MILLISECONDS = 5000
# Bytes. quick_check reads the whole file, which took 33 to 81 s for 2.4 GB on a cold disk; a larger file is checked
# beside its use.
CHECKED_AT_START = 64 * 1024 * 1024


class StateFile:
    """A state file that is open for writing, locked against a second daemon."""

    def __init__(self, path: Path, broken: BrokenStateError | None = None) -> None:
        """Open or create the file. If it is broken, which may be known before, it is quarantined and a new one created.

        Raises `RefusedStateError` if another daemon has it, `StateError` if it cannot be opened and written.
        """
        self.path = path
        self.checked = False
        """The content was checked when the file was opened."""
        self.quarantined: BrokenStateError | None = None
        """Says what was wrong and how the broken file is named now."""
        with translated_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise RefusedStateError(f"the state file {path} is a directory")
            self._lock = StateLock(path)
            try:
                self.connection = self._quarantine(broken) if broken else self._open_or_quarantine()
                self._identity = path.stat()
                self._log_files = {log: log.stat() for log in _log_files(path) if log.exists()}
            except BaseException:
                self._lock.release()
                raise

    def displaced(self) -> str | None:
        """Return what happened if the path no longer points to the open file; None if it does."""
        with translated_errors(self.path):
            if not is_file(self.path, self._identity):
                return "was deleted, moved or replaced"
            # Without the name of its log, SQLite goes on, and a crash loses what was committed.
            if self._lock.lost() or not all(is_file(log, known) for log, known in self._log_files.items()):
                return "lost its lock file or its write-ahead log"
            return None

    def check_content(self) -> None:
        """Check a large file beside its use, on a connection of its own. Raises `BrokenStateError`, `StateError`."""
        with translated_errors(self.path), closing(connect_read_only(self.path)) as connection:
            self._quick_check(connection)

    def close(self) -> None:
        """Close the file, delete the log of a file that is gone, and release the lock."""
        self.connection.close()
        with suppress(OSError):
            # SQLite does not tie a write-ahead log to its file: it would write the old pages into the new file.
            # While the lock is held, no second daemon uses the log.
            if not is_file(self.path, self._identity) and not self._lock.lost():
                for log, identity in self._log_files.items():
                    if is_file(log, identity):
                        log.unlink()
        self._lock.release()

    def _quick_check(self, connection: sqlite3.Connection) -> None:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise BrokenStateError(f"the state file {self.path} is broken: {' '.join(str(found).split())}")

    def _open_or_quarantine(self) -> sqlite3.Connection:
        try:
            with translated_errors(self.path):
                return self._open()
        except BrokenStateError as error:
            return self._quarantine(error)

    def _quarantine(self, error: BrokenStateError) -> sqlite3.Connection:
        """Rename the file, so that nothing that was stored is overwritten, and create a new one."""
        kept = self.path.with_name(f"{self.path.name}.broken-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        names = list(zip((*_log_files(self.path), self.path), (*_log_files(kept), kept), strict=True))
        for old, new in names:
            with suppress(FileNotFoundError):
                old.rename(new)
        try:
            connection, copied = self._open(), 0
        except BaseException:  # a full disk: the next attempt finds the broken file and copies from it
            for old, new in names:
                with suppress(FileNotFoundError):
                    new.rename(old)
            raise
        # What was not published must not be lost; whatever the damage allows to be read is copied.
        with suppress(sqlite3.Error), closing(connect_read_only(kept)) as broken:
            copied = salvage_transitions(broken, connection)
        self.quarantined = BrokenStateError(
            f"{error}; it was renamed to {kept.name} and a new file was created,"
            f" with the {copied} unpublished transitions that could be read"
        )
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = _connect(self.path)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        run = connection.execute
        run(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        (version,) = run("PRAGMA user_version").fetchone()
        if version > VERSION:
            raise StateError(
                f"the state file {self.path} is of version {version}, made by a later stackset-monitor;"
                f" this one knows version {VERSION}"
            )
        self.checked = self.path.stat().st_size <= CHECKED_AT_START
        if self.checked:
            self._quick_check(connection)
        if version == 0:
            run("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table; lets the file shrink after a prune
        run("PRAGMA journal_mode = WAL")
        # FULL: a transition that was published must still be stored after a power failure.
        run("PRAGMA synchronous = FULL")
        try:
            migrate(connection, version)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_ERROR:  # a table exists already: the version is damaged
                raise BrokenStateError(f"the state file {self.path} is broken: {error}") from error
            raise
        check_columns(connection)
        # BEGIN IMMEDIATE alone succeeds on a full disk in WAL mode: only a write shows that writing is possible.
        with transaction(connection):
            run(f"PRAGMA user_version = {VERSION}")


def connect_memory() -> sqlite3.Connection:
    """Return an empty state in memory."""
    connection = _connect(":memory:")
    migrate(connection, 0)
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """Open a file that another process may be writing, or that cannot be written. Raises `sqlite3.Error`.

    In a folder that cannot be written, SQLite opens a file in WAL mode only as immutable. That ignores the
    write-ahead log, so it is done only if there is none.
    """
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = _connect(uri)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        log, _ = _log_files(path)
        if log.exists() and log.stat().st_size:
            raise
        return _connect(f"{uri}&immutable=1")
    return connection


def _log_files(path: Path) -> tuple[Path, Path]:
    """Return the paths of the write-ahead log of SQLite and of its index."""
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")


def _connect(name: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(name, uri=isinstance(name, str), isolation_level=None, check_same_thread=False)
    # A damaged text is read as bytes and does not end the whole query. This costs 20 ms for 100,000 instances.
    connection.text_factory = text_or_bytes
    return connection
