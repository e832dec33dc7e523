"""The responses of the API. Their docstrings and descriptions are those of the OpenAPI document."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, Field, PlainSerializer, WithJsonSchema

from monitor.model import diff, paging, views
from monitor.model.errors import Reason
from monitor.model.instances import Status
from monitor.model.products import ProductStatus


def _rfc3339(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


Time = Annotated[
    datetime,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Cursor = Annotated[str | None, Field(description="Pass it as `cursor` to get the next page; null on the last page.")]


class Severity(StrEnum):
    """How badly a product needs attention.

    broken: a stack instance is INOPERABLE, or the product itself has failed. unreadable: AWS does not know the product,
    its last poll failed, or its snapshot is stale. behind: a stack instance is OUTDATED or UNKNOWN. pending: it was not
    polled yet. fine: all stack instances are CURRENT.
    """

    BROKEN = "broken"
    UNREADABLE = "unreadable"
    BEHIND = "behind"
    PENDING = "pending"
    FINE = "fine"


class Error(BaseModel):
    """Why a request failed."""

    error: str = Field(description="One sentence for people.")


class Failure(BaseModel):
    """Why a poll or a search failed."""

    reason: Reason
    error_code: str = Field(description="The error code of AWS, or the name of the underlying error.")
    message: str = Field(description="One sentence for people.")
    at: Time

    @classmethod
    def of(cls, failure: views.PollFailure | None) -> "Failure | None":
        """Convert a failure."""
        if failure is None:
            return None
        return cls(reason=failure.reason, error_code=failure.error_code, message=failure.message, at=failure.at)


class Product(BaseModel):
    """A monitored provisioned product: its stack instances by status, and how its last poll ended."""

    id: str = Field(description="The ID of the provisioned product (pp-...).")
    name: str
    source: str = Field(description="The source that it is read from.")
    severity: Severity
    status: ProductStatus | None = Field(description="The status of the provisioned product; null if it is not known.")
    status_since: Time | None = Field(description="When it was first seen with that status.")
    account: str | None = Field(description="The account of the provisioned product; null if it is not known.")
    region: str | None = Field(description="The Region of the provisioned product; null if it is not known.")
    catalog_product_id: str | None = Field(description="The product that it was launched from (prod-...).")
    provisioning_artifact_id: str | None = Field(description="The version of that product (pa-...).")
    instances: dict[Status, int] | None = Field(
        description="The number of stack instances of each status; null without a snapshot."
    )
    missing: bool = Field(description="AWS does not know the product.")
    stale: bool = Field(description="The snapshot is older than `poll.stale_after`: its series are not exposed.")
    polled_at: Time | None = Field(description="When the last complete poll ended; the instances are of that moment.")
    poll_seconds: float | None = Field(description="How long the last poll took, complete or not.")
    failure: Failure | None = Field(description="Why the last poll failed; null if it completed.")
    interval_seconds: float = Field(description="The time between two polls.")
    next_poll_at: Time | None = Field(description="When the next poll is due; in the past while it waits or runs.")

    @classmethod
    def of(cls, view: views.ProductView) -> "Product":
        """Convert a view."""
        detail = view.detail
        return cls(
            id=view.product.id,
            name=view.product.name,
            source=view.source,
            severity=Severity[view.severity.name],
            status=view.status,
            status_since=view.status_since,
            account=(detail.account or None) if detail else None,
            region=(detail.region or None) if detail else None,
            catalog_product_id=(detail.product_id or None) if detail else None,
            provisioning_artifact_id=(detail.provisioning_artifact_id or None) if detail else None,
            instances=dict(view.counts) if view.snapshot else None,
            missing=view.missing,
            stale=view.stale,
            polled_at=view.polled_at,
            poll_seconds=view.seconds,
            failure=Failure.of(view.failure),
            interval_seconds=view.interval,
            next_poll_at=view.next_poll_at,
        )


class Totals(BaseModel):
    """The sum of all products."""

    products: int
    instances: dict[Status, int] = Field(description="The stack instances of each status.")
    product_statuses: dict[ProductStatus, int] = Field(description="The products of each known status.")
    severities: dict[Severity, int] = Field(description="The products of each severity.")
    oldest_poll_at: Time | None = Field(description="The end of the complete poll that is the longest ago.")

    @classmethod
    def of(cls, found: views.Totals) -> "Totals":
        """Convert totals."""
        return cls(
            products=found.products,
            instances=dict(found.instances),
            product_statuses=dict(found.product_statuses),
            severities={Severity[severity.name]: count for severity, count in found.severities.items()},
            oldest_poll_at=found.oldest_poll_at,
        )


class ProductList(BaseModel):
    """A page of products, by ID, and the totals of all products."""

    totals: Totals
    products: list[Product]
    cursor: Cursor

    @classmethod
    def of(cls, page: paging.Page[views.ProductView], found: views.Totals) -> "ProductList":
        """Convert a page."""
        return cls(totals=Totals.of(found), products=list(map(Product.of, page.items)), cursor=page.cursor)


class Instance(BaseModel):
    """A stack instance."""

    provisioned_product_id: str
    provisioned_product_name: str
    account: str
    region: str
    status: Status
    since: Time = Field(description="When it was first seen with that status.")


class InstanceList(BaseModel):
    """A page of stack instances, by product ID, account and Region."""

    instances: list[Instance]
    cursor: Cursor

    @classmethod
    def of(cls, page: paging.Page[paging.InstanceView]) -> "InstanceList":
        """Convert a page."""
        found = [
            Instance(
                provisioned_product_id=one.product.product.id,
                provisioned_product_name=one.product.product.name,
                account=one.account,
                region=one.region,
                status=one.state.status,
                since=one.state.since,
            )
            for one in page.items
        ]
        return cls(instances=found, cursor=page.cursor)


class Transition(BaseModel):
    """A stack instance that changed status, appeared or disappeared between two polls, as in the log."""

    event_id: str = Field(description="The ID of the event in the log.")
    poll_id: str
    observed_at: Time
    provisioned_product_id: str
    provisioned_product_name: str
    provisioned_product_status: ProductStatus | None = Field(description="In the same poll; null if it is not known.")
    account: str
    region: str
    previous_status: Status | None = Field(description="null: the stack instance appeared.")
    previous_since: Time | None
    status: Status | None = Field(description="null: the stack instance disappeared.")


class TransitionList(BaseModel):
    """A page of transitions, the newest first."""

    transitions: list[Transition]
    cursor: Cursor

    @classmethod
    def of(cls, page: paging.Page[diff.Transition]) -> "TransitionList":
        """Convert a page."""
        found = [
            Transition(
                event_id=one.event_id,
                poll_id=one.poll_id,
                observed_at=one.observed_at,
                provisioned_product_id=one.product.id,
                provisioned_product_name=one.product.name,
                provisioned_product_status=one.provisioned_product_status,
                account=one.account,
                region=one.region,
                previous_status=one.previous_status,
                previous_since=one.previous_since,
                status=one.status,
            )
            for one in page.items
        ]
        return cls(transitions=found, cursor=page.cursor)


class Discovery(BaseModel):
    """The search of a source for products."""

    names: list[str] = Field(description="The name patterns of `discover`.")
    tags: dict[str, str] = Field(description="The tags of `discover`.")
    interval_seconds: float
    searched_at: Time | None = Field(description="When the last complete search ended.")
    found: int | None = Field(description="The products that it found.")
    failure: Failure | None = Field(description="Why the last search failed; null if it completed.")


class Source(BaseModel):
    """An AWS account and Region that products are read from."""

    name: str
    region: str | None = Field(description="null: the Region of the environment or the profile.")
    role_arn: str | None = Field(description="The role that is assumed; null: none.")
    profile: str | None
    accounts: list[str] = Field(
        description="The accounts of its products; none before the first product was described."
    )
    calls_per_second: float = Field(description="The configured budget of calls to AWS.")
    allowed_calls_per_second: float = Field(description="The budget now: lower while AWS throttles.")
    used_calls_per_second: float = Field(description="The calls of the last five minutes, per second.")
    products: int
    failing: int = Field(description="Products whose last poll failed.")
    failure: Failure | None = Field(description="The latest of their failures.")
    discovery: Discovery | None = Field(description="null: the source has no `discover`.")

    @classmethod
    def of(cls, view: views.SourceView) -> "Source":
        """Convert a view."""
        search = view.discovery
        return cls(
            name=view.name,
            region=view.region,
            role_arn=view.role_arn,
            profile=view.profile,
            accounts=list(view.accounts),
            calls_per_second=view.calls_per_second,
            allowed_calls_per_second=view.allowed_calls_per_second,
            used_calls_per_second=round(view.used_calls_per_second, 3),
            products=view.products,
            failing=view.failing,
            failure=Failure.of(view.failure),
            discovery=Discovery(
                names=list(search.names),
                tags=dict(search.tags),
                interval_seconds=search.interval,
                searched_at=search.searched_at,
                found=search.found,
                failure=Failure.of(search.failure),
            )
            if search
            else None,
        )


class SourceList(BaseModel):
    """A page of sources, by name."""

    sources: list[Source]
    cursor: Cursor

    @classmethod
    def of(cls, page: paging.Page[views.SourceView]) -> "SourceList":
        """Convert a page."""
        return cls(sources=list(map(Source.of, page.items)), cursor=page.cursor)
