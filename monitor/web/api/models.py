"""The responses of the API, which pydantic reads from the attributes of the views.

A `validation_alias` says where a value comes from; part of a path that is None gives the default. The docstrings and
descriptions are those of the OpenAPI document.
"""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, WithJsonSchema

from monitor.model import views
from monitor.model.errors import Reason
from monitor.model.instances import Status
from monitor.model.products import ProductStatus


class Severity(StrEnum):
    """How badly a product needs attention.

    broken: a stack instance is INOPERABLE, or the product itself has failed. unreadable: AWS does not know the product,
    its last poll failed, or its snapshot is stale. behind: a stack instance is OUTDATED or UNKNOWN. pending: it was not
    polled yet. fine: all stack instances are CURRENT. Accepted stack instances do not count.
    """

    BROKEN = "broken"
    UNREADABLE = "unreadable"
    BEHIND = "behind"
    PENDING = "pending"
    FINE = "fine"


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _severity(severity: views.Severity) -> Severity:
    return Severity[severity.name]


def _milliseconds(seconds: float) -> float:
    return round(seconds, 3)


def _or_none(text: str | None) -> str | None:
    """Return None for a text that AWS does not say, which is empty in the model."""
    return text or None


Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Text = Annotated[str | None, BeforeValidator(_or_none)]
SeverityOfView = Annotated[Severity, BeforeValidator(_severity)]
Seconds = Annotated[float, PlainSerializer(_milliseconds, return_type=float)]
Cursor = Annotated[str | None, Field(description="Pass it as `cursor` to get the next page; null on the last page.")]


def _from(*path: str, default: Any = ..., description: str | None = None) -> Any:
    """Return a field whose value is found at a path of attributes."""
    return Field(default, validation_alias=AliasPath(*path), description=description)


class _Response(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_serialization_defaults_required=True)


class Error(_Response):
    """Why a request failed."""

    error: str = Field(description="One sentence for people.")


class Failure(_Response):
    """Why a poll or a search failed."""

    reason: Reason
    error_code: str = Field(description="The error code of AWS, or the name of the underlying error.")
    message: str = Field(description="One sentence for people.")
    at: Time


class Rollout(_Response):
    """The last operation of the stack set, as CloudFormation says it. Read with `sources[].details`."""

    operation_id: str = _from("id")
    action: str = Field(description="CREATE, UPDATE or DELETE.")
    status: str = Field(description="RUNNING, SUCCEEDED, FAILED, STOPPING, STOPPED or QUEUED.")
    reason: Text
    started_at: Time
    ended_at: Time | None = Field(description="null: it is under way.")
    total: int = _from("progress", "total", description="The stack instances of the operation.")
    succeeded: int = _from("progress", "succeeded")
    failed: int = _from("progress", "failed", description="Once it has ended, with those cancelled or skipped.")
    remaining: int = _from("progress", "remaining")


class Product(_Response):
    """A monitored provisioned product: its stack instances by status, and how its last poll ended."""

    id: str = _from("product", "id", description="The ID of the provisioned product (pp-...).")
    name: str = _from("product", "name")
    source: str = Field(description="The source that it is read from.")
    severity: SeverityOfView
    status: ProductStatus | None = Field(description="The status of the provisioned product; null if it is not known.")
    status_since: Time | None = Field(description="When it was first seen with that status.")
    account: Text = _from("detail", "account", default=None, description="The account of the provisioned product.")
    region: Text = _from("detail", "region", default=None, description="The Region of the provisioned product.")
    catalog_product_id: Text = _from(
        "detail", "product_id", default=None, description="The product that it was launched from (prod-...)."
    )
    provisioning_artifact_id: Text = _from(
        "detail", "provisioning_artifact_id", default=None, description="The version of that product (pa-...)."
    )
    instances: dict[Status, int] | None = _from(
        "snapshot", "counts", default=None, description="Stack instances by status; null without a snapshot."
    )
    accepted: Annotated[int, BeforeValidator(len)] = Field(
        description="The stack instances that are not CURRENT and accepted by the configuration."
    )
    rollout: Rollout | None = _from(
        "details", "operation", default=None, description="null: there was none, or it was not read."
    )
    details_error: str | None = _from(
        "details", "error", "message", default=None, description="Why the last poll could not read the details."
    )
    missing: bool = Field(description="AWS does not know the product.")
    stale: bool = Field(description="The snapshot is older than `poll.stale_after`: its series are not exposed.")
    polled_at: Time | None = Field(description="When the last complete poll ended; the instances are of that moment.")
    poll_seconds: Seconds | None = _from("seconds", description="How long the last poll took, complete or not.")
    failure: Failure | None = Field(description="Why the last poll failed; null if it completed.")
    interval_seconds: float = _from("interval", description="The time between two polls.")
    next_poll_at: Time | None = Field(description="When the next poll is due; in the past while it waits or runs.")


