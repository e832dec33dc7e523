"""What the daemon's parts need from other packages."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from monitor.config.settings import LogLevel, MonitoredProduct
from monitor.model.deadline import Deadline
from monitor.model.diff import Transition
from monitor.model.errors import Reason, SkipReason
from monitor.model.instances import Product
from monitor.model.paging import Page, TransitionFilter
from monitor.model.products import ProductSearch
from monitor.schedule.workers import Job


class EventLog(Protocol):
    """Where events are logged."""

    def event(self, level: LogLevel, event: str, **fields: Any) -> None:
        """Log an event."""

    def crash(self, event: str, error: BaseException, **fields: Any) -> None:
        """Log an unexpected error with its traceback."""


class ProductPoller(Protocol):
    """Polls products, and knows the last snapshot of each."""

    def restore(self, monitored: MonitoredProduct) -> bool:
        """Load the last snapshot; return whether it was published: there is one, not stale. Raises `StateError`."""

    def poll(self, monitored: MonitoredProduct) -> None:
        """Poll once. Raises `PollCancelledError`."""

    def snapshot_age(self, product_id: str) -> float | None:
        """Return the seconds since the last complete listing, None if there was none."""

    def forget(self, product_id: str) -> None:
        """Drop what is known of a product that is not monitored any more."""

    def named(self, monitored: MonitoredProduct) -> MonitoredProduct:
        """Return a product with the name that it is published under."""


class ProductMetrics(Protocol):
    """The published metrics of the products."""

    def update(self, monitored: MonitoredProduct) -> None:
        """Publish another name, interval or source of a product."""

    def remove(self, product_id: str) -> None:
        """Remove the series of a product."""

    def skipped(self, monitored: MonitoredProduct, reason: SkipReason, count: int = 1) -> None:
        """Count polls that did not take place."""


class JobSchedule(Protocol):
    """Decides when a job is due."""

    def add(self, job: Job, interval: float) -> None:
        """Make a job due now and then every `interval` seconds."""

    def remove(self, job: Job) -> None:
        """Make a job never due again."""


class Owner(Protocol):
    """Which products this process monitors: a shard, or the leases that a replica holds."""

    def owns(self, product_id: str) -> bool:
        """Return whether a product is one of them now."""


class DiscoveryStore(Protocol):
    """Which products were discovered. Every method raises `StateError`."""

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products of the last accepted search of a source."""

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Replace them."""

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Delete the snapshots of the products whose ids are selected."""


class SearchableCatalog(Protocol):
    """A source that can be searched."""

    def search(self, deadline: Deadline) -> ProductSearch:
        """Return every product that the source's `discover` selects. Raises `PollFailedError`, `PollCancelledError`."""


class TransitionHistory(Protocol):
    """The stored transitions."""

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of transitions, the newest first. Raises `StateError`, `CursorError`."""


class DiscoveryMetrics(Protocol):
    """The metrics of discovery."""

    def discovered(self, source: str, products: int, invalid_items: int) -> None:
        """Record an accepted search: the number of products, and of items that were left out."""

    def discovery_failed(self, source: str, reason: Reason) -> None:
        """Count a failed search."""
