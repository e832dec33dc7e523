"""The AWS sources that are open now, whether AWS throttles them, and how much of their budget is used."""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from monitor.config.settings import LogLevel, SourceSettings
from monitor.daemon.protocols import EventLog
from monitor.events.names import EventName
from monitor.metrics.registry import MonitorMetrics

if TYPE_CHECKING:
    from monitor.aws.source import Source
    from monitor.aws.transport import ApiObserver

METER_SECONDS = 300.0  # the default interval of polls: each product is counted
_BUCKETS = 30


class Sources(Mapping[str, "Source"]):
    """The open sources by name. A poll under way keeps the source that it started with."""

    def __init__(self, monitor_metrics: MonitorMetrics, connections: int, log: EventLog) -> None:
        """Start without sources; each will have up to `connections` connections."""
        self._log = log
        self._monitor_metrics = monitor_metrics
        self._connections = connections
        self._open: dict[str, tuple[SourceSettings, Source]] = {}
        self._observers: dict[str, ThrottlingObserver] = {}

    def __getitem__(self, name: str) -> "Source":
        """Return an open source. Raises `KeyError`."""
        return self._open[name][1]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self._open)

    def __len__(self) -> int:
        """Return the number of open sources."""
        return len(self._open)

    def call_rates(self, name: str) -> tuple[float | None, float]:
        """Return the calls per second that a source may make now, None before the first, and those that it makes."""
        observer = self._observers.get(name)
        return (observer.calls_per_second, observer.meter.per_second()) if observer else (None, 0.0)

    def configure(self, wanted: tuple[SourceSettings, ...]) -> None:
        """Open the sources that are new or have changed, and drop those that are gone.

        An unchanged source keeps its clients and its budget.
        """
        # Importing boto3 takes a third of a second. At the start, stored metrics are served before that.
        from monitor.aws.source import Source, operations  # noqa: PLC0415

        opened: dict[str, tuple[SourceSettings, Source]] = {}
        observers: dict[str, ThrottlingObserver] = {}
        for settings in wanted:
            known = self._open.get(settings.name)
            if known is not None and known[0] == settings:
                opened[settings.name], observers[settings.name] = known, self._observers[settings.name]
                continue
            metrics = self._monitor_metrics.source(settings.name, operations(settings))
            observer = observers[settings.name] = ThrottlingObserver(settings.name, metrics, self._log)
            if settings.discover is not None:
                self._monitor_metrics.discovering(settings.name, settings.discover.interval)
            else:
                self._monitor_metrics.remove_discovery(settings.name)
            opened[settings.name] = (settings, Source(settings, observer, self._connections))
        for name in self._open.keys() - opened.keys():
            self._monitor_metrics.remove_source(name)
        self._open, self._observers = opened, observers


class ThrottlingObserver:
    """Logs when AWS begins to throttle a source and when that has ended; an `ApiObserver` in front of another."""

    def __init__(self, source: str, inner: "ApiObserver", log: EventLog) -> None:
        """Observe the source of this name; `inner` receives everything as well."""
        self._source = source
        self._inner = inner
        self._log = log
        self._lock = threading.Lock()
        self._throttled = False
        self.calls_per_second: float | None = None
        """The rate that was reported last."""
        self.meter = CallMeter()
        self.failed = inner.failed
        self.waited = inner.waited

    def attempted(self, operation: str, seconds: float) -> None:
        """Count a request."""
        self._inner.attempted(operation, seconds)
        self.meter.count()

    def rate_limited(self, calls_per_second: float, configured: float) -> None:
        """Log the first rate below the configured one, and the return to it."""
        self._inner.rate_limited(calls_per_second, configured)
        with self._lock:
            self.calls_per_second = calls_per_second
            before, self._throttled = self._throttled, calls_per_second < configured
            if self._throttled == before:
                return
        fields = {"source": self._source, "calls_per_second": round(calls_per_second, 3)}
        if before:
            self._log.event(LogLevel.WARNING, EventName.THROTTLING_ENDED, **fields)
        else:
            self._log.event(LogLevel.WARNING, EventName.THROTTLED, **fields, configured_calls_per_second=configured)


class CallMeter:
    """The mean calls per second of the last five minutes, or since the start. Safe to use from many threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start now."""
        self._clock = clock
        self._started_at = clock()
        self._lock = threading.Lock()
        self._buckets: deque[list[int]] = deque(maxlen=_BUCKETS)
        """Number of a bucket of ten seconds, and the calls in it."""

    def count(self) -> None:
        """Count a call."""
        number = int(self._clock() / METER_SECONDS * _BUCKETS)
        with self._lock:
            if not self._buckets or self._buckets[-1][0] != number:
                self._buckets.append([number, 0])
            self._buckets[-1][1] += 1

    def per_second(self) -> float:
        """Return the rate."""
        now = self._clock()
        oldest = int(now / METER_SECONDS * _BUCKETS) - _BUCKETS
        with self._lock:
            calls = sum(calls for number, calls in self._buckets if number > oldest)
        return calls / max(METER_SECONDS / _BUCKETS, min(METER_SECONDS, now - self._started_at))
