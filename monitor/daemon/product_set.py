"""The products that are monitored now: how they come, change and go while the daemon runs."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct, Settings
from monitor.events.names import EventName
from monitor.events.setup import Log
from monitor.metrics.cache import MetricsCache
from monitor.model.instances import Product
from monitor.model.shard import Shard
from monitor.poller.poller import Poller
from monitor.poller.product_list import monitored_products
from monitor.poller.protocols import StateError
from monitor.schedule.scheduler import PollScheduler
from monitor.state.sqlite import SqliteStore

DISCOVER = "discover:"
"""Before the name of a source: what is due is not a product, whose id has no colon, but a search."""


class ProductSet:
    """The monitored products: keeps the scheduler, the metrics and the poller in step with them. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        shard: Shard,
        state: SqliteStore,
        poller: Poller,
        metrics: MetricsCache,
        scheduler: PollScheduler,
        log: Log,
        on_state_error: Callable[[StateError], None],
    ) -> None:
        """ProductSet nothing yet."""
        self._settings = settings
        self._shard = shard
        self._state = state
        self._poller = poller
        self._metrics = metrics
        self._scheduler = scheduler
        self._log = log
        self._on_state_error = on_state_error
        self._lock = threading.RLock()
        self._found: dict[str, Sequence[Product]] = {}
        self._products: Mapping[str, MonitoredProduct] = {}
        self._searches: dict[str, float] = {}
        self._waited_for: set[str] = set()
        self._running = False

    @property
    def products(self) -> Mapping[str, MonitoredProduct]:
        """What is monitored, by id; another mapping after each change."""
        return self._products

    def get(self, product_id: str) -> MonitoredProduct | None:
        """Return a product, with the name that it is shown by; None where it is not monitored any more."""
        monitored = self._products.get(product_id)
        return None if monitored is None else self._poller.named(monitored)

    def ready(self) -> bool:
        """Say whether everything was restored, polled or looked for once, with whatever outcome."""
        return not self._waited_for

    def done(self, name: str) -> None:
        """Note that a poll or a search has ended."""
        with self._lock:
            self._waited_for.discard(name)

    def restore(self, stop: threading.Event) -> None:
        """Take everything out of the state that was monitored before, and show it."""
        with self._lock:
            try:
                if self._shard.total > 1:
                    self._state.delete_products(lambda product_id: not self._shard.owns(product_id))
                for source in self._settings.sources:
                    if source.discover is not None:
                        self._found[source.name] = self._state.discovered_products(source.name)
            except StateError as error:
                self._on_state_error(error)
            self._products = monitored_products(self._settings, self._found, self._shard)
            for monitored in self._products.values():
                if stop.is_set():
                    return
                self._restore(monitored)

    def start(self) -> None:
        """Let everything be due."""
        with self._lock:
            self._running = True
            for monitored in self._products.values():
                self._scheduler.add(monitored.product.id, monitored.interval)
            self._schedule_searches()

    def configure(self, settings: Settings) -> Mapping[str, int]:
        """Take other settings over; return how many products came, went and changed."""
        with self._lock:
            self._settings = settings
            names = {source.name for source in settings.sources if source.discover is not None}
            self._found = {source: found for source, found in self._found.items() if source in names}
            self._schedule_searches()
            return self._apply("it is not configured any more")

    def found(self, source: str, products: Sequence[Product]) -> Mapping[str, int]:
        """Take over what was found in a source; return how many products came, went and changed.

        Raises `StateError` where it could not be written down, after it took effect.
        """
        with self._lock:
            if source not in self._searches:
                return {}  # it was taken out while the search was under way
            known = self._found.get(source)
            self._found[source] = tuple(products)
            changes = self._apply("it is not found any more")
            if known is None or [one.id for one in known] != [one.id for one in products]:
                self._state.save_discovered_products(source, products)
            return changes

    def _apply(self, why: str) -> Mapping[str, int]:
        before, after = self._products, monitored_products(self._settings, self._found, self._shard)
        self._products = after
        added = [monitored for product_id, monitored in after.items() if product_id not in before]
        removed = [before[product_id] for product_id in before if product_id not in after]
        changed = [after[one] for one in after if one in before and after[one] != before[one]]
        for monitored in removed:
            self._remove(monitored, why)
        for monitored in added:
            self._restore(monitored)
            if self._running:
                self._scheduler.add(monitored.product.id, monitored.interval)
            self._tell(EventName.ADDED, monitored, source=monitored.source)
        for monitored in changed:
            if monitored.interval != before[monitored.product.id].interval:
                self._scheduler.add(monitored.product.id, monitored.interval)
            self._metrics.update(self._poller.named(monitored))
        return {"added": len(added), "removed": len(removed), "changed": len(changed)}

    def _restore(self, monitored: MonitoredProduct) -> None:
        try:
            restored = self._poller.restore(monitored)
        except StateError as error:
            self._on_state_error(error)
            restored = False
        if not restored:
            self._waited_for.add(monitored.product.id)

    def _remove(self, monitored: MonitoredProduct, why: str) -> None:
        named = self._poller.named(monitored)
        self._scheduler.remove(monitored.product.id)
        self._poller.forget(monitored.product.id)
        self._metrics.remove(monitored.product.id)
        self._waited_for.discard(monitored.product.id)
        self._tell(EventName.REMOVED, named, message=why)

    def _schedule_searches(self) -> None:
        wanted = {
            source.name: source.discover.interval for source in self._settings.sources if source.discover is not None
        }
        for source in _gone(self._searches, wanted):
            self._scheduler.remove(DISCOVER + source)
            self._waited_for.discard(DISCOVER + source)
        for source, interval in wanted.items():
            if self._searches.get(source) != interval:
                if source not in self._searches:
                    self._waited_for.add(DISCOVER + source)
                self._scheduler.add(DISCOVER + source, interval)
        self._searches = wanted

    def _tell(self, event: EventName, monitored: MonitoredProduct, **fields: Any) -> None:
        self._log.event(
            LogLevel.INFO,
            event,
            provisioned_product_id=monitored.product.id,
            provisioned_product_name=monitored.product.name,
            **fields,
        )


def _gone(before: Iterable[str], after: Iterable[str]) -> list[str]:
    return [name for name in before if name not in after]
