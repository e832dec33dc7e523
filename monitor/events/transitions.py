"""The log lines of transitions and rollouts: their levels and fields."""

from typing import Any

from monitor.config.settings import LogLevel
from monitor.events.names import EventName
from monitor.events.setup import Log, timestamp
from monitor.model.details import Operation
from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.products import ProductStatus, ProductTransition

_REASONS = ("detailed_status", "status_reason", "operation_id")
_FAILED = (ProductStatus.TAINTED, ProductStatus.ERROR)
_LEVEL_OF = {Status.OUTDATED: LogLevel.WARNING, Status.INOPERABLE: LogLevel.ERROR, Status.UNKNOWN: LogLevel.WARNING}


def transition_fields(transition: Transition) -> dict[str, Any]:
    """Return the fields of `stack_instance.transition`."""
    since = transition.previous_since
    return {
        **_identity(transition),
        "account": transition.account,
        "region": transition.region,
        "previous_status": transition.previous_status,
        "status": transition.status,
        "previous_since": None if since is None else timestamp(since),
        "observed_at": timestamp(transition.observed_at),
        "provisioned_product_status": transition.provisioned_product_status,
        **{name: value for name in _REASONS if (value := getattr(transition, name))},
    }


def rollout_fields(operation: Operation) -> dict[str, Any]:
    """Return the fields of `rollout.completed` about an operation that has ended."""
    progress, ended_at = operation.progress, operation.ended_at
    seconds = None if ended_at is None else (ended_at - operation.started_at).total_seconds()
    return {
        "operation_id": operation.id,
        "action": operation.action,
        "status": operation.status,
        "instances": progress.total,
        "succeeded": progress.succeeded,
        "failed": progress.failed,
        "remaining": progress.remaining,
        "started_at": timestamp(operation.started_at),
        "ended_at": None if ended_at is None else timestamp(ended_at),
        "duration_seconds": None if seconds is None else round(seconds, 3),
        **({"status_reason": operation.reason} if operation.reason else {}),
    }


def transition_line(log: Log, transition: Transition | ProductTransition) -> str | None:
    """Return the line of a transition; None if its level is below the configured one."""
    if isinstance(transition, Transition):
        level = LogLevel.INFO if transition.status is None else _LEVEL_OF.get(transition.status, LogLevel.INFO)
        return log.render(level, EventName.TRANSITION, **transition_fields(transition))
    return log.render(
        LogLevel.WARNING if transition.status in _FAILED else LogLevel.INFO,
        EventName.PRODUCT_TRANSITION,
        **_identity(transition),
        previous_status=transition.previous_status,
        status=transition.status,
        observed_at=timestamp(transition.observed_at),
        **({"status_reason": transition.status_reason} if transition.status_reason else {}),
    )


def _identity(transition: Transition | ProductTransition) -> dict[str, Any]:
    return {
        "event_id": transition.event_id,
        "poll_id": transition.poll_id,
        "provisioned_product_id": transition.product.id,
        "provisioned_product_name": transition.product.name,
    }
