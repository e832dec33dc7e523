"""The provisioned products of a simulated account and Region, with their stack instances."""

import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from monitor.simulation.rollouts import Key, Rollouts

# The account of callers that have not assumed a role (moto).
ACCOUNT = "123456789012"
REGION = "eu-west-1"


class ProductNotFoundError(Exception):
    """The provisioned product does not exist."""


class NotAStackSetError(Exception):
    """The provisioned product is not of type CFN_STACKSET."""


class StackSetNotFoundError(Exception):
    """CloudFormation does not know the stack set."""


@dataclass(frozen=True, slots=True)
class InstanceChange:
    """A change of the status of one instance. None: the instance does not exist before or after it."""

    product_id: str
    account: str
    region: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class ProductDescription:
    """The attributes of a provisioned product."""

    name: str
    stack_set: bool = True
    status: str = "AVAILABLE"
    product_id: str = "prod-simulated0001"
    provisioning_artifact_id: str = "pa-simulated00001"
    tags: Mapping[str, str] = field(default_factory=dict)
    status_message: str = ""
    failed_record: str = ""
    """The record of the last provisioning; empty if that succeeded."""


@dataclass(slots=True)
class _Product:
    description: ProductDescription
    instances: dict[Key, str] = field(default_factory=dict)
    rollouts: Rollouts = field(default_factory=Rollouts)
    frozen: Sequence[dict[str, Any]] | None = None
    """What CloudFormation goes on to say of the instances, because its reads are eventually consistent."""


