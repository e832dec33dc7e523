"""One daemon a state file: a lock that the kernel lets go of when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path

from monitor.state.errors import RefusedStateError


class StateLock:
    """Held from `acquire` until `release` or the end of the process."""

    def __init__(self, state: Path) -> None:
        """Lock the file beside the state; the state's own locks belong to SQLite."""
        self._path = state.with_name(state.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock; raise `RefusedStateError` where another daemon has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            message = f"another stackset-monitor (process {holder}) is using the state file that {self._path} locks"
            raise RefusedStateError(message) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode("ascii"))
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. The file stays: removing it would let two daemons lock two files of one name."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
