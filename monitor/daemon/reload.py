"""When the configuration is read again: the file changes, SIGHUP arrives, or POST /-/reload is requested."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config.errors import ConfigurationError, UnreadableError
from monitor.config.settings import Settings
from monitor.config.validation import read_file

# Between two checks of the file. A changed ConfigMap takes a minute to reach a pod anyway.
CHECK_SECONDS = 5.0


# The keys that take effect at the next start only.
NEEDS_RESTART: Mapping[str, Callable[[Settings], object]] = {
    "poll.concurrency": lambda settings: settings.poll.concurrency,
    "state.path": lambda settings: settings.state_path,
    "state.dynamodb": lambda settings: settings.state_table,
    "cluster": lambda settings: settings.cluster,
    "web.listen": lambda settings: settings.listen,
    "web.config_file": lambda settings: settings.web_config,
    "log.level": lambda settings: settings.log_level,
    "log.format": lambda settings: settings.log_format,
}


@dataclass(frozen=True, slots=True)
class ReloadOptions:
    """Where the configuration is read again."""

    path: Path
    load: Callable[[], Settings]
    """Raises `ConfigurationError` or `UnreadableError`."""
    requested: threading.Event = field(default_factory=threading.Event)
    """Set to have the file read again now."""
    over_http: bool = False
    """Serve POST /-/reload."""


class Reloader:
    """Reads the configuration again and applies it. One reload at a time."""

    def __init__(
        self,
        options: ReloadOptions,
        apply: Callable[[Settings], None],
        refuse: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch the file, which was just read. `apply` is called with new settings, `refuse` with what is wrong."""
        self._options = options
        self._apply = apply
        self._refuse = refuse
        self._clock = clock
        self.lock = threading.Lock()
        """Held during a reload. Who holds it postpones reloads."""
        self._digest = self._digest_file()
        self._next_check = clock() + CHECK_SECONDS

    def check(self) -> None:
        """Reload if it was requested, or if the content of the file has changed since it was read last."""
        if self._options.requested.is_set():
            self._options.requested.clear()
            self.reload()
        elif self._clock() >= self._next_check:
            self._next_check = self._clock() + CHECK_SECONDS
            # By content: a ConfigMap is replaced as a whole folder, and the times of its files mean nothing.
            if self._digest_file() not in (self._digest, None):
                self.reload()

    def reload(self) -> str | None:
        """Read the file and apply it. If it is wrong, keep the present settings and return what is wrong."""
        with self.lock:
            self._digest = self._digest_file() or self._digest
            try:
                settings = self._options.load()
            except (UnreadableError, ConfigurationError) as error:
                self._refuse(str(error))
                return str(error)
            self._apply(settings)
            return None

    def _digest_file(self) -> bytes | None:
        """Return a digest of the file, or what is wrong with it; None if there is none, maybe while it is replaced."""
        try:
            return hashlib.sha256(read_file(self._options.path)).digest()
        except FileNotFoundError:
            return None
        except OSError as error:  # so that a reload refuses it, once
            return str(error).encode()
