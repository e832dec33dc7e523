"""A poller with fakes around it, typed against the Protocols, and a record of what happened in order."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline
from monitor.model.diff import Change, Transition
from monitor.model.errors import PollFailedError, Reason
from monitor.model.instances import InstanceKey, Listing, Status
from monitor.model.products import Description, ProductDetail, ProductTransition
from monitor.poller.protocols import CompletedPoll, DetailsCatalog, FailedPoll, StateError, StoredProduct
from tests.making import EPOCH, EU, ONE, TWO, US, detail

STATUSES: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
NOTHING = StoredProduct(None, missing=False)
NOT_FOUND = PollFailedError(Reason.NOT_FOUND, "ResourceNotFoundException", "not there")
THROTTLED = PollFailedError(Reason.THROTTLED, "ThrottlingException", "slow down")


@dataclass
class Harness:
    """The source, the store and the clocks of a poller, and a log of the calls in order."""

    answers: list[Listing | Exception | Callable[[], Listing]] = field(default_factory=list)
    description: ProductDetail | Exception = field(default_factory=detail)
    stored: StoredProduct = NOTHING
    disk_full: bool = False
    disk_unreadable: bool = False
    log: list[object] = field(default_factory=list)
    described: list[Description | None] = field(default_factory=list)
    transitions: list[Transition | ProductTransition] = field(default_factory=list)
    """Those that are stored, in the order in which they are published."""
    monotonic: float = 5000.0
    """Larger than every age that a test uses, so that a sum of two times is never taken for a difference."""
    wall: datetime = EPOCH
    calls_per_second: float = 10.0
    page_size: int = 20
    page_seconds: float = 2.5
    budget_wait: float = 0.0
    """The share of `page_seconds` that is a wait for the calls per second."""
    details: DetailsCatalog | None = None

    def list_stack_instances(
        self, product_id: str, deadline: Deadline, on_page: Callable[[int, int], None] | None = None
    ) -> Listing:
        """Return or raise the next answer; each page takes `page_seconds`."""
        self.log.append(("list", product_id, deadline.remaining()))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.monotonic += self.page_seconds
            raise answer
        found = answer() if callable(answer) else answer
        for page in range(found.pages):
            deadline.budget_wait += self.budget_wait * self.page_seconds
            self.monotonic += self.page_seconds
            deadline.check()
            if on_page:
                on_page(page + 1, len(found.statuses))
        return found

    def describe(self, product_id: str, deadline: Deadline) -> ProductDetail:
        """Return or raise the description."""
        if isinstance(self.description, Exception):
            raise self.description
        return self.description

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored."""
        if self.disk_unreadable:
            raise StateError("cannot read")
        return self.stored

    def commit(self, change: Change, description: Description | None) -> None:
        """Record the call."""
        if self.disk_full:
            raise StateError("disk full")
        self.log.append(("commit", change))
        self.transitions += change.earlier
        self._save(description)
        self.transitions += change.transitions

    def save_description(self, product_id: str, description: Description) -> None:
        """Record the call."""
        if self.disk_full:
            raise StateError("disk full")
        self._save(description)

    def _save(self, description: Description | None) -> None:
        self.described.append(description)
        if description and description.transition:
            self.transitions.append(description.transition)

    def mark_missing(self, product_id: str) -> None:
        """Record the call."""
        if self.disk_full:
            raise StateError("disk full")
        self.log.append(("missing", product_id))


@dataclass
class Recorder:
    """A publisher or an event sink that records its calls."""

    role: str
    harness: Harness

    def restored(self, monitored: MonitoredProduct, stored: StoredProduct, *, stale: bool) -> None:
        """Record the call."""
        self.harness.log.append((self.role, "stale" if stale else "restored", stored))

    def withdraw(self, product_id: str) -> bool:
        """Record the call."""
        self.harness.log.append((self.role, "withdrawn", product_id))
        return True

    def completed(self, poll: CompletedPoll) -> None:
        """Record the call."""
        self.harness.log.append((self.role, poll))

    def failed(self, poll: FailedPoll) -> None:
        """Record the call."""
        self.harness.log.append((self.role, poll))


def completed(harness: Harness) -> list[CompletedPoll]:
    """Return the completed polls that were published."""
    return [e[1] for e in harness.log if isinstance(e, tuple) and e[0] == "metrics" and isinstance(e[1], CompletedPoll)]


def failed(harness: Harness) -> list[FailedPoll]:
    """Return the failed polls that were published."""
    return [e[1] for e in harness.log if isinstance(e, tuple) and e[0] == "metrics" and isinstance(e[1], FailedPoll)]


def changes(harness: Harness) -> list[tuple[str | None, str | None]]:
    """Return the previous and the new status of each stored transition, in order."""
    return [(transition.previous_status, transition.status) for transition in harness.transitions]
