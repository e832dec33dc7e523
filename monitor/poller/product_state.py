"""What the poller remembers: of a product between two polls, and of a poll under way."""

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from monitor.config.settings import MonitoredProduct
from monitor.model.details import StackSetDetails
from monitor.model.diff import Change, Transition, net_change
from monitor.model.errors import PollFailedError
from monitor.model.instances import Product, Snapshot
from monitor.model.products import Description, ProductDetail, ProductTransition
from monitor.poller.protocols import Catalog, StoredProduct

# Transitions of a product that wait for a store that cannot be written: about 5 MB. Above it only the net change
# since the last commit is kept.
MAX_UNCOMMITTED = 10_000


def utc_now() -> datetime:
    """Return the time in UTC, in whole milliseconds: the precision that both the events and the state hold."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(slots=True, eq=False)
class ProductState:
    """One product from `restore` to `forget`. One worker at a time polls it.

    While the store cannot be written, snapshots go on and their transitions wait here. So an instance that changes
    and changes back before the store recovers is logged with both transitions, in order.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the result of a poll is committed and published, and to set `forgotten`."""
    forgotten: bool = False
    loaded: bool = False
    """The store was read. Nothing is stored before, or it would replace a snapshot that is not known."""
    snapshot: Snapshot | None = None
    """The last accepted listing, committed or not: the next one is compared with it."""
    committed_snapshot: Snapshot | None = None
    uncommitted: tuple[Transition | ProductTransition, ...] = ()
    """Transitions that no commit has stored yet, oldest first."""
    detail: ProductDetail | None = None
    status_since: datetime | None = None
    """When the status of `detail` was first seen."""
    missing: bool = False
    """AWS does not know the product, and that was logged."""
    undescribed: bool = False
    """The last complete poll had no permission to describe the product."""
    details: StackSetDetails | None = None
    """The last details; None before the first, and if the source has none."""
    details_read_at: float | None = None
    """When they were read, by the monotonic clock."""
    completed_at: float | None = None
    """When the last complete poll ended, by the monotonic clock."""
    needed_seconds: float | None = None
    """How long the next poll may need by what the last one took; None before the first one that says so."""

    def load(self, stored: StoredProduct) -> None:
        """Take over what the store knows, in place of what polls found before it could be read."""
        self.loaded = True
        self.snapshot = self.committed_snapshot = stored.snapshot
        self.uncommitted = ()
        self.detail, self.status_since, self.missing = stored.detail, stored.status_since, stored.missing
        self.details = stored.details

    def described(self, description: Description, *, committed: bool) -> None:
        """Take over a description; if it is not committed, its transition waits for the next commit."""
        self.detail, self.status_since = description.detail, description.status_since
        if description.transition and not committed:
            self.uncommitted += (description.transition,)

    def changed(self, change: Change, description: Description | None) -> Change:
        """Take over the change of a complete poll; return it with the transitions that wait before it.

        Its own transitions and that of `description` wait from now on, until `commit`.
        """
        if self.uncommitted and len(self.uncommitted) + len(change.transitions) > MAX_UNCOMMITTED:
            product_transitions = tuple(t for t in self.uncommitted if isinstance(t, ProductTransition))
            change = replace(net_change(self.committed_snapshot, change), earlier=product_transitions)
        else:
            change = replace(change, earlier=self.uncommitted)
        self.snapshot, self.missing = change.snapshot, False
        self.uncommitted = change.earlier
        if description is not None:
            self.described(description, committed=False)
        self.uncommitted += change.transitions
        return change

    def commit(self) -> None:
        """Note that everything is stored."""
        self.committed_snapshot, self.uncommitted = self.snapshot, ()


@dataclass(slots=True)
class PollRun:
    """A poll from its start to its result. Belongs to the thread that polls. Times are of the monotonic clock."""

    monitored: MonitoredProduct
    catalog: Catalog
    state: ProductState
    poll_id: str
    timeout: float
    started_at: float
    responded_at: float
    """When the last response came in."""
    calls: int = 0
    """Calls that AWS answered so far: the description and every page of every listing."""
    description: Description | None = None
    undescribed: PollFailedError | None = None
    """Why the product could not be described."""
    defect: Exception | None = None
    """A defect of the monitor that ended the reading of the details."""

    def responded(self, now: float) -> None:
        """Count a call that AWS answered."""
        self.calls += 1
        self.responded_at = now


def with_aws_name(monitored: MonitoredProduct, detail: ProductDetail | None) -> MonitoredProduct:
    """Return the product under the name that AWS gives it, if the configuration has none and AWS's is known."""
    if not monitored.own_name or detail is None or detail.name == monitored.product.name:
        return monitored
    return replace(monitored, product=Product(monitored.product.id, detail.name))
