"""When the configuration is read again: the file has changed, somebody asks for it, or a signal comes."""

import hashlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from monitor.config.errors import ConfigurationError, UnreadableError
from monitor.config.settings import Settings

LOOK_SECONDS = 5.0
"""Between two looks at the file. A ConfigMap takes a minute to arrive in a pod anyway."""


class Reloader:
    """Reads the file again and hands the settings over. One reload at a time."""

    def __init__(
        self,
        path: Path,
        load: Callable[[], Settings],
        asked: threading.Event,
        apply: Callable[[Settings], None],
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Look at the file at `path`, which was just read, and at `asked`, which a signal sets.

        `load` reads the file; `apply` is given the settings, `refused` what is wrong.
        """
        self._path = path
        self._load = load
        self._apply = apply
        self._refused = refused
        self._clock = clock
        self._lock = threading.Lock()
        self._asked = asked
        self._seen = self._fingerprint()
        self._next_look = clock() + LOOK_SECONDS

    def look(self) -> None:
        """Reload where somebody asked for it or the file has other content than when it was read last."""
        if self._asked.is_set():
            self._asked.clear()
            self.reload()
        elif self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            # By content: a ConfigMap is swapped as a whole folder, and its times say nothing.
            if self._fingerprint() not in (self._seen, None):
                self.reload()

    def reload(self) -> str | None:
        """Read the file and take it over; return what is wrong with it, and keep everything as it was, else None."""
        with self._lock:
            self._seen = self._fingerprint() or self._seen
            try:
                settings = self._load()
            except (UnreadableError, ConfigurationError) as error:
                self._refused(str(error))
                return str(error)
            self._apply(settings)
            return None

    def _fingerprint(self) -> bytes | None:
        """Return a digest of the file, None where it is not there: in the midst of a swap, or for good."""
        if not self._path.is_file():  # to open a named pipe again would block
            return None
        try:
            return hashlib.sha256(self._path.read_bytes()).digest()
        except OSError:
            return None
