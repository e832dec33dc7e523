"""Views without a daemon, and values to fill them with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from monitor.model.accepted import Acceptance, Unused
from monitor.model.diff import Transition
from monitor.model.instances import InstanceKey, InstanceState, Product, Snapshot, Status, count_statuses
from monitor.model.paging import Page, TransitionFilter, paginate
from monitor.model.views import ProductView, SourceView
from monitor.poller.protocols import StateError
from tests.making import BASELINE, EPOCH, detail


@dataclass
class FakeViews:
    """A `Views` of given values."""

    views: Sequence[ProductView] = ()
    found_sources: Sequence[SourceView] = ()
    history: Sequence[Transition] = field(default=())
    unused: Sequence[tuple[Acceptance, Unused]] = ()
    broken: str = ""
    """Why the state cannot be read."""

    def products(self) -> Sequence[ProductView]:
        """Return the products."""
        return self.views

    def product(self, product_id: str) -> ProductView | None:
        """Return one of them."""
        return next((view for view in self.views if view.product.id == product_id), None)

    def sources(self) -> Sequence[SourceView]:
        """Return the sources."""
        return self.found_sources

    def unused_entries(self) -> Sequence[tuple[Acceptance, Unused]]:
        """Return the entries without effect."""
        return self.unused

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Filter the history."""
        if self.broken:
            raise StateError(self.broken)
        found = [
            one
            for one in self.history
            if one.observed_at >= wanted.since
            and (not wanted.products or one.product.id in wanted.products)
            and (not wanted.accounts or one.account in wanted.accounts)
            and (not wanted.statuses or one.status in wanted.statuses)
        ]
        return paginate(
            found, lambda one: (-round(one.observed_at.timestamp() * 1000), one.product.id, *one.key), limit, cursor
        )


def product_view(
    statuses: Mapping[InstanceKey, Status | InstanceState] | None = None,
    product: Product = BASELINE,
    at: datetime = EPOCH,
    **fields: Any,
) -> ProductView:
    """Return a product whose last poll was complete and found these instances, by default since `at`; None: no poll."""
    if statuses is None:
        return ProductView(product, fields.pop("source", "default"), 300.0, **fields)
    states = {key: InstanceState(one, at) if isinstance(one, Status) else one for key, one in statuses.items()}
    defaults: dict[str, Any] = {
        "detail": detail(product=product),
        "polled_at": at,
        "seconds": 1.5,
        "next_poll_at": at + timedelta(seconds=300),
    }
    view = ProductView(product, fields.pop("source", "default"), 300.0, **defaults | fields)
    return view.with_snapshot(Snapshot(product.id, at, states, count_statuses(states.values())))


def source_view(name: str = "default", **fields: Any) -> SourceView:
    """Return a source without problems."""
    defaults: dict[str, Any] = {
        "region": "eu-west-1",
        "role_arn": None,
        "profile": None,
        "accounts": (),
        "calls_per_second": 10.0,
        "allowed_calls_per_second": 10.0,
        "used_calls_per_second": 1.25,
        "products": 1,
        "failing": 0,
        "failure": None,
        "discovery": None,
    }
    return SourceView(name, **defaults | fields)
