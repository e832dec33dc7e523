"""Provisioned products as values: what AWS says of one beside its stack instances."""

from dataclasses import dataclass
from enum import StrEnum

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
