"""The search for the products of a source, and what becomes of it. A search that fails changes nothing."""

from collections.abc import Callable

from monitor.config.settings import LogLevel, SourceSettings
from monitor.daemon.product_set import ProductSet
from monitor.daemon.sources import Sources
from monitor.events.names import EventName
from monitor.events.setup import Log
from monitor.metrics.registry import MonitorMetrics
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollFailedError
from monitor.model.instances import Product
from monitor.poller.protocols import StateError

SEARCH_SECONDS = 60.0
"""For one search. A page of it has a hundred products."""


class Discovery:
    """Searches, and hands over what was found. Safe to use from many threads, one search of a source at a time."""

    def __init__(
        self,
        sources: Sources,
        watch: ProductSet,
        deadlines: Deadlines,
        monitor_metrics: MonitorMetrics,
        log: Log,
        on_state_error: Callable[[StateError], None],
    ) -> None:
        """Search in `sources`, for `watch`."""
        self._sources = sources
        self._product_set = watch
        self._deadlines = deadlines
        self._monitor_metrics = monitor_metrics
        self._log = log
        self._on_state_error = on_state_error

    def search(self, source: SourceSettings) -> None:
        """Search once. Raises `PollCancelledError` when the monitor stops."""
        opened = self._sources.get(source.name)
        if opened is None or source.discover is None:
            return
        try:
            with self._deadlines.running(SEARCH_SECONDS) as deadline:
                search = opened.search(deadline)
        except PollFailedError as error:
            self._monitor_metrics.discovery_failed(source.name, error.reason)
            self._log.event(
                LogLevel.WARNING,
                EventName.DISCOVERY_FAILED,
                source=source.name,
                reason=str(error.reason),
                error_code=error.error_code,
                message=error.message,
            )
            return
        found = search.products
        self._monitor_metrics.discovered(source.name, len(found), search.invalid_items)
        changes = {"added": 0, "removed": 0}
        try:
            changes |= self._product_set.found(source.name, [Product(one.id, one.name) for one in found])
        except StateError as error:
            self._on_state_error(error)
        self._log.event(
            LogLevel.INFO,
            EventName.DISCOVERY_COMPLETED,
            source=source.name,
            products=len(found),
            added=changes["added"],
            removed=changes["removed"],
        )
