"""What a poll needs from the other packages, and the results that it hands to them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline
from monitor.model.details import Operation, StackSetDetails
from monitor.model.diff import Change
from monitor.model.errors import PollCancelledError, PollFailedError
from monitor.model.instances import InstanceKey, Listing, Snapshot, Status
from monitor.model.products import Description, ProductDetail


@dataclass(frozen=True, slots=True)
class StoredProduct:
    """What the store knows about a product."""

    snapshot: Snapshot | None
    missing: bool
    """AWS does not know the product, and that was logged."""
    detail: ProductDetail | None = None
    """The last description of the product by AWS; None before the first."""
    status_since: datetime | None = None
    """When the status of `detail` was first seen."""
    details: StackSetDetails | None = None
    """The last details of its stack set; None if its source has no `details`."""


@dataclass(frozen=True, slots=True)
class CompletedPoll:
    """A poll with a complete listing."""

    monitored: MonitoredProduct
    change: Change
    listing: Listing
    seconds: float
    committed: bool
    """False: the change could not be stored. It is published, but its transitions wait for a later commit."""
    description: Description | None = None
    """None: there is no permission to describe the product; only its status is unknown then."""
    newly_undescribed: PollFailedError | None = None
    """Why the product could not be described; None if the poll before it could not either."""
    ended_operation: Operation | None = None
    """The rollout whose end was not seen by a poll before."""

    @property
    def details(self) -> StackSetDetails | None:
        """Why instances are not CURRENT; None if the source has no `details`."""
        return self.change.details


@dataclass(frozen=True, slots=True)
class FailedPoll:
    """A poll without a complete listing. The last snapshot stays."""

    monitored: MonitoredProduct
    poll_id: str
    error: PollFailedError
    seconds: float
    observed_at: datetime
    snapshot_age: float | None
    """Seconds since the last complete listing; None if there was none."""
    newly_missing: bool
    """True for the first poll that AWS answers with "not found"."""
    description: Description | None = None
    """What AWS said about the product before the poll failed."""
    committed: bool = False
    """True: the description is stored, and its transition can be published."""


class Catalog(Protocol):
    """A source of products: an AWS account and Region."""

    @property
    def calls_per_second(self) -> float:
        """The configured budget of all calls to this source."""

    @property
    def page_size(self) -> int:
        """The stack instances that a page has at most."""

    @property
    def details(self) -> "DetailsCatalog | None":
        """What says why instances are not CURRENT; None if the source has no `details`."""

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """List every stack instance of a product; call `on_page` with the pages and instances so far after each page.

        Raises:
            PollFailedError: a page is missing or malformed.
            PollCancelledError: the deadline was cancelled.
        """

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Describe a product. Raises the same errors as `list_stack_instances`."""


class DetailsCatalog(Protocol):
    """CloudFormation, as far as it explains the stack instances of a source."""

    def read(
        self, product_id: str, account: str, statuses: Mapping[InstanceKey, Status], deadline: Deadline
    ) -> StackSetDetails:
        """Return the details of a product whose listing has these statuses; `account` is empty if it is not known.

        Raises:
            PollFailedError: they cannot be read.
            PollCancelledError: the deadline was cancelled.
        """


class Store(Protocol):
    """What outlives the process. Every method raises `StateError`, and `NotOwnerError` if replicas share the store."""

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product."""

    def commit(self, change: Change, description: Description | None) -> None:
        """Store a snapshot, a description and their transitions in one transaction.

        Transitions are published in this order: `change.earlier`, that of the description, `change.transitions`.
        """

    def save_description(self, product_id: str, description: Description) -> None:
        """Store a description and its transition."""

    def mark_missing(self, product_id: str) -> None:
        """Store that AWS does not know the product. Its snapshot is kept."""


class StateError(Exception):
    """The state could not be read or written. The message is one sentence that says why."""


class NotOwnerError(PollCancelledError):
    """Another replica owns the product now: nothing of the poll was written, and nothing of it may be published."""


class Publisher(Protocol):
    """Publishes results as metrics."""

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Publish a product from the state, before its first poll; without its snapshot if that is stale."""

    def completed(self, poll: CompletedPoll) -> None:
        """Publish a new snapshot in place of the last one."""

    def failed(self, poll: FailedPoll) -> None:
        """Publish that a poll failed. The last snapshot stays, unless AWS does not know the product."""

    def withdraw(self, product_id: str) -> bool:
        """Withdraw a stale snapshot; return whether one was published."""


class EventSink(Protocol):
    """Logs results as events."""

    def completed(self, poll: CompletedPoll) -> None:
        """Log the committed transitions and the poll."""

    def failed(self, poll: FailedPoll) -> None:
        """Log a failed poll."""
