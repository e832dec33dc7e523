"""One poll of one product, from the listing to the events. This is the way through the house."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.diff import diff
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import Listing, Product, Snapshot
from monitor.model.products import STACK_SET, Description, ProductDetail, describe
from monitor.poller.confirmation import list_confirmed
from monitor.poller.protocols import (
    Catalog,
    CompletedPoll,
    EventSink,
    FailedPoll,
    Publisher,
    StateError,
    Store,
)


def utc_now() -> datetime:
    """Return the time, in UTC and whole milliseconds: what events and the state can both hold."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


@dataclass(slots=True)
class _Memory:
    """What the poller keeps of a product between two polls. One worker at a time polls it."""

    snapshot: Snapshot | None = None
    missing: bool = False
    detail: ProductDetail | None = None
    undescribed: bool = False
    complete_at: float | None = None
    """When the last complete poll ended, by the clock that only goes forward."""


class Poller:
    """Polls products. Safe for many threads, as long as each product is polled by one at a time."""

    def __init__(
        self,
        catalogs: Mapping[str, Catalog],
        store: Store,
        publisher: Publisher,
        event_sink: EventSink,
        deadlines: Deadlines,
        *,
        confirm_shrink: float,
        on_state_error: Callable[[StateError], None],
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read products from `catalogs`, by the name of their source.

        `on_state_error` is called with each error of the store: the poll goes on without it.
        """
        self._catalogs = catalogs
        self._store = store
        self._publisher = publisher
        self._event_sink = event_sink
        self._deadlines = deadlines
        self.confirm_shrink = confirm_shrink
        self._on_state_error = on_state_error
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._memories: dict[str, _Memory] = {}

    def restore(self, monitored: MonitoredProduct) -> bool:
        """Take a product's last snapshot out of the state and show it; return whether there was one."""
        stored = self._store.load(monitored.product.id)
        memory = _Memory(stored.snapshot, stored.missing, stored.detail)
        if stored.snapshot is not None:
            age = (self._now() - stored.snapshot.observed_at).total_seconds()
            memory.complete_at = self._clock() - max(0.0, age)
        with self._lock:
            self._memories[monitored.product.id] = memory
        self._publisher.restored(_named(monitored, stored.detail), stored)
        return stored.snapshot is not None

    def poll(self, monitored: MonitoredProduct) -> None:
        """Poll a product once. Whatever AWS does, this ends in a complete or in a failed poll.

        Raises `PollCancelledError` when the monitor stops; then nothing has happened. Raises what nobody
        expected, after it was counted as a failed poll.
        """
        memory = self._memory(monitored)
        catalog = self._catalogs.get(monitored.source)
        if catalog is None:  # it was taken out of the configuration a moment ago
            raise PollCancelledError
        poll = _Poll(_named(monitored, memory.detail), catalog, memory, str(uuid4()), self._clock())
        try:
            with self._deadlines.running(monitored.timeout) as deadline:
                self._describe(poll, deadline)
                listing = self._list(poll, deadline)
            self._complete(poll, listing)
        except PollFailedError as error:
            self._fail(poll, error)
        except PollCancelledError:
            raise
        except Exception as error:
            defect = PollFailedError(Reason.OTHER, type(error).__name__, "a defect of the monitor ended the poll")
            self._fail(poll, defect)
            raise

    def named(self, monitored: MonitoredProduct) -> MonitoredProduct:
        """Return a product with the name that AWS knows it by, where it was given none and that is known."""
        with self._lock:
            memory = self._memories.get(monitored.product.id)
        return _named(monitored, memory.detail if memory else None)

    def forget(self, product_id: str) -> None:
        """Forget a product that is not monitored any more."""
        with self._lock:
            self._memories.pop(product_id, None)

    def snapshot_age(self, product_id: str) -> float | None:
        """Return the seconds since the last complete listing of a product, None where there was none."""
        with self._lock:
            memory = self._memories.get(product_id)
        if memory is None or memory.complete_at is None:
            return None
        return max(0.0, self._clock() - memory.complete_at)

    def _memory(self, monitored: MonitoredProduct) -> _Memory:
        with self._lock:
            return self._memories.setdefault(monitored.product.id, _Memory())

    def _list(self, poll: "_Poll", deadline: Deadline) -> Listing:
        product_id, last = poll.monitored.product.id, poll.memory.snapshot
        known = last.states if last else {}
        return list_confirmed(
            lambda: poll.catalog.list_stack_instances(product_id, deadline), known, self.confirm_shrink
        )

    def _describe(self, poll: "_Poll", deadline: Deadline) -> None:
        """Find out what AWS says of the product itself. Without the permission for it, the poll goes on."""
        monitored, memory = poll.monitored, poll.memory
        try:
            detail = poll.catalog.describe(monitored.product.id, deadline)
        except PollFailedError as error:
            if error.reason is not Reason.ACCESS_DENIED:
                raise
            poll.undescribed = error
            return
        poll.monitored = _named(monitored, detail)
        poll.description = describe(memory.detail, detail, poll.monitored.product, poll.poll_id, self._now())
        if detail.type != STACK_SET:
            message = f"{detail.id} is of type {detail.type}, and only those of type {STACK_SET} have stack instances"
            raise PollFailedError(Reason.OTHER, "NotAStackSet", message)

    def _complete(self, poll: "_Poll", listing: Listing) -> None:
        memory = poll.memory
        product_status = poll.description.detail.status if poll.description else None
        change = diff(memory.snapshot, listing, poll.monitored.product, poll.poll_id, self._now(), product_status)
        committed = self._written(lambda: self._store.commit(change, poll.description))
        newly_undescribed = None if memory.undescribed else poll.undescribed
        memory.complete_at = self._clock()
        memory.undescribed = poll.undescribed is not None
        if committed:
            memory.snapshot, memory.missing = change.snapshot, False
            if poll.description:
                memory.detail = poll.description.detail
        # Else the next poll is compared with what was last written down: the transitions are found again.
        completed = CompletedPoll(
            monitored=poll.monitored,
            change=change,
            listing=listing,
            seconds=self._clock() - poll.begun,
            committed=committed,
            description=poll.description,
            newly_undescribed=newly_undescribed,
        )
        self._publisher.completed(completed)
        self._event_sink.completed(completed)

    def _written(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except StateError as error:
            self._on_state_error(error)
            return False
        return True

    def _fail(self, poll: "_Poll", error: PollFailedError) -> None:
        monitored, memory = poll.monitored, poll.memory
        newly_missing = error.reason is Reason.NOT_FOUND and not memory.missing
        committed = False
        if newly_missing:
            memory.missing = True
            self._written(lambda: self._store.mark_missing(monitored.product.id))
        elif (description := poll.description) is not None and description.detail != memory.detail:
            committed = self._written(lambda: self._store.save_description(monitored.product.id, description))
            if committed:
                memory.detail = description.detail
        failed = FailedPoll(
            monitored=monitored,
            poll_id=poll.poll_id,
            error=error,
            seconds=self._clock() - poll.begun,
            observed_at=self._now(),
            snapshot_age=self.snapshot_age(monitored.product.id),
            newly_missing=newly_missing,
            description=poll.description,
            committed=committed,
        )
        self._publisher.failed(failed)
        self._event_sink.failed(failed)


@dataclass(slots=True)
class _Poll:
    """A poll under way, and what it has found out so far."""

    monitored: MonitoredProduct
    catalog: Catalog
    memory: _Memory
    poll_id: str
    begun: float
    description: Description | None = None
    undescribed: PollFailedError | None = None


def _named(monitored: MonitoredProduct, detail: ProductDetail | None) -> MonitoredProduct:
    if not monitored.own_name or detail is None or detail.name == monitored.product.name:
        return monitored
    return replace(monitored, product=Product(monitored.product.id, detail.name))
