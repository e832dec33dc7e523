"""What the pages and the API show of this daemon: the `Views` of monitor.web."""

from collections.abc import Callable, Sequence

from monitor.config.settings import Settings, SourceSettings
from monitor.daemon.discovery import Discovery
from monitor.daemon.product_views import ProductViews
from monitor.daemon.protocols import TransitionHistory
from monitor.daemon.sources import Sources
from monitor.model.accepted import Acceptance, Unused
from monitor.model.diff import Transition
from monitor.model.paging import Page, TransitionFilter
from monitor.model.views import DiscoveryView, ProductView, SourceView


class DaemonViews:
    """The products, sources and transitions of this process."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        product_views: ProductViews,
        sources: Sources,
        discovery: Discovery,
        history: TransitionHistory,
        unused_entries: Callable[[], Sequence[tuple[Acceptance, Unused]]],
    ) -> None:
        """Show the sources of the present `settings`."""
        self._settings = settings
        self._product_views = product_views
        self._sources = sources
        self._discovery = discovery
        self._history = history
        self._unused_entries = unused_entries

    def products(self) -> Sequence[ProductView]:
        """Return every product that was published."""
        return self._product_views.all()

    def product(self, product_id: str) -> ProductView | None:
        """Return a product; None if it is not monitored."""
        return self._product_views.get(product_id)

    def sources(self) -> Sequence[SourceView]:
        """Return every source of the configuration."""
        views: dict[str, list[ProductView]] = {}
        for view in self.products():
            views.setdefault(view.source, []).append(view)
        return [self._source(settings, views.get(settings.name, ())) for settings in self._settings().sources]

    def unused_entries(self) -> Sequence[tuple[Acceptance, Unused]]:
        """Return the entries of `accepted` that accept nothing."""
        return self._unused_entries()

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of the stored transitions, the newest first. Raises `StateError`, `CursorError`."""
        return self._history.transitions(wanted, limit, cursor)

    def _source(self, settings: SourceSettings, views: Sequence[ProductView]) -> SourceView:
        failures = [view.failure for view in views if view.failure]
        allowed, used = self._sources.call_rates(settings.name)
        return SourceView(
            name=settings.name,
            region=settings.region,
            role_arn=settings.role_arn,
            profile=settings.profile,
            accounts=tuple(sorted({view.detail.account for view in views if view.detail and view.detail.account})),
            calls_per_second=settings.calls_per_second,
            allowed_calls_per_second=settings.calls_per_second if allowed is None else allowed,
            used_calls_per_second=used,
            products=len(views),
            failing=len(failures),
            failure=max(failures, key=lambda failure: failure.at, default=None),
            discovery=self._search(settings),
        )

    def _search(self, settings: SourceSettings) -> DiscoveryView | None:
        discover = settings.discover
        if discover is None:
            return None
        last = self._discovery.last(settings.name)
        return DiscoveryView(
            discover.interval, discover.names, discover.tags, last.searched_at, last.found, last.failure
        )
