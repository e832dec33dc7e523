"""Fakes of what the product set and discovery need, typed against its Protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.config.settings import (
    DiscoverSettings,
    LogFormat,
    LogLevel,
    MonitoredProduct,
    PollSettings,
    SeriesOptions,
    Settings,
    SourceSettings,
)
from monitor.model.deadline import Deadline
from monitor.model.errors import Reason, SkipReason
from monitor.model.instances import Product
from monitor.model.products import ProductSearch
from monitor.poller.protocols import StateError
from monitor.schedule.workers import Job
from tests.making import detail, monitored


@dataclass
class FakeLog:
    """Records the events."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def event(self, level: LogLevel, event: str, **fields: Any) -> None:
        """Record an event."""
        self.entries.append({"level": str(level), "event": str(event), **fields})

    def crash(self, event: str, error: BaseException, **fields: Any) -> None:
        """Record an error."""
        self.entries.append({"level": "crash", "event": str(event), "error": repr(error), **fields})

    def take(self) -> list[dict[str, Any]]:
        """Return the events since the last call."""
        entries, self.entries = self.entries, []
        return entries


@dataclass
class FakePoller:
    """Has stored snapshots of some ages, in seconds."""

    ages: dict[str, float] = field(default_factory=dict)
    stale_after: float = 3600.0
    broken: bool = False

    def restore(self, monitored: MonitoredProduct) -> bool:
        """Return whether there is a snapshot that is not stale."""
        if self.broken:
            raise StateError("the state cannot be read")
        age = self.ages.get(monitored.product.id)
        return age is not None and age <= self.stale_after

    def poll(self, monitored: MonitoredProduct) -> None:
        """Poll nothing."""

    def snapshot_age(self, product_id: str) -> float | None:
        """Return the age of a snapshot."""
        return self.ages.get(product_id)

    def forget(self, product_id: str) -> None:
        """Forget a snapshot."""
        self.ages.pop(product_id, None)

    def named(self, monitored: MonitoredProduct) -> MonitoredProduct:
        """Return the product as it is."""
        return monitored


@dataclass
class FakeMetrics:
    """Records what is removed, skipped and counted."""

    calls: list[tuple[object, ...]] = field(default_factory=list)

    def update(self, monitored: MonitoredProduct) -> None:
        """Record an update."""
        self.calls.append(("update", monitored.product.id))

    def remove(self, product_id: str) -> None:
        """Record a removal."""
        self.calls.append(("remove", product_id))

    def skipped(self, monitored: MonitoredProduct, reason: SkipReason, count: int = 1) -> None:
        """Record skipped polls."""
        self.calls.append((reason, monitored.product.id, count))

    def discovered(self, source: str, products: int, invalid_items: int) -> None:
        """Record an accepted search."""
        self.calls.append(("discovered", source, products, invalid_items))

    def discovery_failed(self, source: str, reason: Reason) -> None:
        """Record a failed search."""
        self.calls.append((reason, source))


@dataclass
class FakeSchedule:
    """Records what is scheduled."""

    jobs: dict[Job, float] = field(default_factory=dict)
    added: list[Job] = field(default_factory=list)

    def add(self, job: Job, interval: float) -> None:
        """Record a job."""
        self.jobs[job] = interval
        self.added.append(job)

    def remove(self, job: Job) -> None:
        """Remove a job."""
        self.jobs.pop(job, None)

    def take_added(self) -> list[Job]:
        """Return the jobs that were added since the last call."""
        added, self.added = self.added, []
        return added


@dataclass
class FakeStore:
    """Keeps discovered products in memory."""

    found: dict[str, Sequence[Product]] = field(default_factory=dict)
    broken: bool = False

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the stored products."""
        return self.found.get(source, ())

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Store products."""
        if self.broken:
            raise StateError("disk full")
        self.found[source] = tuple(products)

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Have no snapshots to delete."""
        if self.broken:
            raise StateError("disk full")


@dataclass
class FakeCatalog:
    """Answers each search with the next of its results, and repeats the last one."""

    results: list[Sequence[str] | Exception]
    searches: int = 0
    invalid_items: int = 0
    on_search: Callable[[], None] = lambda: None

    def search(self, deadline: Deadline) -> ProductSearch:
        """Return the next result."""
        self.searches += 1
        self.on_search()
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, Exception):
            raise result
        found = tuple(detail(product=Product(product_id, product_id)) for product_id in result)
        return ProductSearch(found, self.invalid_items)


def source(
    name: str = "hub", *, names: tuple[str, ...] = ("*",), interval: float = 900.0, **more: Any
) -> SourceSettings:
    """Return a source that is searched."""
    discover = DiscoverSettings(names, {}, interval)
    defaults: dict[str, Any] = {"region": "eu-west-1", "calls_per_second": 10.0, "page_size": 20}
    return SourceSettings(name, accept_language="en", **{**defaults, "discover": discover, **more})


def settings(*sources: SourceSettings, products: Sequence[str] = ()) -> Settings:
    """Return a configuration of these sources and listed products."""
    return Settings(
        poll=PollSettings(concurrency=2, stale_after=3600.0, confirm_shrink=0.5),
        sources=sources,
        products=tuple(monitored(Product(one, one)) for one in products),
        series=SeriesOptions(),
        state_path=Path("monitor.db"),
        history=86400.0,
        listen=":0",
        log_level=LogLevel.DEBUG,
        log_format=LogFormat.JSON,
    )
