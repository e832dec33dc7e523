"""Publish each result twice: as metrics, and as a view for the pages and the API."""

from monitor.config.settings import MonitoredProduct
from monitor.daemon.product_views import ProductViews
from monitor.metrics.cache import MetricsCache
from monitor.model.errors import SkipReason
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct


class Publishers:
    """The `Publisher` of the poller and the `ProductMetrics` of the product set. The metrics always come first."""

    def __init__(self, metrics: MetricsCache, views: ProductViews) -> None:
        """Publish to both."""
        self._metrics = metrics
        self._views = views

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Publish a product from the state."""
        self._metrics.restored(monitored, stored, stale=stale)
        self._views.restored(monitored, stored, stale=stale)

    def completed(self, poll: CompletedPoll) -> None:
        """Publish a completed poll."""
        self._metrics.completed(poll)
        self._views.completed(poll)

    def failed(self, poll: FailedPoll) -> None:
        """Publish a failed poll."""
        self._metrics.failed(poll)
        self._views.failed(poll)

    def withdraw(self, product_id: str) -> bool:
        """Withdraw a stale snapshot from the metrics; return whether one was exposed. The view marks it."""
        self._views.withdraw(product_id)
        return self._metrics.withdraw(product_id)

    def update(self, monitored: MonitoredProduct) -> None:
        """Publish another name, interval or source of a product."""
        self._metrics.update(monitored)
        self._views.update(monitored)

    def remove(self, product_id: str) -> None:
        """Remove a product that is not monitored any more."""
        self._metrics.remove(product_id)
        self._views.remove(product_id)

    def skipped(self, monitored: MonitoredProduct, reason: SkipReason, count: int = 1) -> None:
        """Count polls that did not take place."""
        self._metrics.skipped(monitored, reason, count)
