"""One daemon per state file: a lock that the kernel releases when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import NamedTuple, Self

from monitor.state.errors import RefusedStateError


class FileIdentity(NamedTuple):
    """What a path points to: a file that is deleted, replaced or moved changes it."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Return the identity of the file at a path; None if there is none. Raises `OSError`."""
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return cls(found.st_dev, found.st_ino)


class StateLock:
    """Held from `acquire` until `release` or the end of the process."""

    def __init__(self, state: Path) -> None:
        """Lock a file beside the state; SQLite has its own locks on the state file itself."""
        self._path = state.with_name(state.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `RefusedStateError` if another daemon has it, `OSError` if it cannot be made."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = f"another stackset-monitor (process {holder}) is using the state file that {self._path} locks"
            raise RefusedStateError(message) from error
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))

    def lost(self) -> bool:
        """Return whether the lock file was deleted or replaced: another daemon could lock the new one."""
        if self._descriptor is None:
            return False
        held = os.fstat(self._descriptor)
        return FileIdentity.of(self._path) != (held.st_dev, held.st_ino)

    def release(self) -> None:
        """Release the lock. The file stays: removing it would let two daemons lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
