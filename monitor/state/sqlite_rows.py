"""Convert rows of the state file to values and back.

A file may contain what this version does not know, and damage that SQLite does not notice. A status that the enum
does not know becomes UNKNOWN and its text stays in the file. A row that is no value at all raises `UNREADABLE`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from monitor.model.diff import Transition
from monitor.model.instances import InstanceKey, InstanceState, Product, Status
from monitor.model.products import ProductDetail, ProductStatus, ProductTransition

UNREADABLE = (TypeError, ValueError, OverflowError)
"""What a conversion raises for a row that cannot be read."""

DETAIL_COLUMNS = "name, type, status, catalog_product_id, provisioning_artifact_id, account, region"
TRANSITION_COLUMNS = (
    "event_id, poll_id, product_id, product_name, account, region, provisioned_product_status,"
    " previous_status, status, previous_since, observed_at"
)
_WHOLE_PRODUCT = ""
"""Stands for the account and the Region in a transition of a provisioned product."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_S = TypeVar("_S", bound=StrEnum)
_T = TypeVar("_T")
_STATUS_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def to_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the moment, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def instance_states(
    rows: Iterable[tuple[Any, Any, Any, Any]],
) -> tuple[dict[InstanceKey, InstanceState], list[tuple[object, object]]]:
    """Convert rows of account, Region, status and since; return also the keys of the rows that cannot be read.

    Each string and each `InstanceState` is kept once, however many instances and products share it.
    """
    shared: dict[tuple[str, int], InstanceState] = {}
    states: dict[InstanceKey, InstanceState] = {}
    unreadable: list[tuple[object, object]] = []
    for account, region, status, since in rows:
        try:
            state = shared.get((status, since))
            if state is None:
                state = shared[status, since] = InstanceState(_member(Status, status), from_milliseconds(since))
            if not account or not region:
                raise ValueError("empty")
            states[sys.intern(account), sys.intern(region)] = state
        except UNREADABLE:
            unreadable.append((account, region))
    return states, unreadable


def instance_row(product_id: str, key: InstanceKey, state: InstanceState) -> tuple[object, ...]:
    """Return product, account, Region, status and since."""
    return (product_id, *key, state.status, to_milliseconds(state.since))


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


def detail(product_id: str, row: Iterable[Any]) -> ProductDetail | None:
    """Convert the columns of DETAIL_COLUMNS; None if the product was never described."""
    name, kind, status, catalog_product_id, artifact_id, account, region = (_text(column or "") for column in row)
    if not status:
        return None
    return ProductDetail(
        id=product_id,
        name=name,
        type=kind,
        status=_member(ProductStatus, status),
        product_id=catalog_product_id,
        provisioning_artifact_id=artifact_id,
        account=account,
        region=region,
    )


def transition_row(transition: Transition | ProductTransition) -> tuple[object, ...]:
    """Return the columns of TRANSITION_COLUMNS."""
    common = (transition.event_id, transition.poll_id, transition.product.id, transition.product.name)
    statuses = (transition.previous_status, transition.status)
    observed_at = to_milliseconds(transition.observed_at)
    if isinstance(transition, ProductTransition):
        return (*common, _WHOLE_PRODUCT, _WHOLE_PRODUCT, None, *statuses, None, observed_at)
    since = transition.previous_since and to_milliseconds(transition.previous_since)
    return (*common, *transition.key, transition.provisioned_product_status, *statuses, since, observed_at)


def transition(row: tuple[Any, ...]) -> Transition | ProductTransition:
    """Convert the columns of TRANSITION_COLUMNS to a transition of an instance or of a provisioned product."""
    event_id, poll_id, product_id, name, account, region, product_status, before, status, since, observed_at = row
    product = Product(_label(product_id), _text(name))
    if account == _WHOLE_PRODUCT:
        return ProductTransition(
            event_id=_label(event_id),
            poll_id=_text(poll_id),
            product=product,
            previous_status=_member(ProductStatus, before),
            status=_member(ProductStatus, status),
            observed_at=from_milliseconds(observed_at),
        )
    return Transition(
        event_id=_label(event_id),
        poll_id=_text(poll_id),
        product=product,
        account=_label(account),
        region=_label(region),
        previous_status=_optional(lambda text: _member(Status, text), before),
        status=_optional(lambda text: _member(Status, text), status),
        previous_since=_optional(from_milliseconds, since),
        observed_at=from_milliseconds(observed_at),
        provisioned_product_status=_optional(lambda text: _member(ProductStatus, text), product_status),
    )


def text_or_bytes(raw: bytes) -> str | bytes:
    """Decode a text as SQLite stores it; bytes that are not UTF-8 are returned as they are."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _member(statuses: type[_S], text: object) -> _S:
    """Return a status; a well-formed name that only another version knows is UNKNOWN."""
    try:
        return statuses(text)  # type: ignore[arg-type]
    except ValueError:
        if isinstance(text, str) and _STATUS_NAME.fullmatch(text):
            return statuses["UNKNOWN"]
        raise


def _optional(convert: Callable[[Any], _T], value: object) -> _T | None:
    return None if value is None else convert(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _label(value: object) -> str:
    if not value:
        raise ValueError("empty")
    return _text(value)
