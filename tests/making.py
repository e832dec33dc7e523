"""Values that tests are made of."""

from collections.abc import Mapping
from datetime import UTC, datetime

from monitor.config.settings import MonitoredProduct
from monitor.model.diff import Change, diff
from monitor.model.instances import Anomaly, InstanceKey, Listing, Product, Snapshot, Status
from monitor.model.products import STACK_SET, ProductDetail, ProductStatus

BASELINE = Product("pp-aaaaaaaaaaaaa", "baseline")
EPOCH = datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)
LATER = datetime(2026, 1, 2, 3, 9, 5, 678000, UTC)
EU, US = "eu-west-1", "us-east-1"
ONE, TWO, THREE = "111111111111", "222222222222", "333333333333"


def monitored(product: Product = BASELINE, *, interval: float = 300.0, timeout: float = 240.0) -> MonitoredProduct:
    """Return a product as the configuration gives it."""
    return MonitoredProduct(product, "default", interval, timeout)


def listing(
    statuses: Mapping[InstanceKey, Status], *, pages: int = 1, anomalies: Mapping[Anomaly, int] | None = None
) -> Listing:
    """Return a complete listing."""
    return Listing(dict(statuses), pages, anomalies or {})


def detail(
    status: ProductStatus = ProductStatus.AVAILABLE, product: Product = BASELINE, *, kind: str = STACK_SET
) -> ProductDetail:
    """Return what AWS says of a product."""
    return ProductDetail(
        id=product.id,
        name=product.name,
        type=kind,
        status=status,
        product_id="prod-1",
        provisioning_artifact_id="pa-1",
        account=ONE,
        region=EU,
    )


def snapshot(statuses: Mapping[InstanceKey, Status], product: Product = BASELINE, at: datetime = EPOCH) -> Snapshot:
    """Return a first snapshot: every status since `at`."""
    return baseline(statuses, product, at).snapshot


def baseline(statuses: Mapping[InstanceKey, Status], product: Product = BASELINE, at: datetime = EPOCH) -> Change:
    """Return the change of a first poll."""
    return diff(None, listing(statuses), product, "poll-0", at)
