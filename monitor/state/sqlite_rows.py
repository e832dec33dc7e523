"""Rows to values and back."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.model.diff import Transition
from monitor.model.instances import InstanceKey, InstanceState, Product, Status
from monitor.model.products import ProductDetail, ProductStatus, ProductTransition

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

DETAIL_COLUMNS = "name, type, status, catalog_product_id, provisioning_artifact_id, account, region"
TransitionRow = tuple[str, str, str, str, str, str, str | None, str | None, int | None, int]
_WHOLE_PRODUCT = ""
"""In place of the account and the Region, where the product itself changed."""
TRANSITION_COLUMNS = (
    "event_id, poll_id, product_id, product_name, account, region, previous_status, status, previous_since, observed_at"
)


def to_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the moment, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def states(rows: Iterable[tuple[str, str, str, int]]) -> dict[InstanceKey, InstanceState]:
    """Build states from rows of account, region, status and since.

    Each string and each instance_state is kept once, however many instances and products share it.
    """
    shared: dict[tuple[str, int], InstanceState] = {}
    result: dict[InstanceKey, InstanceState] = {}
    for account, region, status, since in rows:
        instance_state = shared.get((status, since))
        if instance_state is None:
            instance_state = shared[status, since] = InstanceState(Status(status), from_milliseconds(since))
        result[sys.intern(account), sys.intern(region)] = instance_state
    return result


def instance_row(product_id: str, key: InstanceKey, instance_state: InstanceState) -> tuple[object, ...]:
    """Return product, account, region, status and since."""
    return (product_id, *key, instance_state.status, to_milliseconds(instance_state.since))


def detail_row(detail: ProductDetail) -> tuple[object, ...]:
    """Return the columns of DETAIL_COLUMNS."""
    return (
        detail.name,
        detail.type,
        detail.status,
        detail.product_id,
        detail.provisioning_artifact_id,
        detail.account,
        detail.region,
    )


def detail(product_id: str, row: tuple[str | None, ...]) -> ProductDetail | None:
    """Build what AWS said of a product from the columns of DETAIL_COLUMNS; None where it was never described."""
    name, kind, status, catalog_product_id, artifact_id, account, region = (column or "" for column in row)
    if not status:
        return None
    return ProductDetail(
        id=product_id,
        name=name,
        type=kind,
        status=ProductStatus(status),
        product_id=catalog_product_id,
        provisioning_artifact_id=artifact_id,
        account=account,
        region=region,
    )


def transition_row(transition: Transition | ProductTransition) -> tuple[object, ...]:
    """Return the columns of TRANSITION_COLUMNS."""
    if isinstance(transition, ProductTransition):
        return (
            transition.event_id,
            transition.poll_id,
            transition.product.id,
            transition.product.name,
            _WHOLE_PRODUCT,
            _WHOLE_PRODUCT,
            transition.previous_status,
            transition.status,
            None,
            to_milliseconds(transition.observed_at),
        )
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


def any_transition(row: TransitionRow) -> Transition | ProductTransition:
    """Build a transition of an instance or of a product from the columns of TRANSITION_COLUMNS."""
    event_id, poll_id, product_id, name, account, _, previous, status, _, observed_at = row
    if account != _WHOLE_PRODUCT:
        return transition(row)
    return ProductTransition(
        event_id=event_id,
        poll_id=poll_id,
        product=Product(product_id, name),
        previous_status=ProductStatus(previous or ""),
        status=ProductStatus(status or ""),
        observed_at=from_milliseconds(observed_at),
    )


def transition(row: TransitionRow) -> Transition:
    """Build a transition of an instance from the columns of TRANSITION_COLUMNS."""
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