class Totals(_Response):
    """The sum of all products."""

    products: int
    instances: dict[Status, int] = Field(description="The stack instances of each status.")
    product_statuses: dict[ProductStatus, int] = Field(description="The products of each known status.")
    severities: dict[SeverityOfView, int] = Field(description="The products of each severity.")
    oldest_poll_at: Time | None = Field(description="The end of the complete poll that is the longest ago.")


class ProductList(_Response):
    """A page of products, by ID, and the totals of all products."""

    totals: Totals
    products: list[Product]
    cursor: Cursor


class Acceptance(_Response):
    """An entry of `accepted` in the configuration."""

    reason: str
    until: date = Field(description="The last day on which it applies, in UTC.")


class Instance(_Response):
    """A stack instance."""

    provisioned_product_id: str = _from("product", "product", "id")
    provisioned_product_name: str = _from("product", "product", "name")
    account: str
    region: str
    status: Status = _from("state", "status")
    since: Time = _from("state", "since", description="When it was first seen with that status.")
    detailed_status: Text = _from(
        "detail", "detailed_status", default=None, description="Why it is not CURRENT, with `sources[].details`."
    )
    status_reason: Text = _from("detail", "reason", default=None, description="The same as a text of CloudFormation.")
    operation_id: Text = _from(
        "detail", "operation_id", default=None, description="The last operation of CloudFormation on it."
    )
    accepted: Acceptance | None = Field(description="null: the configuration does not accept it.")


class InstanceList(_Response):
    """A page of stack instances, by product ID, account and Region."""

    instances: list[Instance]
    cursor: Cursor


class Transition(_Response):
    """A stack instance that changed status, appeared or disappeared between two polls, as in the log."""

    event_id: str = Field(description="The ID of the event in the log.")
    poll_id: str
    observed_at: Time
    provisioned_product_id: str = _from("product", "id")
    provisioned_product_name: str = _from("product", "name")
    provisioned_product_status: ProductStatus | None = Field(description="In the same poll; null if it is not known.")
    account: str
    region: str
    previous_status: Status | None = Field(description="null: the stack instance appeared.")
    previous_since: Time | None
    status: Status | None = Field(description="null: the stack instance disappeared.")
    detailed_status: Text = Field(description="Why it is not CURRENT, with `sources[].details`.")
    status_reason: Text = Field(description="The same as a text of CloudFormation.")
    operation_id: Text = Field(description="The last operation of CloudFormation on the stack instance.")


class TransitionList(_Response):
    """A page of transitions, the newest first."""

    transitions: list[Transition]
    cursor: Cursor


class Discovery(_Response):
    """The search of a source for products."""

    names: list[str] = Field(description="The name patterns of `discover`.")
    tags: dict[str, str] = Field(description="The tags of `discover`.")
    interval_seconds: float = _from("interval")
    searched_at: Time | None = Field(description="When the last complete search ended.")
    found: int | None = Field(description="The products that it found.")
    failure: Failure | None = Field(description="Why the last search failed; null if it completed.")


class Source(_Response):
    """An AWS account and Region that products are read from."""

    name: str
    region: str | None = Field(description="null: the Region of the environment or the profile.")
    role_arn: str | None = Field(description="The role that is assumed; null: none.")
    profile: str | None
    accounts: list[str] = Field(
        description="The accounts of its products; none before the first product was described."
    )
    calls_per_second: float = Field(description="The configured budget of calls to AWS.")
    allowed_calls_per_second: Seconds = Field(description="The budget now: lower while AWS throttles.")
    used_calls_per_second: Seconds = Field(description="The calls of the last five minutes, per second.")
    products: int
    failing: int = Field(description="Products whose last poll failed.")
    failure: Failure | None = Field(description="The latest of their failures.")
    discovery: Discovery | None = Field(description="null: the source has no `discover`.")


class SourceList(_Response):
    """A page of sources, by name."""

    sources: list[Source]
    cursor: Cursor
