"""Poll one product: describe, list, compare with the last snapshot, commit, publish.

This module is the whole pipeline; read it first.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from uuid import uuid4

from monitor.config.settings import MonitoredProduct
from monitor.model.deadline import Deadline, Deadlines
from monitor.model.details import StackSetDetails
from monitor.model.diff import diff
from monitor.model.errors import PollCancelledError, PollFailedError, Reason
from monitor.model.instances import Listing
from monitor.model.products import STACK_SET, describe
from monitor.poller.confirmation import list_confirmed
from monitor.poller.details import read_details, with_details
from monitor.poller.product_state import PollRun, ProductState, utc_now, with_aws_name
from monitor.poller.protocols import Catalog, CompletedPoll, EventSink, FailedPoll, Publisher, StateError, Store
from monitor.poller.timeouts import HEADROOM, calls_of, poll_timeout, with_advice


class Poller:
    """Polls products. Safe to use from many threads, as long as each product is polled by one at a time."""

    def __init__(
        self,
        catalogs: Mapping[str, Catalog],
        store: Store,
        publisher: Publisher,
        event_sink: EventSink,
        deadlines: Deadlines,
        *,
        confirm_shrink: float,
        stale_after: float,
        on_state_error: Callable[[StateError], None],
        owns: Callable[[str], bool] = lambda _: True,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read products from `catalogs`, by the name of their source.

        A snapshot that is older than `stale_after` seconds is not published. `on_state_error` is called with each
        error of the store: the poll goes on without it. A product that another process `owns` is not published.
        """
        self._catalogs = catalogs
        self._store = store
        self._publisher = publisher
        self._event_sink = event_sink
        self._deadlines = deadlines
        self.confirm_shrink = confirm_shrink
        self.stale_after = stale_after
        self._on_state_error = on_state_error
        self._owns = owns
        self._now = now
        self._clock = clock
        self._lock = threading.Lock()
        self._states: dict[str, ProductState] = {}

    def restore(self, monitored: MonitoredProduct) -> bool:
        """Begin to monitor a product: load its last snapshot. Return whether it was published: there is one, not stale.

        Raises:
            StateError: the store could not be read. The product can be polled all the same; its first poll
                tries to load again.
        """
        state = ProductState()
        with self._lock:
            self._states[monitored.product.id] = state
        return self._load(monitored, state)

    def forget(self, product_id: str) -> None:
        """Stop monitoring a product. Nothing of it is committed or published after this returns.

        Waits for a commit of the product that is under way. A poll under way ends without a trace.
        """
        with self._lock:
            state = self._states.pop(product_id, None)
        if state is not None:
            with state.lock:
                state.forgotten = True

    def named(self, monitored: MonitoredProduct) -> MonitoredProduct:
        """Return the product under the name that AWS gives it, if the configuration has none and AWS's is known."""
        state = self._state(monitored.product.id)
        return with_aws_name(monitored, state.detail if state else None)

    def snapshot_age(self, product_id: str) -> float | None:
        """Return the seconds since the last complete listing of a product, None if there was none."""
        state = self._state(product_id)
        if state is None or state.completed_at is None:
            return None
        return max(0.0, self._clock() - state.completed_at)

    def withdraw_stale(self, product_id: str) -> float | None:
        """Withdraw the snapshot of a product if it is stale; return its age in seconds if that happened now.

        Does nothing while the result of a poll is being published: that is a newer snapshot, or the next call sees it.
        """
        age = self.snapshot_age(product_id)
        if age is None or age <= self.stale_after:  # nearly always, so this comes before the lock
            return None
        state = self._state(product_id)
        if state is None or not state.lock.acquire(blocking=False):
            return None
        try:
            age = self.snapshot_age(product_id)
            stale = age is not None and age > self.stale_after and self._publisher.withdraw(product_id)
            return age if stale else None
        finally:
            state.lock.release()

    def poll(self, monitored: MonitoredProduct) -> None:
        """Poll a product once. Whatever AWS does, the poll completes or fails, and says which.

        Raises:
            PollCancelledError: the monitor stops, or the product is not monitored any more. Nothing was committed
                or published.
            Exception: a defect of the monitor, after the poll was published: as failed, or without details.
        """
        state, catalog = self._state(monitored.product.id), self._catalogs.get(monitored.source)
        if state is None or catalog is None:  # it was removed between becoming due and now
            raise PollCancelledError
        if not state.loaded:
            with self._unless_forgotten(monitored, state):
                self._attempt(lambda: self._load(monitored, state))
        poll = self._start(with_aws_name(monitored, state.detail), catalog, state)
        with self._deadlines.running(poll.timeout) as deadline:
            try:
                self._describe(poll, deadline)
                listing = self._list(poll, deadline)
                self._complete(poll, listing, read_details(poll, listing, deadline, self._deadlines, self._clock()))
            except PollFailedError as error:
                self._fail(poll, with_advice(error, poll, deadline.budget_wait, self._clock()))
            except PollCancelledError:
                raise
            except Exception as error:
                defect = PollFailedError(Reason.OTHER, type(error).__name__, "a defect of the monitor ended the poll")
                with suppress(PollCancelledError):
                    self._fail(poll, defect)
                raise
        if poll.defect is not None:
            raise poll.defect

    def _start(self, monitored: MonitoredProduct, catalog: Catalog, state: ProductState) -> PollRun:
        now = self._clock()
        if state.needed_seconds is None and state.snapshot:  # after a restart, the last snapshot shows the size
            calls = calls_of(len(state.snapshot.states), catalog.page_size)
            state.needed_seconds = HEADROOM * calls / catalog.calls_per_second
        timeout = poll_timeout(monitored, state.needed_seconds or 0.0)
        return PollRun(monitored, catalog, state, str(uuid4()), timeout, started_at=now, responded_at=now)

    def _describe(self, poll: PollRun, deadline: Deadline) -> None:
        try:
            detail = poll.catalog.describe(poll.monitored.product.id, deadline)
        except PollFailedError as error:
            if error.reason is not Reason.ACCESS_DENIED:
                raise
            # Only the status of the product needs this permission; its stack instances can be listed without it.
            poll.undescribed = error
            return
        poll.responded(self._clock())
        poll.monitored = with_aws_name(poll.monitored, detail)
        poll.description = describe(
            poll.state.detail, poll.state.status_since, detail, poll.monitored.product, poll.poll_id, self._now()
        )
        if detail.type != STACK_SET:
            message = f"{detail.id} is of type {detail.type}, and only those of type {STACK_SET} have stack instances"
            raise PollFailedError(Reason.OTHER, "NotAStackSet", message)

    def _list(self, poll: PollRun, deadline: Deadline) -> Listing:
        snapshot = poll.state.snapshot

        def on_page(_pages: int, _instances: int) -> None:
            if poll.state.forgotten:  # do not spend the source's calls on a product that was removed
                raise PollCancelledError
            poll.responded(self._clock())

        return list_confirmed(
            lambda: poll.catalog.list_stack_instances(poll.monitored.product.id, deadline, on_page),
            snapshot.states if snapshot else {},
            self.confirm_shrink,
        )

    def _complete(self, poll: PollRun, listing: Listing, details: StackSetDetails | None) -> None:
        state, description = poll.state, poll.description
        status = description.detail.status if description else None
        with self._unless_forgotten(poll.monitored, state):
            change = diff(state.snapshot, listing, poll.monitored.product, poll.poll_id, self._now(), status)
            change, ended_operation = with_details(change, details, state.details)
            change = state.changed(change, description)
            state.details = change.details
            committed = state.loaded and self._attempt(lambda: self._store.commit(change, description))
            if committed:
                state.commit()
            newly_undescribed = None if state.undescribed else poll.undescribed
            state.undescribed = poll.undescribed is not None
            state.completed_at = self._clock()
            seconds = state.completed_at - poll.started_at
            state.needed_seconds = HEADROOM * seconds
            self._check_wanted(poll.monitored, state)
            completed = CompletedPoll(
                monitored=poll.monitored,
                change=change,
                listing=listing,
                seconds=seconds,
                committed=committed,
                description=description,
                newly_undescribed=newly_undescribed,
                ended_operation=ended_operation,
            )
            self._publisher.completed(completed)
            self._event_sink.completed(completed)

    def _fail(self, poll: PollRun, error: PollFailedError) -> None:
        monitored, state, description = poll.monitored, poll.state, poll.description
        with self._unless_forgotten(monitored, state):
            committed = False
            newly_missing = error.reason is Reason.NOT_FOUND and not state.missing
            if newly_missing:
                state.missing = True
                self._attempt(lambda: self._store.mark_missing(monitored.product.id))
            elif description is not None and description.detail != state.detail:
                # Transitions that wait for a commit come first: this one then waits as well, to keep the order.
                committed = (state.loaded and not state.uncommitted) and self._attempt(
                    lambda: self._store.save_description(monitored.product.id, description)
                )
                state.described(description, committed=committed)
            self._check_wanted(monitored, state)
            failed = FailedPoll(
                monitored=monitored,
                poll_id=poll.poll_id,
                error=error,
                seconds=self._clock() - poll.started_at,
                observed_at=self._now(),
                snapshot_age=self.snapshot_age(monitored.product.id),
                newly_missing=newly_missing,
                description=description,
                committed=committed,
            )
            self._publisher.failed(failed)
            self._event_sink.failed(failed)

    def _state(self, product_id: str) -> ProductState | None:
        with self._lock:
            return self._states.get(product_id)

    def _load(self, monitored: MonitoredProduct, state: ProductState) -> bool:
        stored = self._store.load(monitored.product.id)
        state.load(stored)
        stale = False
        if stored.snapshot is not None:
            # The wall clock may have been set back since: a snapshot from the future is as old as one from now.
            age = max(0.0, (self._now() - stored.snapshot.observed_at).total_seconds())
            state.completed_at = self._clock() - age
            stale = age > self.stale_after
        self._publisher.restored(with_aws_name(monitored, stored.detail), stored, stale=stale)
        return stored.snapshot is not None and not stale

    def _attempt(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except StateError as error:
            self._on_state_error(error)
            return False
        return True

    @contextmanager
    def _unless_forgotten(self, monitored: MonitoredProduct, state: ProductState) -> Iterator[None]:
        # `forget` waits while something is committed or published. A product that left and returned has another state:
        # if its old poll committed what the new one will find, the same transition would be logged under two ids.
        with state.lock:
            self._check_wanted(monitored, state)
            yield

    def _check_wanted(self, monitored: MonitoredProduct, state: ProductState) -> None:
        # Again before publishing: the lease may be lost before a commit fails.
        if state.forgotten or not self._owns(monitored.product.id):
            raise PollCancelledError
