"""Provisioned products as values: what AWS says of one beside its stack instances."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, uuid5

from monitor.model.instances import Product

STACK_SET = "CFN_STACKSET"
"""The type of a provisioned product that is a StackSet (API: `ProvisionedProductDetail.Type`)."""


class ProductStatus(StrEnum):
    """What AWS says of a provisioned product (API: `ProvisionedProductDetail.Status`).

    `UNKNOWN` is ours: a status that AWS added after this was written.
    """

    AVAILABLE = "AVAILABLE"
    UNDER_CHANGE = "UNDER_CHANGE"
    TAINTED = "TAINTED"
    ERROR = "ERROR"
    PLAN_IN_PROGRESS = "PLAN_IN_PROGRESS"
    UNKNOWN = "UNKNOWN"


KNOWN_PRODUCT_STATUSES = tuple(status for status in ProductStatus if status is not ProductStatus.UNKNOWN)
"""The statuses that the API documents: these always have a series, also where it is 0."""


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """What AWS says of a provisioned product (API: DescribeProvisionedProduct, SearchProvisionedProducts)."""

    id: str
    name: str
    type: str
    status: ProductStatus
    product_id: str
    """The product of the catalog that it was made of (`prod-...`); empty where AWS does not say."""
    provisioning_artifact_id: str
    """The version of that product (`pa-...`); empty where AWS does not say."""
    account: str
    """Where it lives, by its ARN; empty where AWS does not say."""
    region: str
    """Where it lives, by its ARN; empty where AWS does not say."""


@dataclass(frozen=True, slots=True)
class ProductSearch:
    """The products that a complete search found."""

    products: tuple[ProductDetail, ...]
    invalid_items: int = 0
    """Items of the response without an id, a name, a type or a status. Any of them may be a product of the source."""


@dataclass(frozen=True, slots=True)
class ProductTransition:
    """A provisioned product that changed status between two polls."""

    event_id: str
    poll_id: str
    product: Product
    previous_status: ProductStatus
    status: ProductStatus
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Description:
    """What AWS says of a product now, and how that came from what it said before."""

    detail: ProductDetail
    transition: ProductTransition | None


def describe(
    previous: ProductDetail | None, now: ProductDetail, product: Product, poll_id: str, observed_at: datetime
) -> Description:
    """Compare what AWS says of a product with what it said last. The first time there is no transition."""
    if previous is None or previous.status is now.status:
        return Description(now, None)
    event_id = str(uuid5(NAMESPACE_OID, f"{poll_id}/{product.id}"))
    return Description(now, ProductTransition(event_id, poll_id, product, previous.status, now.status, observed_at))
