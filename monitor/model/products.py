"""Provisioned products as values: their status and details, without their stack instances."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, uuid5

from monitor.model.instances import InstanceKey, Product

# The type of a provisioned product that is a StackSet (API: `ProvisionedProductDetail.Type`).
STACK_SET = "CFN_STACKSET"


class ProductStatus(StrEnum):
    """The status of a provisioned product (API: `ProvisionedProductDetail.Status`).

    `UNKNOWN` is not from AWS: it stands for a status that this version does not know.
    """

    AVAILABLE = "AVAILABLE"
    UNDER_CHANGE = "UNDER_CHANGE"
    TAINTED = "TAINTED"
    ERROR = "ERROR"
    PLAN_IN_PROGRESS = "PLAN_IN_PROGRESS"
    UNKNOWN = "UNKNOWN"


# The statuses that the API documents: each always has a series, 0 if it does not hold.
KNOWN_PRODUCT_STATUSES = tuple(status for status in ProductStatus if status is not ProductStatus.UNKNOWN)
# While a product has one of these statuses, its OUTDATED instances are expected.
IN_ROLLOUT = (ProductStatus.UNDER_CHANGE, ProductStatus.PLAN_IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """The details of a provisioned product (API: DescribeProvisionedProduct, SearchProvisionedProducts)."""

    id: str
    name: str
    type: str
    status: ProductStatus
    product_id: str
    """The catalog product that it was launched from (`prod-...`); empty if AWS does not say."""
    provisioning_artifact_id: str
    """The version of that product (`pa-...`); empty if AWS does not say."""
    account: str
    """The account in its ARN; empty if AWS does not say."""
    region: str
    """The Region in its ARN; empty if AWS does not say."""
    status_message: str = ""
    """What AWS says about its status; empty if it says nothing."""
    errors: tuple[str, ...] = ()
    """Why the last provisioning failed; empty if it succeeded or AWS does not say (API: `RecordErrors`)."""

    @property
    def status_reason(self) -> str | None:
        """What AWS says about the status, each text once; None if it says nothing."""
        texts = (text.removesuffix(".") for text in (self.status_message, *self.errors) if text)
        return "; ".join(dict.fromkeys(texts)) or None


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
    status_reason: str | None = None
    """What AWS says about the status; None if it says nothing."""


@dataclass(frozen=True, slots=True)
class Description:
    """The details of a product now, and how its status changed since the poll before."""

    detail: ProductDetail
    transition: ProductTransition | None
    status_since: datetime
    """When the status was first seen."""


def event_id(poll_id: str, product: Product, key: InstanceKey | tuple[()] = ()) -> str:
    """Return the id of the transition of a stack instance, or of the product itself, that a poll found.

    It depends on its arguments only, so a store need not keep it.
    """
    return str(uuid5(NAMESPACE_OID, "/".join((poll_id, product.id, *key))))


def describe(
    previous: ProductDetail | None,
    since: datetime | None,
    now: ProductDetail,
    product: Product,
    poll_id: str,
    observed_at: datetime,
) -> Description:
    """Compare the details of a product with the last ones, which have their status `since` then.

    The first time there is no transition.
    """
    if previous is None or previous.status is now.status:
        return Description(now, None, since or observed_at)
    identity = event_id(poll_id, product)
    transition = ProductTransition(
        identity, poll_id, product, previous.status, now.status, observed_at, now.status_reason
    )
    return Description(now, transition, observed_at)
