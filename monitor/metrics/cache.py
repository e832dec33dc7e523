"""The metrics cache: the responses to `/metrics`, rendered when a product changes instead of on each scrape.

A poll renders its product on its own thread and then replaces the rendered product in one step. So a scrape finds
exactly one snapshot of each product.
"""

import threading
import time
from collections.abc import Callable, Iterator

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.chunk import EMPTY, Chunk, Exposition
from monitor.metrics.families import INSTANCE_SINCE, INSTANCE_STATUS, PRODUCT_FAMILIES
from monitor.metrics.instance_blocks import Blocks
from monitor.metrics.product_families import Lines, ProductFamilies
from monitor.metrics.product_series import ProductSeries, SeriesBudget
from monitor.model.accepted import Acceptance
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct

# How long the metrics of the monitor itself are cached. Rendering them takes 1 ms, and 100 ms with fifty sources.
REGISTRY_SECONDS = 0.5


class MetricsCache:
    """The `Publisher` of the polls and the source of `/metrics`. Safe to use from several threads."""

    def __init__(
        self,
        options: SeriesOptions,
        render_registry: Callable[[bool], bytes],
        accepted: tuple[Acceptance, ...] = (),
        owns: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Start without products. `render_registry(openmetrics)` returns the metrics of the monitor itself.

        `accepted`: the instances that the configuration accepts. A product that another process `owns` is not added.
        """
        self._owns = owns
        self._budget = SeriesBudget(options, accepted)
        self._registry = RegistryCache(render_registry)
        self._lock = threading.Lock()
        self._products: dict[str, ProductSeries] = {}
        self._blocks: dict[str, Blocks] = {}
        """The published instances of each product."""
        self._families = ProductFamilies()
        self._instances: tuple[Chunk, Chunk] | None = None
        """The published instances of all products, concatenated at the next scrape after a change."""
        self._expositions: dict[bool, tuple[Chunk, Exposition]] = {}
        """The current responses by format, each with the registry that it contains."""
        self._headers = {
            openmetrics: {
                family: Chunk.compress(family.header(openmetrics=openmetrics))
                for family in (INSTANCE_STATUS, INSTANCE_SINCE, *PRODUCT_FAMILIES)
            }
            for openmetrics in (False, True)
        }

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool = False) -> None:
        """Publish a product from the state, without its snapshot if that is `stale`."""
        self._render(self._added(monitored), lambda product: product.restored(stored, stale=stale), monitored)

    def completed(self, poll: CompletedPoll) -> None:
        """Publish the snapshot of a completed poll in place of the last one."""
        self._render(self._added(poll.monitored), lambda product: product.completed(poll), poll.monitored)

    def failed(self, poll: FailedPoll) -> None:
        """Publish that a poll failed. The last snapshot stays, unless AWS does not know the product."""
        self._render(self._added(poll.monitored), lambda product: product.failed(poll), poll.monitored)

    def skipped(self, monitored: MonitoredProduct, reason: str, count: int = 1) -> None:
        """Count polls that were due and did not take place; nothing for a product that was never published."""
        self._render(self._known(monitored.product.id), lambda product: product.skipped(reason, count), monitored)

    def update(self, monitored: MonitoredProduct) -> None:
        """Publish a product with another name, interval or source; nothing if it was never published."""
        self._render(self._known(monitored.product.id), lambda _: None, monitored)

    def withdraw(self, product_id: str) -> bool:
        """Withdraw the snapshot of a product because it is stale, and return whether there was one to withdraw."""
        return bool(self._render(self._known(product_id), ProductSeries.withdraw))

    def configure(self, options: SeriesOptions, accepted: tuple[Acceptance, ...] = ()) -> None:
        """Publish the series that other options select, of all products, and which instances are `accepted` now."""
        if (options, accepted) == (self._budget.options, self._budget.accepted):
            return
        self._budget = SeriesBudget(options, accepted)
        with self._lock:
            products = list(self._products.values())
        for product in products:
            self._render(product, lambda _: None)

    def remove(self, product_id: str) -> None:
        """Remove a product that is no longer monitored. The poller publishes nothing of it after this."""
        with self._lock:
            product = self._products.pop(product_id, None)
            if product is None:
                return
            self._families.remove(product_id)
            self._blocks.pop(product_id, None)
            self._instances = None
            self._expositions.clear()
        with product.lock:
            product.withdraw()

    def exposition(self, *, openmetrics: bool) -> Exposition:
        """Return the response to a scrape; the same object until something changes."""
        registry = self._registry.chunk(openmetrics=openmetrics)
        with self._lock:
            known, exposition = self._expositions.get(openmetrics, (None, None))
            if exposition is None or known is not registry:
                exposition = Exposition([*self._product_chunks(openmetrics=openmetrics), registry])
                self._expositions[openmetrics] = registry, exposition
            return exposition

    def _product_chunks(self, *, openmetrics: bool) -> Iterator[Chunk]:
        if self._instances is None:
            blocks = [block for product_blocks in self._blocks.values() for block in product_blocks]
            self._instances = (
                Chunk.concatenate(block.status for block in blocks),
                Chunk.concatenate(block.since for block in blocks),
            )
        headers = self._headers[openmetrics]
        for family, chunk in zip((INSTANCE_STATUS, INSTANCE_SINCE), self._instances, strict=True):
            yield headers[family]
            yield chunk
        for family, chunk in self._families.chunks().items():
            yield headers[family]
            yield chunk

    def _known(self, product_id: str) -> ProductSeries | None:
        with self._lock:
            return self._products.get(product_id)

    def _added(self, monitored: MonitoredProduct) -> ProductSeries | None:
        with self._lock:
            product = self._products.get(monitored.product.id)
            # A lease is given up first, and its products are removed after that, which waits for this lock: what is
            # added before is removed, and nothing is added later.
            if product is None and self._owns(monitored.product.id):
                product = self._products[monitored.product.id] = ProductSeries(monitored, self._budget)
            return product

    def _render(
        self,
        product: ProductSeries | None,
        update: Callable[[ProductSeries], bool | None],
        monitored: MonitoredProduct | None = None,
    ) -> bool | None:
        """Update a product, render it on this thread, publish it, and return the result of the update."""
        if product is None:
            return None
        with product.lock:
            product.follow(monitored or product.monitored, self._budget)
            result = update(product)
            lines = product.lines()
            with self._lock:
                product_id = product.monitored.product.id
                if self._products.get(product_id) is product:  # it was not removed meanwhile
                    self._publish(product_id, lines, product.blocks)
            return result

    def _publish(self, product_id: str, lines: Lines, blocks: Blocks) -> None:
        if self._blocks.get(product_id) is not blocks:
            self._blocks[product_id] = blocks
            self._instances = None
        self._families.put(product_id, lines)
        self._expositions.clear()


class RegistryCache:
    """Caches the rendered registry in both formats. Safe to use from several threads."""

    def __init__(self, render: Callable[[bool], bytes], clock: Callable[[], float] = time.monotonic) -> None:
        """Cache the result of `render(openmetrics)`."""
        self._render = render
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: dict[bool, tuple[Chunk, float]] = {}

    def chunk(self, *, openmetrics: bool) -> Chunk:
        """Return the rendered registry; the same object as long as it is cached."""
        with self._lock:
            cached, expires = self._cached.get(openmetrics, (EMPTY, 0.0))
            now = self._clock()
            if now >= expires:
                cached = Chunk.compress(self._render(openmetrics))
                self._cached[openmetrics] = cached, now + REGISTRY_SECONDS
            return cached
