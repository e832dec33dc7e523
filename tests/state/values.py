"""Listings and descriptions that the tests of the stores share."""

from monitor.model.instances import InstanceKey, Status
from monitor.model.products import Description, ProductStatus, describe
from tests.making import BASELINE, EPOCH, EU, LATER, ONE, THREE, TWO, US, detail

STATUSES: dict[InstanceKey, Status] = {(ONE, EU): Status.CURRENT, (ONE, US): Status.CURRENT, (TWO, EU): Status.OUTDATED}
CHANGED: dict[InstanceKey, Status] = {
    (ONE, EU): Status.UNKNOWN,
    (ONE, US): Status.CURRENT,
    (THREE, EU): Status.INOPERABLE,
}


def described(status: ProductStatus, before: ProductStatus | None = None, poll: str = "poll-2") -> Description:
    """Return the description of a product that a poll made."""
    return describe(detail(before) if before else None, EPOCH, detail(status), BASELINE, poll, LATER)
