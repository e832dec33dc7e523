"""One daemon per state file: a lock that the kernel releases when the process ends, however it ends."""

import fcntl
import os
from pathlib import Path

from monitor.state.errors import RefusedStateError


class StateLock:
    """Held from its creation until `release` or the end of the process."""

    def __init__(self, state: Path) -> None:
        """Lock a file beside the state; SQLite has its own locks on the state file itself.

        Raises `RefusedStateError` if another daemon has the lock, `OSError` if it cannot be made.
        """
        self._path = state.with_name(state.name + ".lock")
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._descriptor, 0)
            os.write(self._descriptor, str(os.getpid()).encode("ascii"))
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            self.release()
            message = f"another stackset-monitor (process {holder}) is using the state file that {self._path} locks"
            raise RefusedStateError(message) from error
        except OSError:  # a full disk: a lock that stays would refuse this process, too, when it tries again
            self.release()
            raise

    def lost(self) -> bool:
        """Return whether the lock file was deleted or replaced: another daemon could lock the new one."""
        return not is_file(self._path, os.fstat(self._descriptor))

    def release(self) -> None:
        """Release the lock. The file stays: removing it would let two daemons lock two files of one name."""
        os.close(self._descriptor)


def is_file(path: Path, known: os.stat_result) -> bool:
    """Return whether a path points to a known file: not if that was deleted, replaced or moved. Raises `OSError`."""
    try:
        return os.path.samestat(path.stat(), known)
    except (FileNotFoundError, NotADirectoryError):
        return False
