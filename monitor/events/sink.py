"""The events of the contract: which name, which level, which fields."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from monitor.config.settings import LogLevel, MonitoredProduct
from monitor.events.outbox import Outbox
from monitor.events.setup import Log, timestamp
from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.products import ProductStatus, ProductTransition
from monitor.poller.protocols import CompletedPoll, FailedPoll


class EventName(StrEnum):
    """Every event of the monitor; docs/events.md says what is in them."""

    TRANSITION = "stack_instance.transition"
    PRODUCT_TRANSITION = "provisioned_product.transition"
    UNDESCRIBED = "provisioned_product.undescribed"
    ADDED = "provisioned_product.added"
    REMOVED = "provisioned_product.removed"
    BASELINE = "provisioned_product.baseline"
    MISSING = "provisioned_product.missing"
    STALE = "provisioned_product.stale"
    POLL_COMPLETED = "poll.completed"
    POLL_FAILED = "poll.failed"
    STATE_FAILED = "state.failed"
    WEB_CONFIG_RELOADED = "web_config.reloaded"
    WEB_CONFIG_REFUSED = "web_config.reload_failed"
    DISCOVERY_COMPLETED = "discovery.completed"
    DISCOVERY_FAILED = "discovery.failed"
    CONFIG_RELOADED = "config.reloaded"
    CONFIG_REFUSED = "config.reload_failed"
    STARTED = "monitor.started"
    DEFECT = "monitor.defect"
    CLOCK_JUMPED = "monitor.clock_jumped"
    STOPPED = "monitor.stopped"


_TROUBLED = (ProductStatus.TAINTED, ProductStatus.ERROR)
_LEVELS = {Status.OUTDATED: LogLevel.WARNING, Status.INOPERABLE: LogLevel.ERROR, Status.UNKNOWN: LogLevel.WARNING}


def transition_fields(transition: Transition) -> dict[str, Any]:
    """Return the fields of `stack_instance.transition`."""
    since = transition.previous_since
    return {
        "event_id": transition.event_id,
        "poll_id": transition.poll_id,
        "provisioned_product_id": transition.product.id,
        "provisioned_product_name": transition.product.name,
        "account": transition.account,
        "region": transition.region,
        "previous_status": transition.previous_status,
        "status": transition.status,
        "previous_since": None if since is None else timestamp(since),
        "observed_at": timestamp(transition.observed_at),
    }


def transition_level(transition: Transition) -> LogLevel:
    """Return how loud a transition is: by the status it is to."""
    return LogLevel.INFO if transition.status is None else _LEVELS.get(transition.status, LogLevel.INFO)


def product_transition_fields(transition: ProductTransition) -> dict[str, Any]:
    """Return the fields of `provisioned_product.transition`."""
    return {
        "event_id": transition.event_id,
        "poll_id": transition.poll_id,
        "provisioned_product_id": transition.product.id,
        "provisioned_product_name": transition.product.name,
        "previous_status": transition.previous_status,
        "status": transition.status,
        "observed_at": timestamp(transition.observed_at),
    }


def transition_line(log: Log, transition: Transition | ProductTransition) -> str | None:
    """Return the line of a transition, None where the level leaves it out."""
    if isinstance(transition, ProductTransition):
        level = LogLevel.WARNING if transition.status in _TROUBLED else LogLevel.INFO
        return log.render(level, EventName.PRODUCT_TRANSITION, **product_transition_fields(transition))
    return log.render(transition_level(transition), EventName.TRANSITION, **transition_fields(transition))


class Events:
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
            "transitions": len(change.transitions) if poll.committed else 0,
            "provisioned_product_status": description.detail.status if description else None,
            "duration_seconds": round(poll.seconds, 3),
        }
        if poll.listing.anomalies:
            after["anomalies"] = {str(kind): count for kind, count in poll.listing.anomalies.items()}
        if poll.listing.unknown_statuses:
            after["unknown_statuses"] = sorted(poll.listing.unknown_statuses)
        if poll.committed and (change.transitions or (description and description.transition)):
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
