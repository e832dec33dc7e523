"""One product on the metrics: what was counted of it, and the lines of its instances."""

import threading
from collections.abc import Mapping

from monitor.config.settings import MonitoredProduct, SeriesOptions
from monitor.metrics.blocks import Blocks, Writer, within_room
from monitor.metrics.product_metrics import ProductMetrics
from monitor.metrics.text import product_labels
from monitor.model.diff import Change
from monitor.model.instances import InstanceKey, InstanceState, Snapshot


class ProductSeries:
    """What the metrics keeps of one product."""

    def __init__(self, monitored: MonitoredProduct, options: SeriesOptions) -> None:
        """Show nothing of it yet."""
        self.lock = threading.Lock()
        """Held while the entry is worked on. The metrics's own lock is only held for a moment, so that
        no scrape waits until a large product is written."""
        self.product = monitored.product
        self.product_id = monitored.product.id
        self.labels = product_labels(monitored.product)
        self.writer = Writer(monitored.product, options)
        self.tally = ProductMetrics(monitored.interval, monitored.source)
        self.blocks: Blocks | None = None
        self.states: Mapping[InstanceKey, InstanceState] | None = None
        """What the blocks show; None where they do not show a whole snapshot."""
        self.snapshot: Snapshot | None = None
        """None where none is shown."""
        self.series = 0
        self.shown: Blocks | None = None
        """What a scrape sees."""

    def follow(self, monitored: MonitoredProduct, options: SeriesOptions) -> None:
        """Take another name, interval or source over. The lock is held."""
        self.tally.interval, self.tally.source = monitored.interval, monitored.source
        if monitored.product != self.product:
            self.product = monitored.product
            self.labels = product_labels(monitored.product)
            states = self.states
            self.write_anew(options)
            if states is not None:
                self.blocks, self.states = Blocks(self.writer, states), states

    def write_anew(self, options: SeriesOptions) -> None:
        """Let the next snapshot be written as a whole. The lock is held."""
        self.writer = Writer(self.product, options)
        self.states = None

    def wanted(self, snapshot: Snapshot) -> int:
        """Return how many series a snapshot has."""
        return sum(self.writer.series_of(status) * count for status, count in snapshot.counts.items())

    def show(self, snapshot: Snapshot, change: Change | None, room: int) -> None:
        """Write what a snapshot shows, in so many series at most; only what changed, where that is known."""
        self.tally.counts, self.snapshot = snapshot.counts, snapshot
        if self.wanted(snapshot) > room:
            kept, self.tally.dropped = within_room(self.writer, snapshot.states, room)
            self.blocks, self.states = Blocks(self.writer, kept), None
            return
        self.tally.dropped = 0
        if self.blocks is not None and snapshot.states is self.states:
            return
        if (
            self.blocks is not None
            and change is not None
            and change.previous is not None
            and change.previous.states is self.states
        ):
            self.blocks = self.blocks.changed((t.key for t in change.transitions), snapshot.states)
        else:
            self.blocks = Blocks(self.writer, snapshot.states)
        self.states = snapshot.states

    def hide(self) -> None:
        """Show no snapshot."""
        self.blocks = self.states = self.snapshot = self.tally.counts = None
        self.series = self.tally.dropped = 0
