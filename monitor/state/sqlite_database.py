"""The database of the state: a SQLite file, or the memory while the file cannot be used."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from monitor.model.diff import Transition
from monitor.model.paging import Page, TransitionFilter
from monitor.poller.protocols import StateError
from monitor.state.errors import BrokenStateError, RefusedStateError, translated_errors
from monitor.state.sqlite_copy import copy_state, transaction
from monitor.state.sqlite_file import StateFile, connect_memory, connect_read_only
from monitor.state.sqlite_transitions import transition_page

# Between two attempts to use a file again that could not be opened or written.
RETRY_SECONDS = 60.0

_T = TypeVar("_T")


class StateDatabase:
    """One SQLite file with one writer, which is this object. Safe to use from many threads.

    If the file cannot be used, the state is kept in memory, begun with what can be read of the file, and written
    to the file as soon as that works again. A broken file is quarantined. Nothing that was stored is overwritten.
    """

    def __init__(
        self,
        path: Path,
        on_commit: Callable[[], None] = lambda: None,
        on_error: Callable[[StateError], None] = lambda _: None,
        on_recovery: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open or create the file.

        `on_commit` is called after each commit to the file, `on_error` with what was worked around, and `on_recovery`
        with a sentence when the file is used again. Raises `RefusedStateError` if another daemon has the file or the
        path is a directory: only a person can solve that.
        """
        self._path = path
        self._on_commit = on_commit
        self._on_error = on_error
        self._on_recovery = on_recovery
        self._clock = clock
        # Reentrant, and held while a damaged or displaced file is replaced: of two threads that find the same
        # damage, the second gets the lock after the new file is there, so no good file is quarantined.
        self._lock = threading.RLock()
        self._file: StateFile | None = None
        self._next_attempt = 0.0
        self._closed = False
        try:
            self._use(StateFile(path))
        except RefusedStateError:
            raise
        except StateError as error:
            self._keep_in_memory(error)

    def check_file(self) -> None:
        """Notice a file that was deleted, replaced or moved, and try again a file that could not be used.

        Done before each write, too. Never raises; what it finds is reported.
        """
        with self._lock:
            if self._closed:
                return
            if self._file is not None:
                try:
                    reason = self._file.displaced()
                except StateError:
                    return  # the folder cannot be read now; the next write shows what that means
                if reason is None:
                    return
                displaced, self._file = self._file, None
                self._keep_in_memory(StateError(f"the state file {self._path} {reason}"), displaced)
                displaced.close()
                self._next_attempt = self._clock()
            if self._clock() >= self._next_attempt:
                self._next_attempt = self._clock() + RETRY_SECONDS
                self._return_to_file()

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of the stored transitions, the newest first. Does not wait for a commit to the file.

        Raises `StateError`, `CursorError`.
        """

        def read(connection: sqlite3.Connection) -> Page[Transition]:
            return transition_page(connection, wanted, limit, cursor)

        with self._lock:
            if self._file is None:
                return self._run(read)
        with translated_errors(self._path), closing(connect_read_only(self._path)) as connection:
            return read(connection)

    def close(self) -> None:
        """Close the file, after a commit that may be under way."""
        with self._lock:
            if not self._closed:
                self._closed = True
                (self._file or self._connection).close()

    def _write(self, operation: Callable[[sqlite3.Connection], _T], *, sync: bool = True) -> _T:
        """Run an operation in a transaction; without `sync`, the next one with it or the system flushes it to disk."""

        def write(connection: sqlite3.Connection) -> _T:
            if not sync:
                connection.execute("PRAGMA synchronous = NORMAL")
            try:
                with transaction(connection):
                    return operation(connection)
            finally:
                if not sync:
                    connection.execute("PRAGMA synchronous = FULL")

        with self._lock:
            self.check_file()
            result = self._run(write)
            if self._file is not None:
                self._on_commit()
            return result

    def _run(self, operation: Callable[[sqlite3.Connection], _T]) -> _T:
        """Run an operation; if the file turns out to be broken, again with what replaces the file."""
        with self._lock:
            try:
                with translated_errors(self._path):
                    return operation(self._connection)
            except BrokenStateError as error:
                if self._file is None:
                    raise
                self._replace_broken(self._file, error)
            with translated_errors(self._path):
                return operation(self._connection)

    def _use(self, file: StateFile) -> None:
        self._file, self._connection = file, file.connection
        if file.quarantined is not None:
            self._on_error(file.quarantined)
        if not file.checked:
            threading.Thread(target=self._check_content, args=(file,), name="state check", daemon=True).start()

    def _check_content(self, file: StateFile) -> None:
        try:
            file.check_content()
        except BrokenStateError as error:
            with self._lock:
                # If it was closed or replaced meanwhile, the path may point to another file.
                if not self._closed and self._file is file:
                    self._replace_broken(file, error)
        except StateError as error:
            self._on_error(error)

    def _replace_broken(self, file: StateFile, error: BrokenStateError) -> None:
        file.close()
        self._file = None
        try:
            self._use(StateFile(self._path, error))
        except StateError as again:
            self._keep_in_memory(again)

    def _keep_in_memory(self, error: StateError, displaced: StateFile | None = None) -> None:
        """Go on in memory, with the snapshots and unpublished transitions that can be read of the file."""
        self._next_attempt = self._clock() + RETRY_SECONDS
        self._connection = connect_memory()
        unread = ""
        try:
            with translated_errors(self._path):
                if displaced is not None:
                    copy_state(displaced.connection, self._connection, published=False)
                elif self._path.is_file():
                    with closing(connect_read_only(self._path)) as readable:
                        copy_state(readable, self._connection, published=False)
        except StateError as found:
            unread = f"; what it contains cannot be read ({found})"
        consequence = "the state is kept in memory and does not survive a restart until the file can be used"
        self._on_error(StateError(f"{error}{unread}; {consequence}"))

    def _return_to_file(self) -> None:
        try:
            file = StateFile(self._path)
        except RefusedStateError as error:
            self._on_error(error)
            return
        except StateError:
            return  # it was reported when it began
        try:
            with translated_errors(self._path):
                copy_state(self._connection, file.connection, published=True)
        except StateError:
            file.close()
            return
        self._connection.close()
        self._use(file)
        self._on_recovery(f"The state file {self._path} is used again, and contains what was kept in memory.")

    def _report(self, message: str) -> None:
        self._on_error(StateError(f"the state file {self._path}: {message}"))
