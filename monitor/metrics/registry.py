"""The small registry of the monitor itself, rendered for each scrape."""

import platform
from collections.abc import Iterable, Sequence

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
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from monitor.metrics import families
from monitor.metrics.families import Family
from monitor.model.errors import Reason
from monitor.model.shard import Shard

_BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
_UNIT_SUFFIX = "_total"


class MonitorMetrics:
    """Counts what happens inside the monitor. Safe to use from many threads."""

    def __init__(self, *, version: str, revision: str, shard: Shard | None = None) -> None:
        """Make a registry of its own; nothing global is touched but prometheus_client's `_created` switch."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()
        self._sources: dict[str, list[SourceMetrics]] = {}
        self._requests = _counter(families.API_REQUESTS, registry)
        self._errors = _counter(families.API_ERRORS, registry)
        duration = families.API_DURATION
        self._durations = Histogram(duration.name, duration.help, duration.labels, registry=registry, buckets=_BUCKETS)
        self._waits = _counter(families.API_WAIT, registry)
        self._discovery_success = _gauge(families.DISCOVERY_SUCCESS, registry)
        self._discovery_interval = _gauge(families.DISCOVERY_INTERVAL, registry)
        self._discovered = _gauge(families.DISCOVERED, registry)
        self._discovery_failures = _counter(families.DISCOVERY_FAILURES, registry)
        shard = shard or Shard()
        _gauge(families.SHARD, registry).set(shard.ordinal)
        _gauge(families.SHARDS, registry).set(shard.total)
        _gauge(families.BUILD_INFO, registry).labels(version, revision, platform.python_version()).set(1)
        self._reload_ok = _gauge(families.RELOAD_OK, registry)
        self._reload_time = _gauge(families.RELOAD_TIME, registry)
        self._state_commit = _gauge(families.STATE_COMMIT, registry)
        self._state_errors = _counter(families.STATE_ERRORS, registry)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def source(self, name: str, operations: Iterable[str]) -> "SourceMetrics":
        """Return the observer of one source, its known series at 0."""
        self._waits.labels(name)
        for operation in operations:
            self._requests.labels(name, operation)
            self._durations.labels(name, operation)
        observer = SourceMetrics(name, self._requests, self._errors, self._durations, self._waits)
        self._sources.setdefault(name, []).append(observer)
        return observer

    def remove_source(self, name: str) -> None:
        """Show a source no more that is not there any more, also when its last calls end."""
        for observer in self._sources.pop(name, ()):
            observer.close()
        for metric in (self._requests, self._errors, self._durations, self._waits, *self._discovery_metrics()):
            for labels in list(metric._metrics):  # noqa: SLF001 - prometheus_client has no other way to see them
                if labels[0] == name:
                    metric.remove(*labels)

    def discovering(self, source: str, interval: float) -> None:
        """Let the known series of a source's discovery, every `interval` seconds, begin at 0."""
        self._discovery_interval.labels(source).set(interval)
        self._discovery_success.labels(source)
        self._discovered.labels(source)
        for reason in Reason:
            self._discovery_failures.labels(source, reason)

    def discovered(self, source: str, products: int) -> None:
        """A search was complete."""
        self._discovery_success.labels(source).set_to_current_time()
        self._discovered.labels(source).set(products)

    def discovery_failed(self, source: str, reason: Reason) -> None:
        """A search failed."""
        self._discovery_failures.labels(source, reason).inc()

    def _discovery_metrics(self) -> Sequence[Gauge | Counter]:
        return (self._discovery_success, self._discovery_interval, self._discovered, self._discovery_failures)

    def config_loaded(self) -> None:
        """A configuration was taken over."""
        self._reload_ok.set(1)
        self._reload_time.set_to_current_time()

    def config_refused(self) -> None:
        """A configuration was wrong, and the one before is kept."""
        self._reload_ok.set(0)

    def state_committed(self) -> None:
        """Something was written to the state file."""
        self._state_commit.set_to_current_time()

    def state_failed(self) -> None:
        """The state file could not be read or written."""
        self._state_errors.inc()

    def render(self, openmetrics: bool) -> bytes:  # noqa: FBT001 - called through `Callable[[bool], bytes]`
        """Return the text of the registry; OpenMetrics with its end mark, so it comes last."""
        rendered: bytes = (generate_openmetrics if openmetrics else generate_latest)(self._registry)
        return rendered


class SourceMetrics:
    """The `ApiObserver` of one source."""

    def __init__(self, name: str, requests: Counter, errors: Counter, durations: Histogram, waits: Counter) -> None:
        """Write to these metrics, with `name` as the source."""
        self._name = name
        self._closed = False
        self._requests = requests
        self._errors = errors
        self._durations = durations
        self._waits = waits

    def close(self) -> None:
        """Count nothing from now on."""
        self._closed = True

    def attempted(self, operation: str, seconds: float) -> None:
        """One request went out and took this long."""
        if self._closed:
            return
        self._requests.labels(self._name, operation).inc()
        self._durations.labels(self._name, operation).observe(seconds)

    def failed(self, operation: str, code: str) -> None:
        """One attempt failed."""
        if self._closed:
            return
        self._errors.labels(self._name, operation, code).inc()

    def waited(self, seconds: float) -> None:
        """A call waited for its place in the budget."""
        if self._closed:
            return
        self._waits.labels(self._name).inc(seconds)


def _counter(family: Family, registry: CollectorRegistry) -> Counter:
    return Counter(family.name.removesuffix(_UNIT_SUFFIX), family.help, family.labels, registry=registry)


def _gauge(family: Family, registry: CollectorRegistry) -> Gauge:
    return Gauge(family.name, family.help, family.labels, registry=registry)
