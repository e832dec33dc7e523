"""Log the outcome of polls."""

import threading
from collections.abc import Mapping
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.poller.protocols import CompletedPoll, FailedPoll


class EventLogger:
    """The `EventSink` of the polls. Safe to use from many threads."""

    def __init__(self, log: Log, outbox: Outbox) -> None:
        """Publish transitions through the outbox, and log everything else directly."""
        self._log = log
        self._outbox = outbox
        self._lock = threading.Lock()
        self._failing: dict[str, LogLevel] = {}
        """By product, the highest level at which its failure was logged."""

    def completed(self, poll: CompletedPoll) -> None:
        """Publish the transitions that were committed, then log the poll.

        A poll without changes is logged at DEBUG. The first complete poll after a failure is logged at the level of
        the failure, so that whoever saw the failure sees its end.
        """
        change = poll.change
        product = _product(poll.monitored)
        counts = {"counts": {str(status): count for status, count in change.snapshot.counts.items()}}
        if change.baseline:
            self._log.event(LogLevel.INFO, EventName.BASELINE, poll_id=change.poll_id, **product, **counts)
        if denied := poll.newly_undescribed:
            self._log.event(
                LogLevel.WARNING,
                EventName.UNDESCRIBED,
                poll_id=change.poll_id,
                **product,
                error_code=denied.error_code,
                message=denied.message,
            )
        description = poll.description
        published = bool(change.transitions or (description and description.transition))
        fields: dict[str, Any] = {
            "poll_id": change.poll_id,
            **product,
            "pages": poll.listing.pages,
            "instances": len(change.snapshot.states),
            **counts,
            "transitions": len(change.transitions) if poll.committed else 0,
            "provisioned_product_status": description.detail.status if description else None,
            "duration_seconds": round(poll.seconds, 3),
        }
        if poll.listing.anomalies:
            fields["anomalies"] = {str(kind): count for kind, count in poll.listing.anomalies.items()}
        if poll.listing.unknown_statuses:
            fields["unknown_statuses"] = sorted(poll.listing.unknown_statuses)
        with self._lock:
            level = self._failing.pop(poll.monitored.product.id, None)
        if level is None:
            notable = published or change.baseline or poll.listing.anomalies or poll.listing.unknown_statuses
            level = LogLevel.INFO if notable else LogLevel.DEBUG
        if poll.committed and published:
            self._outbox.wake(lambda: self._log.event(level, EventName.POLL_COMPLETED, **fields))
        else:
            self._log.event(level, EventName.POLL_COMPLETED, **fields)

    def failed(self, poll: FailedPoll) -> None:
        """Log a failed poll, and once that a product is missing."""
        error, product = poll.error, _product(poll.monitored)
        if poll.committed and poll.description and poll.description.transition:
            self._outbox.wake(lambda: None)
        with self._lock:
            level = LogLevel.ERROR if poll.newly_missing else LogLevel.WARNING
            seen = self._failing.get(poll.monitored.product.id, level)
            self._failing[poll.monitored.product.id] = max(level, seen, key=lambda one: one.number)
        if poll.newly_missing:
            self._log.event(LogLevel.ERROR, EventName.MISSING, poll_id=poll.poll_id, **product, message=error.message)
        age = poll.snapshot_age
        self._log.event(
            LogLevel.WARNING,
            EventName.POLL_FAILED,
            poll_id=poll.poll_id,
            **product,
            reason=str(error.reason),
            error_code=error.error_code,
            message=error.message,
            snapshot_age_seconds=None if age is None else round(age, 3),
            duration_seconds=round(poll.seconds, 3),
        )


def _product(monitored: MonitoredProduct) -> Mapping[str, str]:
    return {
        "provisioned_product_id": monitored.product.id,
        "provisioned_product_name": monitored.product.name,
    }
