"""The stack instances of a simulated account and Region, and every change that was ever made to them."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

Key = tuple[str, str]

ACCOUNT = "123456789012"
"""The account that moto puts callers in who did not assume a role."""
REGION = "eu-west-1"


class NotThereError(Exception):
    """There is no such provisioned product."""


class NotAStackSetError(Exception):
    """The provisioned product is not of type CFN_STACKSET."""


@dataclass(frozen=True, slots=True)
class Made:
    """One change that the simulation made: None stands for an instance that is not there."""

    product_id: str
    account: str
    region: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Described:
    """A provisioned product beside its stack instances."""

    name: str
    stack_set: bool = True
    status: str = "AVAILABLE"
    product_id: str = "prod-simulated0001"
    provisioning_artifact_id: str = "pa-simulated00001"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Product:
    described: Described
    instances: dict[Key, str] = field(default_factory=dict)


class StackSets:
    """Provisioned products of one account and Region. Safe to use from many threads."""

    def __init__(self, account: str = ACCOUNT, region: str = REGION) -> None:
        """Begin without products."""
        self.account = account
        self.region = region
        self._lock = threading.Lock()
        self._products: dict[str, _Product] = {}
        self.made: list[Made] = []
        """Every change to an instance, in order."""
        self.calls: Counter[str] = Counter()
        """The calls so far, by operation."""
        self.throttled = False
        """True: every call is refused with a ThrottlingException."""
        self.denied: set[str] = set()
        """Operations that callers have no permission for."""

    def count(self, operation: str) -> None:
        """Note a call."""
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
            self._products[product_id] = _Product(Described(name, stack_set, status, tags=dict(tags or {})))

    def set_status(self, product_id: str, status: str) -> None:
        """Give a provisioned product itself a status."""
        with self._lock:
            self._products[product_id].described.status = status

    def update(self, product_id: str, provisioning_artifact_id: str) -> None:
        """Bring a provisioned product to another version of its product."""
        with self._lock:
            self._products[product_id].described.provisioning_artifact_id = provisioning_artifact_id

    def described(self, product_id: str) -> Described:
        """Return what there is to say of a product; raises `NotThereError`."""
        with self._lock:
            product = self._products.get(product_id)
            if product is None:
                raise NotThereError
            return replace(product.described)

    def product_ids(self) -> Sequence[str]:
        """Return the ids of all products, sorted."""
        with self._lock:
            return sorted(self._products)

    def remove_product(self, product_id: str) -> None:
        """Terminate a provisioned product."""
        with self._lock:
            del self._products[product_id]

    def set(self, product_id: str, account: str, region: str, status: str | None) -> None:
        """Give a stack instance a status; None takes it away."""
        with self._lock:
            instances = self._products[product_id].instances
            before = instances.get((account, region))
            if before == status:
                return
            if status is None:
                del instances[account, region]
            else:
                instances[account, region] = status
            self.made.append(Made(product_id, account, region, before, status))

    def instances(self, product_id: str) -> Mapping[Key, str]:
        """Return the instances of a product as they are now."""
        with self._lock:
            return dict(self._products[product_id].instances)

    def page(self, product_id: str, after: str | None, size: int) -> tuple[list[dict[str, str]], str | None]:
        """Return a page of stack instances as the API shows them, and the token of the next page.

        Raises `NotThereError` and `NotAStackSetError`.
        """
        with self._lock:
            product = self._products.get(product_id)
            if product is None:
                raise NotThereError
            if not product.described.stack_set:
                raise NotAStackSetError
            # The token names the last instance of the page before: what joins or leaves meanwhile moves nothing.
            last = tuple(after.split("/")) if after else ("", "")
            keys = sorted(key for key in product.instances if key > last)
            page = keys[:size]
            items = [
                {"Account": account, "Region": region, "StackInstanceStatus": product.instances[account, region]}
                for account, region in page
            ]
        return items, "/".join(page[-1]) if len(keys) > size else None
