"""One product on the board: what was counted of it, and the lines of its instances."""

import threading
from collections.abc import Mapping

from monitor.configuration.settings import SeriesOptions, WatchedProduct
from monitor.exposition.blocks import Blocks, Writer, within_room
from monitor.exposition.tally import Tally
from monitor.exposition.text import product_labels
from monitor.fleet.diff import Change
from monitor.fleet.instances import InstanceKey, Snapshot, Standing


class Entry:
    """What the board keeps of one product."""

    def __init__(self, watched: WatchedProduct, options: SeriesOptions) -> None:
        """Show nothing of it yet."""
        self.lock = threading.Lock()
        """Held while the entry is worked on. The board's own lock is only held for a moment, so that
        no scrape waits until a large product is written."""
        self.product = watched.product
        self.product_id = watched.product.id
        self.labels = product_labels(watched.product)
        self.writer = Writer(watched.product, options)
        self.tally = Tally(watched.interval, watched.source)
        self.blocks: Blocks | None = None
        self.standings: Mapping[InstanceKey, Standing] | None = None
        """What the blocks show; None where they do not show a whole snapshot."""
        self.snapshot: Snapshot | None = None
        """None where none is shown."""
        self.series = 0
        self.shown: Blocks | None = None
        """What a scrape sees."""

    def follow(self, watched: WatchedProduct, options: SeriesOptions) -> None:
        """Take another name, interval or source over. The lock is held."""
        self.tally.interval, self.tally.source = watched.interval, watched.source
        if watched.product != self.product:
            self.product = watched.product
            self.labels = product_labels(watched.product)
            standings = self.standings
            self.write_anew(options)
            if standings is not None:
                self.blocks, self.standings = Blocks(self.writer, standings), standings

    def write_anew(self, options: SeriesOptions) -> None:
        """Let the next snapshot be written as a whole. The lock is held."""
        self.writer = Writer(self.product, options)
        self.standings = None

    def wanted(self, snapshot: Snapshot) -> int:
        """Return how many series a snapshot has."""
        return sum(self.writer.series_of(status) * count for status, count in snapshot.counts.items())

    def show(self, snapshot: Snapshot, change: Change | None, room: int) -> None:
        """Write what a snapshot shows, in so many series at most; only what changed, where that is known."""
        self.tally.counts, self.snapshot = snapshot.counts, snapshot
        if self.wanted(snapshot) > room:
            kept, self.tally.dropped = within_room(self.writer, snapshot.standings, room)
            self.blocks, self.standings = Blocks(self.writer, kept), None
            return
        self.tally.dropped = 0
        if self.blocks is not None and snapshot.standings is self.standings:
            return
        if (
            self.blocks is not None
            and change is not None
            and change.previous is not None
            and change.previous.standings is self.standings
        ):
            self.blocks = self.blocks.changed((t.key for t in change.transitions), snapshot.standings)
        else:
            self.blocks = Blocks(self.writer, snapshot.standings)
        self.standings = snapshot.standings

    def hide(self) -> None:
        """Show no snapshot."""
        self.blocks = self.standings = self.snapshot = self.tally.counts = None
        self.series = self.tally.dropped = 0
