"""Rows to values and back."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.fleet.diff import Transition
from monitor.fleet.instances import InstanceKey, Product, Standing, Status

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

TRANSITION_COLUMNS = (
    "event_id, poll_id, product_id, product_name, account, region, previous_status, status, previous_since, observed_at"
)


def to_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the moment, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def standings(rows: Iterable[tuple[str, str, str, int]]) -> dict[InstanceKey, Standing]:
    """Build standings from rows of account, region, status and since.

    Each string and each standing is kept once, however many instances and products share it.
    """
    shared: dict[tuple[str, int], Standing] = {}
    result: dict[InstanceKey, Standing] = {}
    for account, region, status, since in rows:
        standing = shared.get((status, since))
        if standing is None:
            standing = shared[status, since] = Standing(Status(status), from_milliseconds(since))
        result[sys.intern(account), sys.intern(region)] = standing
    return result


def instance_row(product_id: str, key: InstanceKey, standing: Standing) -> tuple[object, ...]:
    """Return product, account, region, status and since."""
    return (product_id, *key, standing.status, to_milliseconds(standing.since))


def transition_row(transition: Transition) -> tuple[object, ...]:
    """Return the columns of TRANSITION_COLUMNS."""
    since = transition.previous_since
    return (
        transition.event_id,
        transition.poll_id,
        transition.product.id,
        transition.product.name,
        transition.account,
        transition.region,
        transition.previous_status,
        transition.status,
        None if since is None else to_milliseconds(since),
        to_milliseconds(transition.observed_at),
    )


def transition(row: tuple[str, str, str, str, str, str, str | None, str | None, int | None, int]) -> Transition:
    """Build a transition from the columns of TRANSITION_COLUMNS."""
    event_id, poll_id, product_id, name, account, region, previous, status, since, observed_at = row
    return Transition(
        event_id=event_id,
        poll_id=poll_id,
        product=Product(product_id, name),
        account=account,
        region=region,
        previous_status=None if previous is None else Status(previous),
        status=None if status is None else Status(status),
        previous_since=None if since is None else from_milliseconds(since),
        observed_at=from_milliseconds(observed_at),
    )
