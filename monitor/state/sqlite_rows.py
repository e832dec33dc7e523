"""Convert rows of the state file to values and back.

A file may contain what this version does not know, and damage that SQLite does not notice. A status that the enum
does not know becomes UNKNOWN and its text stays in the file. A row that is no value at all raises `UNREADABLE`.
"""

import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, TypeVar

from monitor.model.diff import Transition
from monitor.model.instances import InstanceKey, InstanceState, Product, Status
from monitor.model.products import Description, ProductDetail, ProductStatus, ProductTransition
from monitor.state.sqlite_schema import COLUMNS

Row = tuple[Any, ...]

# What a conversion raises for a row that cannot be read.
UNREADABLE = (TypeError, ValueError, OverflowError)

DESCRIPTION_COLUMNS = ", ".join(COLUMNS["product"][3:])
TRANSITION_COLUMNS = ", ".join(COLUMNS["transition"][:-1])
# Stands for the account and the Region in a transition of a provisioned product.
_WHOLE_PRODUCT = ""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_S = TypeVar("_S", bound=StrEnum)
_STATUS_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def to_milliseconds(moment: datetime) -> int:
    """Return whole milliseconds since 1970."""
    return (moment - _EPOCH) // _MILLISECOND


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the moment, in UTC, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def instance_states(rows: Iterable[Row]) -> tuple[dict[InstanceKey, InstanceState], list[Row]]:
    """Convert rows of account, Region, status and since; return also the rows that cannot be read.

    Each string and each `InstanceState` is kept once, however many instances and products share it.
    """
    shared: dict[tuple[str, int], InstanceState] = {}
    states: dict[InstanceKey, InstanceState] = {}
    unreadable: list[Row] = []
    for row in rows:
        account, region, status, since = row
        try:
            state = shared.get((status, since))
            if state is None:
                state = shared[status, since] = InstanceState(_member(Status, status), from_milliseconds(since))
            states[sys.intern(_label(account)), sys.intern(_label(region))] = state
        except UNREADABLE:
            unreadable.append(row)
    return states, unreadable


def repaired(unreadable: Iterable[Row], observed_at: datetime) -> dict[InstanceKey, InstanceState]:
    """Return the instances of rows whose account and Region can be read: status UNKNOWN, if it cannot, since a moment.

    Without them, an instance of which a byte was damaged would appear again with the next poll.
    """
    states: dict[InstanceKey, InstanceState] = {}
    for account, region, status, _ in unreadable:
        try:
            key = _label(account), _label(region)
        except UNREADABLE:
            continue
        try:
            states[key] = InstanceState(_member(Status, status), observed_at)
        except UNREADABLE:
            states[key] = InstanceState(Status.UNKNOWN, observed_at)
    return states


def instance_row(product_id: str, key: InstanceKey, state: InstanceState) -> tuple[object, ...]:
    """Return product, account, Region, status and since."""
    return (product_id, *key, state.status, to_milliseconds(state.since))


_detail_row = attrgetter("name", "type", "status", "product_id", "provisioning_artifact_id", "account", "region")


def description_row(description: Description) -> tuple[object, ...]:
    """Return the columns of DESCRIPTION_COLUMNS."""
    return (*_detail_row(description.detail), to_milliseconds(description.status_since))


def description(product_id: str, row: Row) -> tuple[ProductDetail | None, datetime | None]:
    """Convert the columns of DESCRIPTION_COLUMNS to the details of a product, and since when it has its status.

    None if the product was never described, or the columns cannot be read: the next poll describes it again. The time
    alone is None in a file that was migrated.
    """
    try:
        name, kind, status, catalog_id, artifact_id, account, region = (_text(column or "") for column in row[:-1])
        detail = ProductDetail(
            product_id, name, kind, _member(ProductStatus, status), catalog_id, artifact_id, account, region
        )
        return detail, None if row[-1] is None else from_milliseconds(row[-1])
    except UNREADABLE:
        return None, None


def transition_row(transition: Transition | ProductTransition) -> tuple[object, ...]:
    """Return the columns of TRANSITION_COLUMNS."""
    common = (transition.event_id, transition.poll_id, transition.product.id, transition.product.name)
    statuses = (transition.previous_status, transition.status)
    observed_at = to_milliseconds(transition.observed_at)
    if isinstance(transition, ProductTransition):
        reason = transition.status_reason
        return (*common, _WHOLE_PRODUCT, _WHOLE_PRODUCT, None, None, reason, None, *statuses, None, observed_at)
    since = transition.previous_since and to_milliseconds(transition.previous_since)
    why = (transition.detailed_status, transition.status_reason, transition.operation_id)
    return (*common, *transition.key, transition.provisioned_product_status, *why, *statuses, since, observed_at)


def transition(row: Row) -> Transition | ProductTransition:
    """Convert the columns of TRANSITION_COLUMNS to a transition of an instance or of a provisioned product."""
    event_id, poll_id, product_id, name, account, region, product_status, *why, before, status, since, observed_at = row
    ids, product = (_label(event_id), _text(poll_id)), Product(_label(product_id), _text(name))
    moment = from_milliseconds(observed_at)
    if account == _WHOLE_PRODUCT:
        statuses = (_member(ProductStatus, before), _member(ProductStatus, status))
        return ProductTransition(*ids, product, *statuses, moment, None if why[1] is None else _text(why[1]))
    return Transition(
        *ids,
        product,
        _label(account),
        _label(region),
        None if before is None else _member(Status, before),
        None if status is None else _member(Status, status),
        None if since is None else from_milliseconds(since),
        moment,
        None if product_status is None else _member(ProductStatus, product_status),
        *(None if text is None else _text(text) for text in why),
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


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _label(value: object) -> str:
    if not value:
        raise ValueError("empty")
    return _text(value)
