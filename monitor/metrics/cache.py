"""The metrics: everything that `/metrics` shows, ready to be sent.

A poll swaps a product's blocks for others, so that a scrape finds exactly one snapshot of each product. What a
scrape sends is put together once after each change, and is the same object until the next.
"""

import threading
from collections.abc import Callable

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.families import INSTANCE_SINCE, INSTANCE_STATUS
from monitor.metrics.own import OwnMetrics
from monitor.metrics.pieces import Exposition, Section, part, piece
from monitor.metrics.product_families import ProductFamilies
from monitor.metrics.product_series import ProductSeries
from monitor.model.diff import Change
from monitor.model.errors import Reason, SkipReason
from monitor.model.instances import Snapshot
from monitor.poller.protocols import CompletedPoll, FailedPoll, StoredProduct


class MetricsCache:
    """The `Publisher` of the polls and the source of `/metrics`. Safe to use from many threads."""

    def __init__(self, options: SeriesOptions, own: Callable[[bool], bytes]) -> None:
        """Show the products that are published, and after them what `own(openmetrics)` renders for each scrape."""
        self._options = options
        self._own = OwnMetrics(own)
        self._lock = threading.Lock()
        self._entries: dict[str, ProductSeries] = {}
        self._removed: set[str] = set()
        self._summary = ProductFamilies()
        self._instances: Section | None = None
        """The instance series of all products; None after a change."""
        self._expositions: dict[bool, tuple[tuple[Section, ...], Exposition]] = {}
        # A gauge's header is the same in both formats.
        self._headers = {
            family: part([piece(family.header(openmetrics=False))]) for family in (INSTANCE_STATUS, INSTANCE_SINCE)
        }

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct) -> None:
        """Show a product from the state, before its first poll; without its snapshot where AWS lost it."""
        with self._lock:
            self._removed.discard(monitored.product.id)
        entry = self._entry(monitored)
        with entry.lock:
            entry.follow(monitored, self._options)
            if not stored.missing:
                entry.tally.detail = stored.detail
            if stored.snapshot is not None:
                entry.tally.last_success = stored.snapshot.observed_at.timestamp()
                if not stored.missing:
                    self._show(entry, stored.snapshot, None)
            self._swap(entry)

    def completed(self, poll: CompletedPoll) -> None:
        """Show a new snapshot in place of the last one."""
        entry = self._entry(poll.monitored)
        with entry.lock:
            entry.follow(poll.monitored, self._options)
            tally = entry.tally
            tally.up, tally.failing = True, None
            tally.detail = poll.description.detail if poll.description else None
            tally.polls += 1
            tally.duration = round(poll.seconds, 6)
            tally.pages = poll.listing.pages
            tally.last_success = poll.change.snapshot.observed_at.timestamp()
            tally.anomalies.update(poll.listing.anomalies)
            if poll.committed:
                tally.count(poll.change.transitions)
            self._show(entry, poll.change.snapshot, poll.change)
            self._swap(entry)

    def failed(self, poll: FailedPoll) -> None:
        """Show that a poll failed; the last snapshot stays, unless AWS does not know the product."""
        entry = self._entry(poll.monitored)
        with entry.lock:
            entry.follow(poll.monitored, self._options)
            tally = entry.tally
            tally.up, tally.failing = False, poll.error.reason
            if poll.description:
                tally.detail = poll.description.detail
            tally.polls += 1
            tally.duration = round(poll.seconds, 6)
            tally.failures[poll.error.reason] += 1
            if poll.error.reason is Reason.NOT_FOUND:
                tally.detail = None
                entry.hide()
            self._swap(entry)

    def skipped(self, monitored: MonitoredProduct, reason: SkipReason, count: int = 1) -> None:
        """Count polls that were due and did not take place."""
        entry = self._entry(monitored)
        with entry.lock:
            entry.follow(monitored, self._options)
            entry.tally.skipped[reason] += count
            self._swap(entry)

    def withdraw(self, product_id: str) -> bool:
        """Take the snapshot of a product away, because it is too old; return whether there was one."""
        with self._lock:
            entry = self._entries.get(product_id)
        if entry is None:
            return False
        with entry.lock:
            if entry.tally.counts is None:
                return False
            entry.hide()
            self._swap(entry)
            return True

    def update(self, monitored: MonitoredProduct) -> None:
        """Show a product under another name, or with another interval or source."""
        entry = self._entry(monitored)
        with entry.lock:
            entry.follow(monitored, self._options)
            self._swap(entry)

    def configure(self, options: SeriesOptions) -> None:
        """Show the series that other options ask for, of all products."""
        if options == self._options:
            return
        self._options = options
        with self._lock:
            entries = list(self._entries.values())
            for entry in entries:
                entry.series = 0  # the room is given out anew
        for entry in entries:
            with entry.lock:
                entry.write_anew(options)
                if entry.snapshot is not None:
                    self._show(entry, entry.snapshot, None)
                self._swap(entry)

    def remove(self, product_id: str) -> None:
        """Show a product no more that is not monitored any more."""
        with self._lock:
            self._removed.add(product_id)
            if self._entries.pop(product_id, None) is not None:
                self._summary.remove(product_id)
                self._instances = None
                self._expositions.clear()

    def outdated(self) -> None:
        """Let the next scrape show the monitor's own metrics as they are then."""
        self._own.outdated()

    def refresh(self) -> None:
        """Render the monitor's own metrics beside the scrapes; called again and again."""
        self._own.refresh()

    def exposition(self, *, openmetrics: bool) -> Exposition:
        """Return everything there is to show, ready to be sent."""
        own = self._own.section(openmetrics=openmetrics)
        with self._lock:
            sections = (self._all_instances(), self._summary.section(openmetrics=openmetrics), own)
            known, exposition = self._expositions.get(openmetrics, ((), None))
            if exposition is None or any(one is not other for one, other in zip(known, sections, strict=True)):
                exposition = Exposition(sections)
                self._expositions[openmetrics] = (sections, exposition)
            return exposition

    def _all_instances(self) -> Section:
        if self._instances is None:
            shown = [entry.shown for entry in self._entries.values() if entry.shown]
            self._instances = Section(
                [
                    self._headers[INSTANCE_STATUS],
                    *(blocks.status for blocks in shown),
                    self._headers[INSTANCE_SINCE],
                    *(blocks.since for blocks in shown),
                ]
            )
        return self._instances

    def _entry(self, monitored: MonitoredProduct) -> ProductSeries:
        with self._lock:
            if monitored.product.id in self._removed:
                return ProductSeries(monitored, self._options)  # its last poll ends: nobody sees that
            entry = self._entries.get(monitored.product.id)
            if entry is None:
                entry = self._entries[monitored.product.id] = ProductSeries(monitored, self._options)
            return entry

    def _show(self, entry: ProductSeries, snapshot: Snapshot, change: Change | None) -> None:
        wanted = entry.wanted(snapshot)
        with self._lock:
            others = sum(other.series for other in self._entries.values()) - entry.series
            room = max(0, self._options.max_instance_series - others)
            entry.series = min(wanted, room)
        entry.show(snapshot, change, room)

    def _swap(self, entry: ProductSeries) -> None:
        lines = entry.tally.lines(entry.labels)
        with self._lock:
            if self._entries.get(entry.product_id) is not entry:
                return  # it was removed while its poll ended
            if entry.shown is not entry.blocks:
                entry.shown = entry.blocks
                self._instances = None
                self._expositions.clear()
            self._summary.put(entry.product_id, lines)
