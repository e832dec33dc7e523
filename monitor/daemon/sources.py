"""The AWS sources that are open now, and whether AWS throttles them."""

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from monitor.config.settings import LogLevel, SourceSettings
from monitor.daemon.protocols import EventLog
from monitor.events.names import EventName
from monitor.metrics.registry import MonitorMetrics

if TYPE_CHECKING:
    from monitor.aws.source import Source
    from monitor.aws.transport import ApiObserver


class Sources(Mapping[str, "Source"]):
    """The open sources by name. A poll under way keeps the source that it started with."""

    def __init__(self, monitor_metrics: MonitorMetrics, connections: int, log: EventLog) -> None:
        """Start without sources; each will have up to `connections` connections."""
        self._log = log
        self._monitor_metrics = monitor_metrics
        self._connections = connections
        self._open: dict[str, tuple[SourceSettings, Source]] = {}

    def __getitem__(self, name: str) -> "Source":
        """Return an open source. Raises `KeyError`."""
        return self._open[name][1]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._open)

    def __len__(self) -> int:
        """Return the number of open sources."""
        return len(self._open)

    def configure(self, wanted: tuple[SourceSettings, ...]) -> None:
        """Open the sources that are new or have changed, and drop those that are gone.

        An unchanged source keeps its clients and its budget.
        """
        # Importing boto3 takes a third of a second. At the start, stored metrics are served before that.
        from monitor.aws.source import Source, operations  # noqa: PLC0415

        opened: dict[str, tuple[SourceSettings, Source]] = {}
        for settings in wanted:
            known = self._open.get(settings.name)
            if known is not None and known[0] == settings:
                opened[settings.name] = known
                continue
            metrics = self._monitor_metrics.source(settings.name, operations(settings))
            observer = ThrottlingObserver(settings.name, metrics, self._log)
            if settings.discover is not None:
                self._monitor_metrics.discovering(settings.name, settings.discover.interval)
            else:
                self._monitor_metrics.remove_discovery(settings.name)
            opened[settings.name] = (settings, Source(settings, observer, self._connections))
        for name in self._open.keys() - opened.keys():
            self._monitor_metrics.remove_source(name)
        self._open = opened


class ThrottlingObserver:
    """Logs when AWS begins to throttle a source and when that has ended; an `ApiObserver` in front of another."""

    def __init__(self, source: str, inner: "ApiObserver", log: EventLog) -> None:
        """Observe the source of this name; `inner` receives everything as well."""
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
        fields = {"source": self._source, "calls_per_second": round(calls_per_second, 3)}
        if before:
            self._log.event(LogLevel.WARNING, EventName.THROTTLING_ENDED, **fields)
        else:
            self._log.event(LogLevel.WARNING, EventName.THROTTLED, **fields, configured_calls_per_second=configured)
