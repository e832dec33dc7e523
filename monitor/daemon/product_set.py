"""The products that are monitored now: listed in the configuration or discovered."""

import gc
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct, Settings, SourceSettings
from monitor.daemon.protocols import DiscoveryStore, EventLog, JobSchedule, Owner, ProductMetrics, ProductPoller
from monitor.events.names import EventName
from monitor.model.instances import Product
from monitor.model.shard import Shard
from monitor.poller.protocols import NotOwnerError, StateError
from monitor.schedule.workers import DiscoveryJob, Job, PollJob


@dataclass(frozen=True, slots=True)
class Search:
    """A search that is to be made: where, and what its result is compared with."""

    source: SourceSettings
    known: Sequence[Product]
    """The products of the last accepted search."""
    confirm_shrink: float


@dataclass(frozen=True, slots=True)
class ProductChanges:
    """How many products came, went and changed."""

    added: int = 0
    removed: int = 0
    changed: int = 0


class ProductSet:
    """The monitored products. Keeps the schedule, the metrics and the poller in step with them. Thread-safe."""

    def __init__(
        self,
        settings: Settings,
        shard: Shard,
        *,
        store: DiscoveryStore,
        poller: ProductPoller,
        metrics: ProductMetrics,
        schedule: JobSchedule,
        log: EventLog,
        on_state_error: Callable[[StateError], None],
        owner: Owner | None = None,
    ) -> None:
        """Create a set without products; `restore` fills it. `owner` has the products of `shard` by default."""
        self._settings = settings
        self._shard = shard
        self._owner = owner or shard
        self._store = store
        self._poller = poller
        self._metrics = metrics
        self._schedule = schedule
        self._log = log
        self._on_state_error = on_state_error
        self._lock = threading.RLock()
        self._discovered: dict[str, Sequence[Product]] = {}
        self._products: Mapping[str, MonitoredProduct] = {}
        self._searched: Mapping[str, SourceSettings] = {}
        """The sources with `discover`, by name."""
        self._first_runs: set[Job] = set()
        """The jobs that have to end once before the daemon is ready."""
        self._ready = False

    @property
    def products(self) -> Mapping[str, MonitoredProduct]:
        """The monitored products by id; a new mapping after each change."""
        return self._products

    def get(self, product_id: str) -> MonitoredProduct | None:
        """Return a product under the name that it is published under; None if it is not monitored.

        Takes no lock of this object: the scheduler calls it while `add` may wait for the scheduler.
        """
        monitored = self._products.get(product_id)
        return None if monitored is None else self._poller.named(monitored)

    def ready(self) -> bool:
        """Return whether every product was restored or polled, and every source searched, once; then True for ever."""
        return self._ready

    def ended(self, job: Job) -> None:
        """Note that a job ended, with whatever outcome."""
        with self._lock:
            self._first_runs.discard(job)
            self._update_ready()

    def log_stale(self, product_id: str, age: float) -> None:
        """Log that the snapshot of a product, `age` seconds old, is not published any more."""
        if monitored := self.get(product_id):
            self._log_product(EventName.STALE, monitored, LogLevel.WARNING, snapshot_age_seconds=round(age, 3))

    def restore(self, stop: threading.Event) -> None:
        """Load every product that was monitored before from the state, publish it, and schedule it and every search."""
        with self._lock:
            for name in searched_sources(self._settings):
                try:
                    self._discovered[name] = self._store.discovered_products(name)
                except StateError as error:
                    self._on_state_error(error)
            if self._shard.total > 1:
                try:
                    self._store.delete_products(lambda product_id: not self._shard.owns(product_id))
                except StateError as error:
                    self._on_state_error(error)
            self._products = monitored_products(self._settings, self._discovered, self._owner)
            for monitored in self._products.values():
                if stop.is_set():
                    return
                self._add(monitored)
            self._schedule_searches()
        # A full garbage collection reads every object. With 1,000,000 stored instances it took some 70 ms, which one in
        # a hundred requests of the pages and the API met. It never reads frozen objects; they are freed as others.
        gc.collect()
        gc.freeze()

    def configure(self, settings: Settings) -> ProductChanges:
        """Apply other settings. The sources must be opened with them before: a search reads from the new ones."""
        with self._lock:
            self._settings = settings
            self._schedule_searches()
            self._discovered = {name: found for name, found in self._discovered.items() if name in self._searched}
            return self._apply("it is not configured any more")

    def search_of(self, source: str) -> Search | None:
        """Return the search to make in a source; None if it has no `discover` (any more)."""
        with self._lock:
            settings = self._searched.get(source)
            if settings is None:
                return None
            return Search(settings, self._discovered.get(source, ()), self._settings.poll.confirm_shrink)

    def current(self, search: Search) -> bool:
        """Return whether the settings of the source are still those of a search."""
        return self._searched.get(search.source.name) == search.source

    def discovered(self, search: Search, products: Sequence[Product]) -> ProductChanges | None:
        """Accept the result of a search; return None if the settings of the source changed meanwhile."""
        name = search.source.name
        with self._lock:
            if not self.current(search):
                return None
            self._discovered[name] = products
            changes = self._apply("it is not found any more")
            try:  # also if nothing has changed: the last time may have failed, and a search is rare
                self._store.save_discovered_products(name, products)
            except StateError as error:
                self._on_state_error(error)
            return changes

    def reassign(self, lost: Callable[[str], bool]) -> None:
        """Follow the owner, which changed. Products that were `lost` meanwhile are loaded again if they returned."""
        with self._lock:
            for monitored in self._products.values():
                if lost(monitored.product.id):
                    self._remove(monitored, None)
            self._products = {key: value for key, value in self._products.items() if not lost(key)}
            self._apply(None)

    def _apply(self, why_removed: str | None) -> ProductChanges:
        """Bring everything in step with the settings; without `why_removed`, no event says so."""
        before, after = self._products, monitored_products(self._settings, self._discovered, self._owner)
        self._products = after
        added = [monitored for product_id, monitored in after.items() if product_id not in before]
        removed = [before[product_id] for product_id in before if product_id not in after]
        changed = [now for product_id, now in after.items() if product_id in before and now != before[product_id]]
        for monitored in removed:
            self._remove(monitored, why_removed)
        for monitored in added:
            self._add(monitored)
            if why_removed is not None:
                self._log_product(EventName.ADDED, monitored, source=monitored.source)
        for monitored in changed:
            if monitored.interval != before[monitored.product.id].interval:
                self._schedule.add(PollJob(monitored.product.id), monitored.interval)
            self._metrics.update(self._poller.named(monitored))
        return ProductChanges(len(added), len(removed), len(changed))

    def _add(self, monitored: MonitoredProduct) -> None:
        job = PollJob(monitored.product.id)
        try:
            restored = self._poller.restore(monitored)
        except NotOwnerError:
            restored = False  # it was lost meanwhile, and `reassign` follows
        except StateError as error:
            self._on_state_error(error)
            restored = False
        if not restored:
            self._first_runs.add(job)
            if (age := self._poller.snapshot_age(monitored.product.id)) is not None:
                self.log_stale(monitored.product.id, age)
        self._schedule.add(job, monitored.interval)

    def _remove(self, monitored: MonitoredProduct, why: str | None) -> None:
        named = self._poller.named(monitored)
        job = PollJob(monitored.product.id)
        self._schedule.remove(job)
        self._poller.forget(monitored.product.id)
        self._metrics.remove(monitored.product.id)
        self._first_runs.discard(job)
        self._update_ready()
        if why is not None:
            self._log_product(EventName.REMOVED, named, message=why)

    def _schedule_searches(self) -> None:
        """Make the searches of new and changed sources due now, and remove those of other sources."""
        before, self._searched = self._searched, searched_sources(self._settings)
        for name in before.keys() - self._searched.keys():
            self._schedule.remove(DiscoveryJob(name))
            self._first_runs.discard(DiscoveryJob(name))
        for name, source in self._searched.items():
            if name not in before:
                self._first_runs.add(DiscoveryJob(name))
            if source != before.get(name) and source.discover is not None:
                self._schedule.add(DiscoveryJob(name), source.discover.interval)
        self._update_ready()

    def _update_ready(self) -> None:
        # Once ready, always ready: a pod must not leave its Service because a product was added.
        self._ready = self._ready or not self._first_runs

    def _log_product(
        self, event: EventName, monitored: MonitoredProduct, level: LogLevel = LogLevel.INFO, **fields: Any
    ) -> None:
        self._log.event(
            level,
            event,
            provisioned_product_id=monitored.product.id,
            provisioned_product_name=monitored.product.name,
            **fields,
        )


def monitored_products(
    settings: Settings, found: Mapping[str, Sequence[Product]], owner: Owner
) -> Mapping[str, MonitoredProduct]:
    """Return the products of an owner by id: first the configured ones, with their own settings.

    `found` has the discovered products by source. A product that two sources find is read from the one that is
    configured first.
    """
    monitored = {configured.product.id: configured for configured in settings.products}
    for source in searched_sources(settings):
        for product in found.get(source, ()):
            discovered = MonitoredProduct(
                product=product,
                source=source,
                interval=settings.poll.interval,
                timeout=settings.poll.timeout,
                own_name=True,
                adaptive_timeout=settings.poll.adaptive_timeout,
            )
            monitored.setdefault(product.id, discovered)
    return {product_id: product for product_id, product in monitored.items() if owner.owns(product_id)}


def searched_sources(settings: Settings) -> Mapping[str, SourceSettings]:
    """Return the sources with `discover` by name."""
    return {source.name: source for source in settings.sources if source.discover is not None}
