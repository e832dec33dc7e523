"""A replica that shares the products, and their state in a table of DynamoDB, with others."""

import socket
import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from monitor.config.settings import LogLevel, Settings, TableSettings
from monitor.daemon.product_set import ProductSet
from monitor.daemon.protocols import EventLog, ProductMetrics
from monitor.events.names import EventName
from monitor.metrics.registry import MonitorMetrics
from monitor.poller.protocols import StateError
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.leases import Leases

if TYPE_CHECKING:
    from monitor.aws.dynamodb import DynamoDbTable


# Until the unpublished transitions of a former owner are read again, if DynamoDB did not answer.
RETRY_SECONDS = 30.0


class Cluster:
    """Keeps the monitored products in step with the leases of this replica."""

    def __init__(
        self,
        settings: Settings,
        table: TableSettings,
        monitor_metrics: MonitorMetrics,
        log: EventLog,
        on_state_error: Callable[[StateError], None],
    ) -> None:
        """Create the store and the leases. No request is sent yet. Raises `StateError` if there is no Region."""
        opened = open_table(table)
        # Different for each process: a container that is restarted has its old name, but not its old leases.
        self.replica = f"{socket.gethostname()}-{uuid4().hex[:8]}"
        self.leases = Leases(opened, self.replica, settings.cluster.shards, settings.cluster.lease, self)
        self.store = DynamoDbStore(
            opened, self.leases, settings.history, monitor_metrics.state_committed, on_error=on_state_error
        )
        self.configure(settings)
        self._monitor_metrics = monitor_metrics
        self._log = log
        self._on_state_error = on_state_error
        self._product_set: ProductSet | None = None
        self._metrics: ProductMetrics | None = None
        self._wake_outbox: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._lost: set[int] = set()
        self._changed = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._follow, name="cluster", daemon=True)
        monitor_metrics.dividing(settings.cluster.shards)

    def start(self, product_set: ProductSet, metrics: ProductMetrics, wake_outbox: Callable[[], None]) -> None:
        """Take the free leases, so that `product_set` can be restored.

        `wake_outbox` is called when there may be transitions to publish that a former owner did not.
        """
        self._product_set, self._metrics, self._wake_outbox = product_set, metrics, wake_outbox
        self.leases.start()

    def configure(self, settings: Settings) -> None:
        """Apply the settings that need no restart."""
        self.store.stale_after = settings.poll.stale_after

    def follow(self) -> None:
        """Begin to follow the leases."""
        self._thread.start()

    def alive(self) -> bool:
        """Return whether the threads are running."""
        return self.leases.alive() and self._thread.is_alive()

    def stop(self, seconds: float) -> None:
        """Hand the leases over, after the last poll has ended; wait at most so many seconds for DynamoDB."""
        self._stopping = True
        self._changed.set()
        # DynamoDB may not answer. Then the leases run out.
        handing_over = threading.Thread(target=self.leases.stop, name="hand over", daemon=True)
        handing_over.start()
        handing_over.join(seconds)

    def render(self, render: Callable[[bool], bytes]) -> Callable[[bool], bytes]:
        """Return `render`, which each scrape calls first, with a check of the leases before it.

        The process may have been stopped for a while: a scrape can come before the thread that drops the products.
        """

        def checked(openmetrics: bool) -> bytes:  # noqa: FBT001 - the interface of the cache
            self.leases.enforce()
            return render(openmetrics)

        return checked

    def acquired(self, shard: int) -> None:
        """Monitor the products of a shard."""
        self._report(shard, EventName.LEASE_ACQUIRED, LogLevel.INFO, "acquired")
        self._changed.set()

    def lost(self, shard: int, reason: str) -> None:
        """Drop the series of the products of a shard at once: another replica may show them next."""
        if self._product_set is not None and self._metrics is not None:
            for product_id in self._product_set.products:
                if self.leases.shard_of(product_id) == shard:
                    self._metrics.remove(product_id)
        self.store.release(lambda product_id: self.leases.shard_of(product_id) == shard)
        self._report(shard, EventName.LEASE_LOST, LogLevel.INFO if reason == "released" else LogLevel.WARNING, reason)
        with self._lock:
            self._lost.add(shard)
        self._changed.set()

    def failed(self, error: StateError) -> None:
        """Report that the leases could not be renewed."""
        self._on_state_error(error)

    def _follow(self) -> None:
        # Loading hundreds of products takes seconds, in which the leases must be renewed: so not on their thread.
        adopted = True
        while not self._stopping:
            self._changed.wait(None if adopted else RETRY_SECONDS)
            self._changed.clear()
            with self._lock:
                lost, self._lost = self._lost, set()
            if self._product_set is not None and not self._stopping:
                self._product_set.reassign(partial(self._is_in, lost))
                adopted = self._adopt()

    def _is_in(self, shards: Collection[int], product_id: str) -> bool:
        return self.leases.shard_of(product_id) in shards

    def _adopt(self) -> bool:
        """Publish what a former owner has not; return whether that succeeded."""
        try:
            self.store.adopt_unpublished()
        except StateError as error:
            self._on_state_error(error)
            return False
        self._wake_outbox()
        return True

    def _report(self, shard: int, event: EventName, level: LogLevel, reason: str) -> None:
        self._monitor_metrics.lease_changed(shard, reason)
        self._log.event(level, event, shard=shard, replica=self.replica, reason=reason)


def open_table(settings: TableSettings) -> "DynamoDbTable":
    """Return a table. Raises `StateError` if there is no Region."""
    # Importing boto3 takes a third of a second, which a monitor with a state file does without.
    from monitor.aws.dynamodb import DynamoDbTable  # noqa: PLC0415

    return DynamoDbTable(settings)
