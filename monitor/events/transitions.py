"""The log line of a transition: its level and its fields."""

from typing import Any

from monitor.config.settings import LogLevel
from monitor.events.names import EventName
from monitor.events.setup import Log, timestamp
from monitor.model.diff import Transition
from monitor.model.instances import Status
from monitor.model.products import ProductStatus, ProductTransition

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
    )


def _identity(transition: Transition | ProductTransition) -> dict[str, Any]:
    return {
        "event_id": transition.event_id,
        "poll_id": transition.poll_id,
        "provisioned_product_id": transition.product.id,
        "provisioned_product_name": transition.product.name,
    }
