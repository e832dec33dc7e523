"""One poll of one product, from the listing to the events. This is the way through the house."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from monitor.configuration.settings import WatchedProduct
from monitor.fleet.diff import diff
from monitor.fleet.failure import PollCancelledError, PollFailedError, Reason
from monitor.fleet.instances import Anomaly, Listing, Snapshot
from monitor.poller.deadline import Deadline, Deadlines
from monitor.poller.ports import (
    Catalog,
    CompletedPoll,
    FailedPoll,
    Publisher,
    StateError,
    Store,
    Teller,
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
    complete_at: float | None = None
    """When the last complete poll ended, by the clock that only goes forward."""


class Poller:
    """Polls products. Safe for many threads, as long as each product is polled by one at a time."""

    def __init__(
        self,
        catalogs: Mapping[str, Catalog],
        store: Store,
        publisher: Publisher,
        teller: Teller,
        deadlines: Deadlines,
        *,
        confirm_shrink: float,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read products from `catalogs`, by the name of their source."""
        self._catalogs = catalogs
        self._store = store
        self._publisher = publisher
        self._teller = teller
        self._deadlines = deadlines
        self._confirm_shrink = confirm_shrink
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._memories: dict[str, _Memory] = {}

    def restore(self, watched: WatchedProduct) -> bool:
        """Take a product's last snapshot out of the state and show it; return whether there was one."""
        remembered = self._store.load(watched.product.id)
        memory = _Memory(remembered.snapshot, remembered.missing)
        if remembered.snapshot is not None:
            age = (self._now() - remembered.snapshot.observed_at).total_seconds()
            memory.complete_at = self._clock() - max(0.0, age)
        with self._lock:
            self._memories[watched.product.id] = memory
        self._publisher.restored(watched, remembered)
        return remembered.snapshot is not None

    def poll(self, watched: WatchedProduct) -> None:
        """Poll a product once. Whatever AWS does, this ends in a complete or in a failed poll.

        Raises `PollCancelledError` when the monitor stops; then nothing has happened. Raises what nobody
        expected, after it was counted as a failed poll.
        """
        memory = self._memory(watched)
        poll_id = str(uuid4())
        begun = self._clock()
        try:
            with self._deadlines.running(watched.timeout) as deadline:
                listing = self._list(watched, memory.snapshot, deadline)
            self._complete(watched, memory, poll_id, listing, begun)
        except PollFailedError as error:
            self._fail(watched, memory, poll_id, error, begun)
        except PollCancelledError:
            raise
        except Exception as error:
            defect = PollFailedError(Reason.OTHER, type(error).__name__, "a defect of the monitor ended the poll")
            self._fail(watched, memory, poll_id, defect, begun)
            raise

    def snapshot_age(self, product_id: str) -> float | None:
        """Return the seconds since the last complete listing of a product, None where there was none."""
        with self._lock:
            memory = self._memories.get(product_id)
        if memory is None or memory.complete_at is None:
            return None
        return max(0.0, self._clock() - memory.complete_at)

    def _memory(self, watched: WatchedProduct) -> _Memory:
        with self._lock:
            return self._memories.setdefault(watched.product.id, _Memory())

    def _list(self, watched: WatchedProduct, last: Snapshot | None, deadline: Deadline) -> Listing:
        catalog = self._catalogs[watched.source]
        listing = catalog.list_stack_instances(watched.product.id, deadline)
        kept = len(listing.statuses)
        if last is None or kept >= len(last.standings) * (1 - self._confirm_shrink) or kept >= len(last.standings):
            return listing
        again = catalog.list_stack_instances(watched.product.id, deadline)
        return replace(again, anomalies={**again.anomalies, Anomaly.SHRINK: 1})

    def _complete(self, watched: WatchedProduct, memory: _Memory, poll_id: str, listing: Listing, begun: float) -> None:
        change = diff(memory.snapshot, listing, watched.product, poll_id, self._now())
        committed = self._written(lambda: self._store.commit(change))
        poll = CompletedPoll(watched, change, listing, self._clock() - begun, committed)
        memory.complete_at = self._clock()
        if committed:
            memory.snapshot, memory.missing = change.snapshot, False
        # Else the next poll is compared with what was last written down: the transitions are found again.
        self._publisher.completed(poll)
        self._teller.completed(poll)

    def _written(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except StateError as error:
            self._publisher.state_failed()
            self._teller.state_failed(error)
            return False
        return True

    def _fail(
        self, watched: WatchedProduct, memory: _Memory, poll_id: str, error: PollFailedError, begun: float
    ) -> None:
        newly_missing = error.reason is Reason.NOT_FOUND and not memory.missing
        poll = FailedPoll(
            watched=watched,
            poll_id=poll_id,
            error=error,
            seconds=self._clock() - begun,
            observed_at=self._now(),
            snapshot_age=self.snapshot_age(watched.product.id),
            newly_missing=newly_missing,
        )
        if newly_missing:
            memory.missing = True
            self._written(lambda: self._store.mark_missing(watched.product.id))
        self._publisher.failed(poll)
        self._teller.failed(poll)
