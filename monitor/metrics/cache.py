"""The metrics cache: the responses to `/metrics`, rendered when a product changes instead of on each scrape.

A poll renders its product on its own thread and then replaces the rendered product in one step. So a scrape finds
exactly one snapshot of each product.
"""

import threading
from collections.abc import Callable, Iterator

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.chunk import Chunk, Exposition
from monitor.metrics.families import INSTANCE_SINCE, INSTANCE_STATUS, PRODUCT_FAMILIES
from monitor.metrics.instance_blocks import Blocks
from monitor.metrics.product_families import ProductFamilies
from monitor.metrics.product_series import ProductSeries, RenderedProduct, SeriesBudget
from monitor.metrics.registry_cache import RegistryCache
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct

Update = Callable[[ProductSeries], RenderedProduct | None]


class MetricsCache:
    """The `Publisher` of the polls and the source of `/metrics`. Safe to use from several threads."""

    def __init__(self, options: SeriesOptions, render_registry: Callable[[bool], bytes]) -> None:
        """Start without products. `render_registry(openmetrics)` returns the metrics of the monitor itself."""
        self._budget = SeriesBudget(options)
        self._registry = RegistryCache(render_registry)
        self._lock = threading.Lock()
        self._products: dict[str, ProductSeries] = {}
        self._removed: set[str] = set()
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
        """Publish a product from the state, without its snapshot if that is `stale`. A removed product is back."""
        with self._lock:
            self._removed.discard(monitored.product.id)
        self._update(monitored, lambda product: product.restored(stored, stale=stale))

    def completed(self, poll: CompletedPoll) -> None:
        """Publish the snapshot of a completed poll in place of the last one."""
        self._update(poll.monitored, lambda product: product.completed(poll))

    def failed(self, poll: FailedPoll) -> None:
        """Publish that a poll failed. The last snapshot stays, unless AWS does not know the product."""
        self._update(poll.monitored, lambda product: product.failed(poll))

    def skipped(self, monitored: MonitoredProduct, reason: str, count: int = 1) -> None:
        """Count polls that were due and did not take place."""
        self._update(monitored, lambda product: product.skipped(reason, count))

    def update(self, monitored: MonitoredProduct) -> None:
        """Publish a product with another name, interval or source."""
        self._update(monitored, ProductSeries.rendered)

    def withdraw(self, product_id: str) -> bool:
        """Withdraw the snapshot of a product because it is stale, and return whether there was one to withdraw."""
        with self._lock:
            product = self._products.get(product_id)
        return product is not None and self._render(product, None, ProductSeries.withdrawn)

    def configure(self, options: SeriesOptions) -> None:
        """Publish the series that other options select, of all products."""
        if options == self._budget.options:
            return
        self._budget = SeriesBudget(options)
        with self._lock:
            products = list(self._products.values())
        for product in products:
            self._render(product, None, ProductSeries.rendered)

    def remove(self, product_id: str) -> None:
        """Remove a product that is no longer monitored; a poll of it that is still running changes nothing."""
        with self._lock:
            self._removed.add(product_id)
            product = self._products.pop(product_id, None)
            if product is not None:
                self._families.remove(product_id)
                self._blocks.pop(product_id, None)
                self._instances = None
                self._expositions.clear()
        if product is not None:
            with product.lock:
                product.remove()

    def registry_changed(self) -> None:
        """Make a change of the registry visible in the next scrape, without waiting for the end of its cache time."""
        self._registry.clear()

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

    def _update(self, monitored: MonitoredProduct, update: Update) -> None:
        """Publish a product after an update; nothing if it was removed."""
        product_id = monitored.product.id
        with self._lock:
            if product_id in self._removed:
                return
            product = self._products.get(product_id)
            if product is None:
                product = self._products[product_id] = ProductSeries(monitored, self._budget)
        self._render(product, monitored, update)

    def _render(self, product: ProductSeries, monitored: MonitoredProduct | None, update: Update) -> bool:
        """Render a product on this thread and publish it; return whether anything was published."""
        with product.lock:
            if product.removed:
                return False
            product.follow(monitored or product.monitored, self._budget)
            rendered = update(product)
            if rendered is None:
                return False
            with self._lock:
                self._publish(product, rendered)
            return True

    def _publish(self, product: ProductSeries, rendered: RenderedProduct) -> None:
        product_id = product.monitored.product.id
        if self._products.get(product_id) is not product:
            return  # it was removed while it was rendered
        if self._blocks.get(product_id) is not rendered.blocks:
            self._blocks[product_id] = rendered.blocks
            self._instances = None
        self._families.put(product_id, rendered.lines)
        self._expositions.clear()
