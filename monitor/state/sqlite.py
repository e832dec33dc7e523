"""The state in a SQLite file: the last snapshot of each product, and the transitions, published or not yet."""

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from monitor.model.diff import Change, Transition
from monitor.model.instances import Product
from monitor.model.products import Description, ProductTransition
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import sqlite_queries as queries
from monitor.state.errors import BrokenStateError, RefusedStateError, translated_errors
from monitor.state.sqlite_copy import copy_state
from monitor.state.sqlite_file import StateFile, connect_memory, connect_read_only
from monitor.state.sqlite_prune import PRUNE_BATCHES, prune_batch, prune_horizon, prune_products

RETRY_SECONDS = 60.0
"""Between two attempts to use a file again that could not be opened or written."""

_T = TypeVar("_T")
Operation = Callable[[sqlite3.Connection], _T]


class SqliteStore:
    """One SQLite file with one writer, which is this object. Safe to use from many threads.

    If the file cannot be used, the state is kept in memory, begun with what can be read of the file, and written
    to the file as soon as that works again. A broken file is quarantined. Nothing that was stored is overwritten.
    """

    def __init__(
        self,
        path: Path | None,
        on_commit: Callable[[], None] = lambda: None,
        on_error: Callable[[StateError], None] = lambda _: None,
        on_recovery: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open or create the file; without a path, everything is kept in memory.

        `on_commit` is called after each commit to a file, `on_error` with what was worked around, and `on_recovery`
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
        if path is None:
            self._connection = connect_memory()
            return
        try:
            self._use(StateFile(path))
        except RefusedStateError:
            raise
        except StateError as error:
            self._connection = self._seeded_from_file(path)
            self._keep_in_memory(error)

    def load(self, product_id: str) -> StoredProduct:
        """Return the last snapshot of a product, and whether AWS had said that it does not exist.

        Raises `StateError`.
        """
        stored, unreadable = self._read(lambda connection: queries.load_product(connection, product_id))
        self._set_aside("instance", unreadable)
        return stored

    def commit(self, change: Change, description: Description | None = None) -> None:
        """Write a snapshot, a description and their transitions in one transaction; only what changed is written.

        Raises `StateError`.
        """
        self._write(lambda connection: queries.write_change(connection, change, description))

    def save_description(self, product_id: str, description: Description) -> None:
        """Write a description and its transition. Raises `StateError`."""
        self._write(lambda connection: queries.write_description(connection, product_id, description))

    def mark_missing(self, product_id: str) -> None:
        """Record that AWS does not know the product; its last snapshot is kept. Raises `StateError`."""
        self._write(lambda connection: queries.mark_missing(connection, product_id))

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that the last search of a source found. Raises `StateError`."""
        products, unreadable = self._read(lambda connection: queries.discovered_products(connection, source))
        self._set_aside("discovered", unreadable)
        return products

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Replace the products that the last search of a source found. Raises `StateError`."""
        self._write(lambda connection: queries.write_discovered_products(connection, source, products))

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Delete the snapshots of some products: if they come back, they start with a baseline. Raises `StateError`."""
        self._write(lambda connection: queries.delete_products(connection, which))

    def unpublished(self, limit: int) -> Sequence[tuple[int, Transition | ProductTransition]]:
        """Return the oldest transitions that were not published yet, each with its position.

        Raises `StateError`. A transition that cannot be read is set aside and reported.
        """
        while True:
            found, unreadable = self._read(lambda connection: queries.unpublished(connection, limit))
            if not unreadable:
                return found
            self._set_aside("transition", unreadable, required=not found)
            if found:
                return found

    def mark_published(self, through: int) -> None:
        """Record that every transition up to and including this position was published. Raises `StateError`."""
        self._write(lambda connection: queries.mark_published(connection, through))

    def prune(self, before: datetime, monitored: Collection[str] = ()) -> int:
        """Delete published transitions and products that are not monitored, if older than a moment.

        Return how many transitions. The lock is released between batches. A wrong clock deletes little: nothing if
        all that is stored is older, and per call at most the oldest day. Raises `StateError`.
        """
        horizon = self._read(lambda connection: prune_horizon(connection, before))
        if horizon is None:
            return 0
        self._write(lambda connection: prune_products(connection, before, monitored))
        deleted = 0
        for _ in range(PRUNE_BATCHES):
            count = self._write(lambda connection: prune_batch(connection, horizon))
            deleted += count
            if not count:
                break
            with self._lock, translated_errors(self._path):
                # Not `execute`: it steps once, and each step frees one page.
                self._connection.executescript("PRAGMA incremental_vacuum")
        return deleted

    def check_file(self) -> None:
        """Notice a file that was deleted, replaced or moved, and try again a file that could not be used.

        Done before each write, too. Never raises; what it finds is reported.
        """
        with self._lock:
            if self._path is None or self._closed:
                return
            if self._file is not None:
                try:
                    reason = self._file.displaced()
                except StateError:
                    return  # the folder cannot be read now; the next write shows what that means
                if reason is None:
                    return
                self._leave(self._file, f"the state file {self._path} {reason} while it was in use")
            if self._clock() >= self._next_attempt:
                self._next_attempt = self._clock() + RETRY_SECONDS
                self._return_to_file(self._path)

    def close(self) -> None:
        """Close the file, after a commit that may be under way."""
        with self._lock:
            self._closed = True
            if self._file is not None:
                self._file.close()
            else:
                self._connection.close()

    def _read(self, operation: "Operation[_T]") -> _T:
        with self._lock:
            return self._run(lambda: queries.tolerant(self._connection, operation))

    def _write(self, operation: "Operation[_T]") -> _T:
        with self._lock:
            self.check_file()
            result = self._run(lambda: queries.transaction(self._connection, operation))
            if self._file is not None:
                self._on_commit()
            return result

    def _run(self, run: Callable[[], _T]) -> _T:
        try:
            with translated_errors(self._path):
                return run()
        except BrokenStateError as error:
            if self._file is None:
                raise
            self._replace_broken(self._file, error)
            with translated_errors(self._path):
                return run()

    def _use(self, file: StateFile) -> None:
        self._file, self._connection = file, file.connection
        if file.quarantined is not None:
            self._on_error(file.quarantined)
        if not file.checked:
            arguments = (file, file.connection)
            threading.Thread(target=self._check_content, args=arguments, name="state check", daemon=True).start()

    def _check_content(self, file: StateFile, connection: sqlite3.Connection) -> None:
        try:
            file.check_content()
        except BrokenStateError as error:
            with self._lock:
                # Else it was closed or replaced meanwhile, and the path may point to another file.
                if not self._closed and self._file is file and file.connection is connection:
                    self._replace_broken(file, error)
        except StateError as error:
            self._on_error(error)

    def _replace_broken(self, file: StateFile, error: BrokenStateError) -> None:
        try:
            file.replace_broken(error)
        except StateError as again:
            file.close()
            self._file, self._connection = None, connect_memory()
            self._keep_in_memory(again)
        else:
            self._use(file)

    def _leave(self, file: StateFile, reason: str) -> None:
        """Go on in memory with the content of a file that is open but is not at its path any more."""
        memory = connect_memory()
        try:
            with translated_errors(self._path):
                copy_state(file.connection, memory, published=False)
        except StateError as error:
            reason = f"{reason} and its content is lost ({error})"
        file.close()
        self._file, self._connection = None, memory
        self._on_error(StateError(reason))
        self._next_attempt = self._clock()

    def _return_to_file(self, path: Path) -> None:
        try:
            file = StateFile(path)
        except RefusedStateError as error:
            self._on_error(error)
            return
        except StateError:
            return  # it was said when it began
        try:
            with translated_errors(path):
                copy_state(self._connection, file.connection, published=True)
        except StateError:
            file.close()
            return
        self._connection.close()
        self._use(file)
        self._on_recovery(f"The state file {path} is used again, and contains what was kept in memory.")

    def _seeded_from_file(self, path: Path) -> sqlite3.Connection:
        """Return a memory that begins with the snapshots and unpublished transitions of a file, if it can be read."""
        memory = connect_memory()
        with suppress(StateError), translated_errors(path):
            if path.is_file():
                file = connect_read_only(path)
                try:
                    copy_state(file, memory, published=False)
                finally:
                    file.close()
        return memory

    def _keep_in_memory(self, error: StateError) -> None:
        self._next_attempt = self._clock() + RETRY_SECONDS
        self._on_error(
            StateError(
                f"{error}; the state is kept in memory and does not survive a restart until the file can be used"
            )
        )

    def _set_aside(self, table: str, keys: Sequence[tuple[object, ...]], *, required: bool = False) -> None:
        """Move rows that cannot be read out of the way and report them. Raises `StateError` only if `required`."""
        if not keys:
            return
        self._on_error(
            StateError(
                f"rows of the table {table} in the state file {self._path} cannot be read and are moved"
                f" to its table unreadable: {len(keys)}"
            )
        )
        try:
            self._write(lambda connection: queries.set_aside(connection, table, keys))
        except StateError:
            if required:
                raise
