"""The search for the products of a source. A failed search changes nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.config.settings import LogLevel
from monitor.daemon.product_set import ProductChanges, ProductSet, Search
from monitor.daemon.protocols import DiscoveryMetrics, EventLog, SearchableCatalog
from monitor.events.names import EventName
from monitor.model.deadline import Deadlines
from monitor.model.errors import PollFailedError
from monitor.model.instances import Product
from monitor.model.views import PollFailure
from monitor.poller.product_state import utc_now

# The deadline of one search. A page of it has 100 products.
SEARCH_SECONDS = 60.0
NOTHING_FOUND = "the search found no product: check discover.names, discover.tags and the permissions of the source"


@dataclass(frozen=True, slots=True)
class LastSearch:
    """How the searches of a source ended."""

    searched_at: datetime | None = None
    """When the last complete search ended."""
    found: int | None = None
    """The products that it found."""
    failure: PollFailure | None = None
    """Why the last search failed; None if it completed."""


class Discovery:
    """Searches sources for products. Safe to use from many threads, with one search of a source at a time."""

    def __init__(
        self,
        catalogs: Mapping[str, SearchableCatalog],
        product_set: ProductSet,
        deadlines: Deadlines,
        metrics: DiscoveryMetrics,
        log: EventLog,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Search `catalogs`, which are found by the name of their source, for `product_set`."""
        self._catalogs = catalogs
        self._product_set = product_set
        self._deadlines = deadlines
        self._metrics = metrics
        self._log = log
        self._now = now
        self._last: dict[str, LastSearch] = {}

    def last(self, source: str) -> LastSearch:
        """Return how the searches of a source ended."""
        return self._last.get(source, LastSearch())

    def search(self, source: str) -> None:
        """Search a source; again if its settings change meanwhile, since the result is that of the old ones.

        Raises:
            PollCancelledError: the monitor stops.
        """
        while (search := self._product_set.search_of(source)) and (catalog := self._catalogs.get(source)):
            try:
                products, invalid_items = self._confirmed(search, catalog)
            except PollFailedError as error:
                if self._product_set.current(search):
                    self._log_failure(source, error)
                    return
            else:
                if (changes := self._product_set.discovered(search, products)) is not None:
                    self._metrics.discovered(source, len(products), invalid_items)
                    self._log_success(source, len(products), changes)
                    return

    def _confirmed(self, search: Search, catalog: SearchableCatalog) -> tuple[Sequence[Product], int]:
        """Return the products that a search finds, and the number of items that it left out.

        If too many known products are missing, or one that may be among those items, return what either of two
        searches finds. The number of products says nothing: others may have taken the place of the missing ones.
        """
        found, invalid_items = self._find(catalog)
        missing = {product.id for product in search.known} - found.keys()
        if missing and (invalid_items or len(missing) > search.confirm_shrink * len(search.known)):
            again, invalid_items = self._find(catalog)
            found |= again
        return sorted(found.values(), key=lambda product: product.id), invalid_items

    def _find(self, catalog: SearchableCatalog) -> tuple[dict[str, Product], int]:
        with self._deadlines.running(SEARCH_SECONDS) as deadline:
            result = catalog.search(deadline)
        return {detail.id: Product(detail.id, detail.name) for detail in result.products}, result.invalid_items

    def _log_failure(self, source: str, error: PollFailedError) -> None:
        failure = PollFailure(error.reason, error.error_code, error.message, self._now())
        self._last[source] = replace(self.last(source), failure=failure)
        self._metrics.discovery_failed(source, error.reason)
        self._log.event(
            LogLevel.WARNING,
            EventName.DISCOVERY_FAILED,
            source=source,
            reason=str(error.reason),
            error_code=error.error_code,
            message=error.message,
        )

    def _log_success(self, source: str, products: int, changes: ProductChanges) -> None:
        recovered = self.last(source).failure is not None
        self._last[source] = LastSearch(self._now(), products)
        if not products or recovered:  # a recovery is as visible as the failure was
            level = LogLevel.WARNING
        else:
            level = LogLevel.INFO if changes.added or changes.removed else LogLevel.DEBUG
        self._log.event(
            level,
            EventName.DISCOVERY_COMPLETED,
            source=source,
            products=products,
            added=changes.added,
            removed=changes.removed,
            **({} if products else {"message": NOTHING_FOUND}),
        )
