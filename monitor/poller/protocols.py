"""What a poll needs of the rooms around it. They are declared here, where they are used."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline
from monitor.model.diff import Change
from monitor.model.errors import PollFailedError
from monitor.model.instances import Listing, Snapshot
from monitor.model.products import Description, ProductDetail


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """What the state knows of a product from before."""

    snapshot: Snapshot | None
    missing: bool
    """AWS said that it does not know the product, and that was told."""
    detail: ProductDetail | None = None
    """What AWS said of the product itself."""


@dataclass(frozen=True, slots=True)
class CompletedPoll:
    """A poll that ended in a complete listing."""

    monitored: MonitoredProduct
    change: Change
    listing: Listing
    seconds: float
    committed: bool
    """False: the change could not be written down. It is shown, but its transitions are not told yet."""
    description: Description | None = None
    """None: there is no permission to describe the product, which costs its status and nothing else."""
    newly_undescribed: PollFailedError | None = None
    """Why, for the first of such polls."""


@dataclass(frozen=True, slots=True)
class FailedPoll:
    """A poll that did not."""

    monitored: MonitoredProduct
    poll_id: str
    error: PollFailedError
    seconds: float
    observed_at: datetime
    snapshot_age: float | None
    """Seconds since the last complete listing; None where there was none."""
    newly_missing: bool
    description: Description | None = None
    """What the poll found out before it failed."""
    committed: bool = False
    """The description was written down, so its transition is told."""
    """True for the first poll that was told that the product does not exist (any more)."""


class Catalog(Protocol):
    """Where listings come from."""

    @property
    def calls_per_second(self) -> float:
        """The configured budget of all calls to this source."""

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """List every stack instance of a product, or raise `PollFailedError` or `PollCancelledError`."""

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return what AWS says of a product, or raise as a listing does."""


class Store(Protocol):
    """What outlives the process."""

    def load(self, product_id: str) -> StoredProduct:
        """Return what is known of a product."""

    def commit(self, change: Change, description: Description | None) -> None:
        """Write a snapshot, a description and their transitions down together; raise `StateError` where it fails."""

    def save_description(self, product_id: str, description: Description) -> None:
        """Write a description and its transition down; raise `StateError` where it fails."""

    def mark_missing(self, product_id: str) -> None:
        """Write down that AWS does not know the product; raise `StateError` where that cannot be."""


class StateError(Exception):
    """The state could not be read or written; one sentence that says why."""


class Publisher(Protocol):
    """Who shows the outcome of polls as metrics."""

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Publish a product from the state, before its first poll; without its snapshot if that is stale."""

    def completed(self, poll: CompletedPoll) -> None:
        """Show a new snapshot in place of the last one."""

    def failed(self, poll: FailedPoll) -> None:
        """Show that a poll failed; the last snapshot stays, unless the product is missing."""

    def withdraw(self, product_id: str) -> bool:
        """Withdraw a stale snapshot; return whether one was published."""


class EventSink(Protocol):
    """Who writes the events."""

    def completed(self, poll: CompletedPoll) -> None:
        """Tell the transitions that were committed, then the poll."""

    def failed(self, poll: FailedPoll) -> None:
        """Tell a failed poll."""
