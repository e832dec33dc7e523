"""One product: its numbers, its published snapshot, and the bytes rendered from both."""

import threading
from collections.abc import Mapping

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.detail_lines import detail_lines
from monitor.metrics.families import Family, product_labels
from monitor.metrics.instance_blocks import Blocks, InstanceRenderer
from monitor.metrics.product_metrics import ProductMetrics
from monitor.model.accepted import Acceptance
from monitor.model.details import StackSetDetails
from monitor.model.diff import Change
from monitor.model.errors import Reason
from monitor.model.instances import Snapshot
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct


class SeriesBudget:
    """Divides `metrics.max_instance_series` among the products, first come, first served. Thread-safe."""

    def __init__(self, options: SeriesOptions, accepted: tuple[Acceptance, ...]) -> None:
        """Start with all series unused. `accepted` is what the configuration accepts."""
        self.options = options
        self.accepted = accepted
        self._lock = threading.Lock()
        self._used = 0

    def reserve(self, wanted: int, *, held: int) -> int:
        """Exchange `held` series for up to `wanted` ones, and return how many those are."""
        with self._lock:
            others = self._used - held
            granted = min(wanted, max(0, self.options.max_instance_series - others))
            self._used = others + granted
            return granted


class ProductSeries:
    """One product. The caller of any method holds `lock`."""

    def __init__(self, monitored: MonitoredProduct, budget: SeriesBudget) -> None:
        """Start with a product that was never polled."""
        self.lock = threading.Lock()
        """Held while the product is rendered, which takes seconds for 1,000,000 instances. No scrape waits for it."""
        self.monitored = monitored
        self._budget = budget
        self._metrics = ProductMetrics(monitored.interval, monitored.source)
        self._snapshot: Snapshot | None = None
        self._details: StackSetDetails | None = None
        self.blocks: Blocks = ()
        """The rendered instances of the published snapshot."""
        self._held = 0
        """Series that the budget reserved for this product."""
        self._prepare()

    def restored(self, stored: StoredProduct, *, stale: bool) -> None:
        """Publish a product from the state; without its snapshot if it is stale or AWS no longer knows the product."""
        if not stored.missing:
            self._metrics.detail = stored.detail
        if stored.snapshot is not None:
            self._metrics.last_success = stored.snapshot.observed_at.timestamp()
            if not stored.missing and not stale:
                self._details = stored.details
                self._show(stored.snapshot, None)

    def completed(self, poll: CompletedPoll) -> None:
        """Replace the snapshot by that of a completed poll."""
        self._metrics.record_completed(poll)
        self._details = poll.details
        self._show(poll.change.snapshot, poll.change)

    def failed(self, poll: FailedPoll) -> None:
        """Count a failed poll. The last snapshot stays, unless AWS does not know the product."""
        self._metrics.record_failed(poll)
        if poll.error.reason is Reason.NOT_FOUND:
            self.withdraw()

    def skipped(self, reason: str, count: int) -> None:
        """Count polls that were due and did not take place."""
        self._metrics.skipped[reason] += count

    def withdraw(self) -> bool:
        """Withdraw the snapshot and return its series to the budget; return whether there was one."""
        withdrawn = self._snapshot is not None
        self._held = self._budget.reserve(0, held=self._held)
        self._snapshot, self.blocks = None, ()
        self._metrics.counts, self._metrics.dropped = None, 0
        return withdrawn

    def follow(self, monitored: MonitoredProduct, budget: SeriesBudget) -> None:
        """Adopt another name, interval or source, and other options. The published snapshot is rendered again."""
        renamed = monitored.product != self.monitored.product
        self.monitored = monitored
        self._metrics.interval, self._metrics.source = monitored.interval, monitored.source
        if budget is not self._budget:
            self._held = 0
        elif not renamed:
            return
        self._budget = budget
        self._prepare()
        if self._snapshot is not None:
            self._show(self._snapshot, None)

    def lines(self) -> Mapping[Family, bytes]:
        """Return the lines of all families but those of the instances."""
        details = detail_lines(
            self._labels,
            self.monitored.product,
            self._snapshot,
            self._details,
            self._budget.accepted,
            self._budget.options.instance_series,
        )
        return {**self._metrics.lines(self._labels), **details}

    def _prepare(self) -> None:
        self._labels = product_labels(self.monitored.product)
        self._renderer = InstanceRenderer(self.monitored.product, self._budget.options)

    def _show(self, snapshot: Snapshot, change: Change | None) -> None:
        """Render a snapshot; only the changed instances if `change` starts from the snapshot that is published."""
        previous, self._snapshot = self._snapshot, snapshot
        complete = self._metrics.dropped == 0
        wanted = sum(self._renderer.series_of(status) * count for status, count in snapshot.counts.items())
        self._held = self._budget.reserve(wanted, held=self._held)
        self._metrics.counts, self._metrics.dropped = snapshot.counts, 0
        if self._held < wanted:
            states, self._metrics.dropped = self._renderer.fitting(snapshot.states, self._held)
            self.blocks = self._renderer.blocks(states)
        elif not (change and complete and previous and change.previous and previous.states is change.previous.states):
            self.blocks = self._renderer.blocks(snapshot.states)
        elif snapshot.states is not previous.states:
            changed = (transition.key for transition in change.transitions)
            self.blocks = self._renderer.updated(self.blocks, changed, snapshot.states)
