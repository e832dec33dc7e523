"""The stack instances of a simulated account and Region, and every change that was ever made to them."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

Key = tuple[str, str]


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
class _Product:
    name: str
    instances: dict[Key, str] = field(default_factory=dict)
    stack_set: bool = True


class StackSets:
    """Provisioned products of one account and Region. Safe to use from many threads."""

    def __init__(self) -> None:
        """Begin without products."""
        self._lock = threading.Lock()
        self._products: dict[str, _Product] = {}
        self.made: list[Made] = []
        """Every change to an instance, in order."""
        self.throttled = False
        """True: every call is refused with a ThrottlingException."""

    def add_product(self, product_id: str, name: str, *, stack_set: bool = True) -> None:
        """Add a provisioned product without stack instances."""
        with self._lock:
            self._products[product_id] = _Product(name, stack_set=stack_set)

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
            if not product.stack_set:
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