class StackSets:
    """The provisioned products of one account and Region. Safe to use from several threads."""

    def __init__(self, account: str = ACCOUNT, region: str = REGION) -> None:
        """Start without products."""
        self.account = account
        self.region = region
        self._lock = threading.Lock()
        self._products: dict[str, _Product] = {}
        self.changes: list[InstanceChange] = []
        """All changes of instances, in order."""
        self.calls: Counter[str] = Counter()
        """The number of calls of each operation."""
        self.throttled = False
        """Whether every call is refused with a ThrottlingException."""
        self.denied: set[str] = set()
        """Operations that are refused with an AccessDeniedException."""
        self.cloudformation_calls_per_second: float | None = None
        """More calls of CloudFormation than this are throttled; None: no limit."""
        self._next_cloudformation_call = 0.0
        self.absent: set[str] = set()
        """Products whose stack sets CloudFormation does not know."""
        self.record_errors: dict[str, list[dict[str, str]]] = {}
        """The errors of failed provisioning records."""

    def count(self, operation: str) -> None:
        """Count a call."""
        with self._lock:
            self.calls[operation] += 1

    def add_product(
        self,
        product_id: str,
        name: str,
        *,
        stack_set: bool = True,
        tags: Mapping[str, str] | None = None,
        status: str = "AVAILABLE",
    ) -> None:
        """Add a provisioned product without stack instances."""
        with self._lock:
            self._products[product_id] = _Product(ProductDescription(name, stack_set, status, tags=dict(tags or {})))

    def set_status(self, product_id: str, status: str, message: str = "") -> None:
        """Set the status of a provisioned product itself; with a message, its last provisioning has failed."""
        with self._lock:
            description = self._products[product_id].description
            description.status, description.status_message = status, message
            description.failed_record = f"rec-{product_id}-failed" if message else ""
            if message:
                errors = [{"Code": "StackSetOperationFailure", "Description": message}]
                self.record_errors[description.failed_record] = errors

    def update(self, product_id: str, provisioning_artifact_id: str) -> None:
        """Set the version of a provisioned product."""
        with self._lock:
            self._products[product_id].description.provisioning_artifact_id = provisioning_artifact_id

    def describe(self, product_id: str) -> ProductDescription:
        """Return the attributes of a product. Raises: `ProductNotFoundError`."""
        with self._lock:
            product = self._products.get(product_id)
            if product is None:
                raise ProductNotFoundError
            return replace(product.description)

    def product_ids(self) -> Sequence[str]:
        """Return the ids of all products, sorted."""
        with self._lock:
            return sorted(self._products)

    def remove_product(self, product_id: str) -> None:
        """Terminate a provisioned product."""
        with self._lock:
            del self._products[product_id]

    def set(
        self,
        product_id: str,
        account: str,
        region: str,
        status: str | None,
        detailed_status: str = "",
        reason: str = "",
    ) -> None:
        """Set the status of a stack instance, and what CloudFormation says about it; None removes the instance."""
        with self._lock:
            instances = self._products[product_id].instances
            self._products[product_id].rollouts.changed((account, region), detailed_status, reason)
            before = instances.get((account, region))
            if before == status:
                return
            if status is None:
                del instances[account, region]
            else:
                instances[account, region] = status
            self.changes.append(InstanceChange(product_id, account, region, before, status))

    def start_operation(self, product_id: str, action: str = "UPDATE", region_order: tuple[str, ...] = ()) -> str:
        """Start an operation of CloudFormation and return its id. Instances that change now belong to it."""
        with self._lock:
            return self._products[product_id].rollouts.start(action, region_order, product_id)

    def end_operation(self, product_id: str, status: str = "SUCCEEDED", reason: str = "") -> None:
        """End the operation that was started last."""
        with self._lock:
            self._products[product_id].rollouts.end(status, reason)

    def set_drift(self, product_id: str, account: str, region: str, drift_status: str) -> None:
        """Set the drift status of a stack instance."""
        with self._lock:
            self._products[product_id].rollouts.drift[account, region] = drift_status

    def freeze_details(self, product_id: str, *, frozen: bool) -> None:
        """Let CloudFormation repeat what it says of the instances now, or catch up."""
        now = self.summaries(self.stack_set_name(product_id)) if frozen else None
        with self._lock:
            self._products[product_id].frozen = now

    def stack_set_name(self, product_id: str) -> str:
        """Return the name of the stack set of a product, with its UUID."""
        return f"SC-{self.account}-{product_id}:{uuid5(NAMESPACE_OID, product_id)}"

    def summaries(self, stack_set: str) -> list[dict[str, Any]]:
        """Return the instances of a stack set as CloudFormation lists them. Raises: `StackSetNotFoundError`."""
        with self._lock:
            product = self._find(stack_set)
            if product.frozen is not None:
                return list(product.frozen)
            return [product.rollouts.summary(key, status) for key, status in sorted(product.instances.items())]

    def operations(self, stack_set: str) -> list[dict[str, Any]]:
        """Return the operations of a stack set, the latest first. Raises: `StackSetNotFoundError`."""
        with self._lock:
            product = self._find(stack_set)
            return [product.rollouts.describe(one, product.instances) for one in product.rollouts.operations]

    def take_cloudformation_call(self) -> bool:
        """Return whether CloudFormation answers a call now; False if there were too many."""
        with self._lock:
            if self.cloudformation_calls_per_second is None:
                return True
            now = time.monotonic()
            if now < self._next_cloudformation_call:
                return False
            self._next_cloudformation_call = now + 1 / self.cloudformation_calls_per_second
            return True

    def _find(self, stack_set: str) -> _Product:
        # CloudFormation takes the name alone, and the name with the UUID.
        product_id = stack_set.partition(":")[0].removeprefix(f"SC-{self.account}-")
        product = self._products.get(product_id)
        known = self.stack_set_name(product_id)
        if product is None or product_id in self.absent or stack_set not in (known, known.partition(":")[0]):
            raise StackSetNotFoundError
        return product

    def instances(self, product_id: str) -> Mapping[Key, str]:
        """Return a copy of the instances of a product."""
        with self._lock:
            return dict(self._products[product_id].instances)

    def page(self, product_id: str, after: str | None, size: int) -> tuple[list[dict[str, str]], str | None]:
        """Return a page of stack instances as the API returns them, and the token of the next page.

        Raises: `ProductNotFoundError`, `NotAStackSetError`.
        """
        with self._lock:
            product = self._products.get(product_id)
            if product is None:
                raise ProductNotFoundError
            if not product.description.stack_set:
                raise NotAStackSetError
            # The token is the last instance of the previous page, so that added and removed instances move no other one
            # to another page.
            last = tuple(after.split("/")) if after else ("", "")
            keys = sorted(key for key in product.instances if key > last)
            page = keys[:size]
            items = [
                {"Account": account, "Region": region, "StackInstanceStatus": product.instances[account, region]}
                for account, region in page
            ]
        return items, "/".join(page[-1]) if len(keys) > size else None


def partition(region: str) -> str:
    """Return the partition of a Region, like `aws` or `aws-cn`."""
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"
