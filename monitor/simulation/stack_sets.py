"""The provisioned products of a simulated account and Region, with their stack instances."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

# Account and Region.
Key = tuple[str, str]

# The account of callers that have not assumed a role (moto).
ACCOUNT = "123456789012"
REGION = "eu-west-1"


class ProductNotFoundError(Exception):
    """The provisioned product does not exist."""


class NotAStackSetError(Exception):
    """The provisioned product is not of type CFN_STACKSET."""


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


@dataclass(slots=True)
class _Product:
    description: ProductDescription
    instances: dict[Key, str] = field(default_factory=dict)


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

    def set_status(self, product_id: str, status: str) -> None:
        """Set the status of a provisioned product itself."""
        with self._lock:
            self._products[product_id].description.status = status

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

    def set(self, product_id: str, account: str, region: str, status: str | None) -> None:
        """Set the status of a stack instance; None removes it."""
        with self._lock:
            instances = self._products[product_id].instances
            before = instances.get((account, region))
            if before == status:
                return
            if status is None:
                del instances[account, region]
            else:
                instances[account, region] = status
            self.changes.append(InstanceChange(product_id, account, region, before, status))

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
