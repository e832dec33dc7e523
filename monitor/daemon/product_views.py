"""The views of the products: a `Publisher` beside the metrics."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from monitor.config.settings import MonitoredProduct
from monitor.model.accepted import Acceptance, accepted_instances
from monitor.model.errors import Reason
from monitor.model.views import PollFailure, ProductView
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct


class ProductViews:
    """The view of each monitored product. A reader finds exactly one snapshot of each. Safe to use from many threads.

    The poller publishes the results of one product one after the other; `update` may be called in between.
    """

    def __init__(
        self,
        next_poll_at: Callable[[str], datetime | None],
        accepted: Sequence[Acceptance] = (),
        owns: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Start without products.

        `next_poll_at` returns when the next poll of a product is due, `accepted` is what the configuration accepts.
        A product that another process `owns` is not added.
        """
        self._owns = owns
        self._next_poll_at = next_poll_at
        self._accepted = accepted
        self._lock = threading.Lock()
        self._views: dict[str, ProductView] = {}

    def all(self) -> Sequence[ProductView]:
        """Return the view of every product."""
        with self._lock:
            return list(self._views.values())

    def get(self, product_id: str) -> ProductView | None:
        """Return the view of a product; None if it was never published."""
        return self._views.get(product_id)

    def configure(self, accepted: Sequence[Acceptance]) -> None:
        """Accept other stack instances from now on."""
        with self._lock:
            self._accepted = accepted
            self._views = {product_id: _with_accepted(view, accepted) for product_id, view in self._views.items()}

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Show a product from the state, before its first poll."""
        view = _new(monitored).with_snapshot(None if stored.missing else stored.snapshot)
        self._publish(
            view,
            monitored,
            detail=None if stored.missing else stored.detail,
            status_since=None if stored.missing else stored.status_since,
            details=None if stored.missing else stored.details,
            missing=stored.missing,
            stale=stale and not stored.missing,
            polled_at=stored.snapshot.observed_at if stored.snapshot else None,
        )

    def completed(self, poll: CompletedPoll) -> None:
        """Show the snapshot of a completed poll in place of the last one."""
        snapshot, description = poll.change.snapshot, poll.description
        self._publish(
            self._known(poll.monitored).with_snapshot(snapshot),
            poll.monitored,
            detail=description.detail if description else None,
            status_since=description.status_since if description else None,
            missing=False,
            stale=False,
            polled_at=snapshot.observed_at,
            seconds=poll.seconds,
            failure=None,
            details=poll.details,
        )

    def failed(self, poll: FailedPoll) -> None:
        """Show that a poll failed. The last snapshot stays, unless AWS does not know the product."""
        view, error = self._known(poll.monitored), poll.error
        if error.reason is Reason.NOT_FOUND:
            view = replace(view.with_snapshot(None), missing=True, stale=False, detail=None, status_since=None)
        elif poll.description is not None:
            view = replace(view, detail=poll.description.detail, status_since=poll.description.status_since)
        failure = PollFailure(error.reason, error.error_code, error.message, poll.observed_at)
        self._publish(view, poll.monitored, seconds=poll.seconds, failure=failure)

    def withdraw(self, product_id: str) -> None:
        """Mark the snapshot of a product as stale."""
        with self._lock:
            view = self._views.get(product_id)
            if view is not None and view.snapshot is not None:
                self._views[product_id] = replace(view, stale=True)

    def update(self, monitored: MonitoredProduct) -> None:
        """Show another name, interval or source of a product; nothing if it was never published."""
        next_poll_at = self._next_poll_at(monitored.product.id)
        with self._lock:
            view = self._views.get(monitored.product.id)
            if view is not None:
                self._views[monitored.product.id] = replace(view, **_settings(monitored), next_poll_at=next_poll_at)

    def remove(self, product_id: str) -> None:
        """Remove a product that is not monitored any more."""
        with self._lock:
            self._views.pop(product_id, None)

    def _known(self, monitored: MonitoredProduct) -> ProductView:
        return self._views.get(monitored.product.id) or _new(monitored)

    def _publish(self, view: ProductView, monitored: MonitoredProduct, **fields: Any) -> None:
        next_poll_at = self._next_poll_at(view.product.id)  # may wait for the scheduler, so before the lock
        view = replace(view, **_settings(monitored), **fields, next_poll_at=next_poll_at)
        with self._lock:
            # As in the metrics: a lease is given up before the views of its products are removed.
            if view.product.id in self._views or self._owns(view.product.id):
                self._views[view.product.id] = _with_accepted(view, self._accepted)


def _with_accepted(view: ProductView, entries: Sequence[Acceptance]) -> ProductView:
    """Return the view with what is accepted on the day of its snapshot, as the metrics do it."""
    if view.snapshot is None:
        return view
    today = view.snapshot.observed_at.date()
    return replace(view, accepted=accepted_instances(entries, view.product, view.states, view.non_current, today))


def _new(monitored: MonitoredProduct) -> ProductView:
    return ProductView(**_settings(monitored))


def _settings(monitored: MonitoredProduct) -> dict[str, Any]:
    return {"product": monitored.product, "source": monitored.source, "interval": monitored.interval}
