"""The metrics about the monitor itself: AWS requests, discovery, configuration, state, process."""

import platform
import threading
from collections.abc import Callable, Iterable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.model.errors import Reason
from monitor.model.shard import Shard

_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_UNIT_SUFFIX = "_total"


class MonitorMetrics:
    """Counts what happens inside the monitor. Safe to use from several threads."""

    def __init__(
        self, *, version: str, revision: str, shard: Shard | None = None, lines_dropped: Callable[[], int] = lambda: 0
    ) -> None:
        """Create a registry; `revision` is the Git commit of the build, or empty.

        `lines_dropped` returns how many log lines were lost; it is called for each scrape.
        """
        # The `_created` series double the number of series, and Prometheus does not need them. There is only a switch
        # for the whole process.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._sources: dict[str, list[SourceMetrics]] = {}
        self._searched: set[str] = set()
        self._searched_lock = threading.Lock()
        self._api = _ApiMetrics(registry)
        self._discovery_success = _gauge(families.DISCOVERY_SUCCESS, registry)
        self._discovery_interval = _gauge(families.DISCOVERY_INTERVAL, registry)
        self._discovered = _gauge(families.DISCOVERED, registry)
        self._invalid_items = _gauge(families.DISCOVERY_INVALID_ITEMS, registry)
        self._discovery_failures = _counter(families.DISCOVERY_FAILURES, registry)
        shard = shard or Shard()
        _gauge(families.SHARD, registry).set(shard.ordinal)
        _gauge(families.SHARDS, registry).set(shard.total)
        _gauge(families.BUILD_INFO, registry).labels(version, revision, platform.python_version()).set(1)
        self._reload_ok = _gauge(families.RELOAD_OK, registry)
        self._reload_time = _gauge(families.RELOAD_TIME, registry)
        self._state_commit = _gauge(families.STATE_COMMIT, registry)
        self._state_errors = _counter(families.STATE_ERRORS, registry)
        self._lease_owner = _gauge(families.LEASE_OWNER, registry)
        self._lease_changes = _counter(families.LEASE_CHANGES, registry)
        registry.register(_ReadCounter(families.LOG_LINES_DROPPED, lines_dropped))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def source(self, name: str, operations: Iterable[str]) -> "SourceMetrics":
        """Return the observer of one source; the series of its operations start at 0."""
        self._api.waits.labels(name)
        for operation in operations:
            self._api.requests.labels(name, operation)
            self._api.durations.labels(name, operation)
        observer = SourceMetrics(name, self._api)
        self._sources.setdefault(name, []).append(observer)
        return observer

    def remove_source(self, name: str) -> None:
        """Remove the series of a source. Requests that are still running do not bring them back."""
        for observer in self._sources.pop(name, ()):
            observer.close()
        for metric in vars(self._api).values():
            metric.remove_by_labels({"source": name})
        self.remove_discovery(name)

    def dividing(self, shards: int) -> None:
        """Start the series of the leases at 0."""
        for shard in map(str, range(shards)):
            self._lease_owner.labels(shard).set(0)
            for reason in ("acquired", "lost", "released"):
                self._lease_changes.labels(shard, reason)

    def lease_changed(self, shard: int, reason: str) -> None:
        """Record that a lease was acquired, lost or released."""
        self._lease_owner.labels(str(shard)).set(reason == "acquired")
        self._lease_changes.labels(str(shard), reason).inc()

    def discovering(self, source: str, interval: float) -> None:
        """Start the series of a source that is searched every `interval` seconds at 0."""
        with self._searched_lock:
            self._searched.add(source)
            self._discovery_interval.labels(source).set(interval)
            self._discovery_success.labels(source)
            self._discovered.labels(source)
            self._invalid_items.labels(source)
            for reason in Reason:
                self._discovery_failures.labels(source, reason)

    def remove_discovery(self, source: str) -> None:
        """Remove the discovery series of a source. A search that is still running does not bring them back."""
        with self._searched_lock:
            self._searched.discard(source)
            for metric in (
                self._discovery_success,
                self._discovery_interval,
                self._discovered,
                self._invalid_items,
                self._discovery_failures,
            ):
                metric.remove_by_labels({"source": source})

    def discovered(self, source: str, products: int, invalid_items: int) -> None:
        """Record a complete search: the number of products, and of items that were left out."""
        with self._searched_lock:
            if source in self._searched:
                self._discovery_success.labels(source).set_to_current_time()
                self._discovered.labels(source).set(products)
                self._invalid_items.labels(source).set(invalid_items)

    def discovery_failed(self, source: str, reason: Reason) -> None:
        """Count a failed search."""
        with self._searched_lock:
            if source in self._searched:
                self._discovery_failures.labels(source, reason).inc()

    def config_loaded(self) -> None:
        """Record that a configuration was loaded."""
        self._reload_ok.set(1)
        self._reload_time.set_to_current_time()

    def config_refused(self) -> None:
        """Record that a configuration was invalid, and the previous one is kept."""
        self._reload_ok.set(0)

    def state_committed(self) -> None:
        """Record a commit to the state."""
        self._state_commit.set_to_current_time()

    def state_failed(self) -> None:
        """Count a failed read or write of the state."""
        self._state_errors.inc()

    def render(self, openmetrics: bool) -> bytes:  # noqa: FBT001 - called through `Callable[[bool], bytes]`
        """Return the text of the registry. In OpenMetrics it ends with `# EOF`, so it must come last in a response."""
        rendered: bytes = (generate_openmetrics if openmetrics else generate_latest)(self._registry)
        return rendered


