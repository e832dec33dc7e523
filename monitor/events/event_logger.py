"""Log the outcome of polls."""

from collections.abc import Mapping
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct
from monitor.events.names import EventName
from monitor.events.outbox import Outbox
from monitor.events.setup import Log
from monitor.poller.protocols import CompletedPoll, FailedPoll


class EventLogger:
    """The `EventSink` of the polls."""

    def __init__(self, log: Log, outbox: Outbox) -> None:
        """Tell transitions by way of the outbox, everything else directly."""
        self._log = log
        self._outbox = outbox

    def completed(self, poll: CompletedPoll) -> None:
        """Tell the transitions that were committed, then the poll."""
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
        after: dict[str, Any] = {
            "poll_id": change.poll_id,
            **product,
            "pages": poll.listing.pages,
            "instances": len(change.snapshot.states),
            **counts,
            "transitions": len(change.instance_transitions) if poll.committed else 0,
            "provisioned_product_status": description.detail.status if description else None,
            "duration_seconds": round(poll.seconds, 3),
        }
        if poll.listing.anomalies:
            after["anomalies"] = {str(kind): count for kind, count in poll.listing.anomalies.items()}
        if poll.listing.unknown_statuses:
            after["unknown_statuses"] = sorted(poll.listing.unknown_statuses)
        if poll.committed and (change.transitions or change.earlier or (description and description.transition)):
            self._outbox.wake(lambda: self._log.event(LogLevel.INFO, EventName.POLL_COMPLETED, **after))
        else:
            self._log.event(LogLevel.INFO, EventName.POLL_COMPLETED, **after)

    def failed(self, poll: FailedPoll) -> None:
        """Tell a failed poll, and once that a product is missing."""
        error, product = poll.error, _product(poll.monitored)
        if poll.committed and poll.description and poll.description.transition:
            self._outbox.wake(lambda: None)
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
