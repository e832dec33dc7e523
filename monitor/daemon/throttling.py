"""Logs when AWS begins to throttle a source, and when that has ended."""

import threading
from typing import TYPE_CHECKING

from monitor.config.settings import LogLevel
from monitor.daemon.protocols import EventLog
from monitor.events.names import EventName

if TYPE_CHECKING:
    from monitor.aws.observer import ApiObserver


class ThrottlingObserver:
    """An `ApiObserver` that logs, and passes everything on to another one."""

    def __init__(self, source: str, inner: "ApiObserver", log: EventLog) -> None:
        """Observe the source of this name."""
        self._source = source
        self._inner = inner
        self._log = log
        self._lock = threading.Lock()
        self._throttled = False
        self.attempted = inner.attempted
        self.failed = inner.failed
        self.waited = inner.waited

    def rate_limited(self, calls_per_second: float, configured: float) -> None:
        """Log the first rate below the configured one, and the return to it."""
        self._inner.rate_limited(calls_per_second, configured)
        with self._lock:
            before, self._throttled = self._throttled, calls_per_second < configured
            if self._throttled == before:
                return
        if before:
            self._log.event(
                LogLevel.WARNING,
                EventName.THROTTLING_ENDED,
                source=self._source,
                calls_per_second=configured,
            )
        else:
            self._log.event(
                LogLevel.WARNING,
                EventName.THROTTLED,
                source=self._source,
                calls_per_second=round(calls_per_second, 3),
                configured_calls_per_second=configured,
            )