class _ApiMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        duration = families.API_DURATION
        self.requests = _counter(families.API_REQUESTS, registry)
        self.errors = _counter(families.API_ERRORS, registry)
        self.durations = Histogram(duration.name, duration.help, duration.labels, registry=registry, buckets=_BUCKETS)
        self.waits = _counter(families.API_WAIT, registry)
        self.rate_limits = _gauge(families.API_RATE_LIMIT, registry)


class SourceMetrics:
    """The `ApiObserver` of one source."""

    def __init__(self, name: str, api: _ApiMetrics) -> None:
        """Update the series with the label source=`name`."""
        self._name = name
        self._api = api
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        """Ignore everything from now on."""
        with self._lock:
            self._closed = True

    def attempted(self, operation: str, seconds: float) -> None:
        """Record an HTTP request that took this many seconds."""
        with self._lock:
            if not self._closed:
                self._api.requests.labels(self._name, operation).inc()
                self._api.durations.labels(self._name, operation).observe(seconds)

    def failed(self, operation: str, code: str) -> None:
        """Count a failed HTTP request by its error code."""
        with self._lock:
            if not self._closed:
                self._api.errors.labels(self._name, operation, code).inc()

    def waited(self, seconds: float) -> None:
        """Add the seconds that a request waited because of calls_per_second."""
        with self._lock:
            if not self._closed:
                self._api.waits.labels(self._name).inc(seconds)

    def rate_limited(self, calls_per_second: float, configured: float) -> None:  # noqa: ARG002 - of the interface
        """Record another rate limit."""
        with self._lock:
            if not self._closed:
                self._api.rate_limits.labels(self._name).set(calls_per_second)


class _ReadCounter(Collector):
    def __init__(self, family: Family, read: Callable[[], int]) -> None:
        self._family = family
        self._read = read

    def collect(self) -> Iterable[CounterMetricFamily]:
        """Return the counter with its present value."""
        name = self._family.name.removesuffix(_UNIT_SUFFIX)
        return [CounterMetricFamily(name, self._family.help, value=self._read())]


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name.removesuffix(_UNIT_SUFFIX), family.help, family.labels, registry=registry)


def _gauge(family: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(family.name, family.help, family.labels, registry=registry)
