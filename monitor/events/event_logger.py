"""Log the outcome of polls."""

import heapq
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.events.transitions import rollout_fields
from monitor.model.instances import Snapshot, Status
from monitor.model.views import WORST_FIRST
from monitor.poller.protocols import CompletedPoll, FailedPoll

NAMED_INSTANCES = 10
"""How many instances that are not CURRENT a baseline names."""


class EventLogger:
    """The `EventSink` of the polls. Safe to use from many threads."""

    def __init__(self, log: Log, outbox: Outbox) -> None:
        """Publish transitions through the outbox, and log everything else directly."""
        self._log = log
        self._outbox = outbox
        self._lock = threading.Lock()
        self._failing: dict[str, LogLevel] = {}
        """By product, the highest level at which its failures were logged."""
        self._details_failing: set[str] = set()
        """The products whose details could not be read; that was logged."""

    def completed(self, poll: CompletedPoll) -> None:
        """Publish the transitions that were committed, and log the poll.

        A poll without changes is logged at DEBUG. The first complete poll after a failure is logged at the level of
        the failure, so that whoever saw the failure sees its end.
        """
        change, listing, description = poll.change, poll.listing, poll.description
        identity = {"poll_id": change.poll_id, **_product(poll.monitored)}
        counts = {str(status): count for status, count in change.snapshot.counts.items()}
        if change.baseline:
            first = _first_non_current(change.snapshot)
            self._log.event(
                LogLevel.WARNING if first else LogLevel.INFO,
                EventName.BASELINE,
                **identity,
                counts=counts,
                **({"non_current": first} if first else {}),
            )
        if denied := poll.newly_undescribed:
            details = {"error_code": denied.error_code, "message": denied.message}
            self._log.event(LogLevel.WARNING, EventName.UNDESCRIBED, **identity, **details)
        self._log_details(poll, identity)
        # What waited for a full disk is committed with a later poll, which may have found no change itself.
        changed = bool(change.transitions or (description and description.transition))
        if poll.committed and (changed or change.earlier):
            self._outbox.wake()
        unusual: dict[str, Any] = {}
        if listing.anomalies:
            unusual["anomalies"] = {str(kind): count for kind, count in listing.anomalies.items()}
        if listing.unknown_statuses:
            unusual["unknown_statuses"] = sorted(listing.unknown_statuses)
        with self._lock:
            level = self._failing.pop(poll.monitored.product.id, None)
        if level is None:
            level = LogLevel.INFO if changed or change.baseline or unusual else LogLevel.DEBUG
        self._log.event(
            level,
            EventName.POLL_COMPLETED,
            **identity,
            pages=listing.pages,
            instances=len(change.snapshot.states),
            counts=counts,
            transitions=len(change.transitions) if poll.committed else 0,
            provisioned_product_status=description.detail.status if description else None,
            duration_seconds=round(poll.seconds, 3),
            **unusual,
        )

    def _log_details(self, poll: CompletedPoll, identity: Mapping[str, str]) -> None:
        product_id, error = poll.monitored.product.id, poll.details.error if poll.details else None
        with self._lock:
            known = product_id in self._details_failing
            (self._details_failing.add if error else self._details_failing.discard)(product_id)
        if error and not known:
            why = {"reason": str(error.reason), "error_code": error.error_code, "message": error.message}
            self._log.event(LogLevel.WARNING, EventName.DETAILS_FAILED, **identity, **why)
        elif known and not error:
            self._log.event(LogLevel.WARNING, EventName.DETAILS_RECOVERED, **identity)
        if operation := poll.ended_operation:
            succeeded = operation.status == "SUCCEEDED" and not operation.progress.failed
            self._log.event(
                LogLevel.INFO if succeeded else LogLevel.WARNING,
                EventName.ROLLOUT_COMPLETED,
                **identity,
                **rollout_fields(operation),
            )

    def failed(self, poll: FailedPoll) -> None:
        """Log a failed poll, and once that a product is missing."""
        error, age = poll.error, poll.snapshot_age
        identity = {"poll_id": poll.poll_id, **_product(poll.monitored)}
        if poll.committed and poll.description and poll.description.transition:
            self._outbox.wake()
        with self._lock:
            if poll.newly_missing:
                self._failing[poll.monitored.product.id] = LogLevel.ERROR
            else:
                self._failing.setdefault(poll.monitored.product.id, LogLevel.WARNING)
        if poll.newly_missing:
            self._log.event(LogLevel.ERROR, EventName.MISSING, **identity, message=error.message)
        self._log.event(
            LogLevel.WARNING,
            EventName.POLL_FAILED,
            **identity,
            reason=str(error.reason),
            error_code=error.error_code,
            message=error.message,
            snapshot_age_seconds=None if age is None else round(age, 3),
            duration_seconds=round(poll.seconds, 3),
        )


def _first_non_current(snapshot: Snapshot) -> Sequence[Mapping[str, str]]:
    """Return the first instances that are not CURRENT, the worst statuses before the others."""
    found = ((key, state.status) for key, state in snapshot.states.items() if state.status is not Status.CURRENT)
    first = heapq.nsmallest(NAMED_INSTANCES, found, key=lambda item: (WORST_FIRST.index(item[1]), item[0]))
    return [{"account": account, "region": region, "status": str(status)} for (account, region), status in first]


def _product(monitored: MonitoredProduct) -> Mapping[str, str]:
    return {
        "provisioned_product_id": monitored.product.id,
        "provisioned_product_name": monitored.product.name,
    }
