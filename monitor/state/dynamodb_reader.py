"""Read the state in a table of DynamoDB, beside the replicas that write it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from monitor.model.diff import Transition
from monitor.model.instances import Product
from monitor.poller.protocols import StoredProduct
from monitor.state import dynamodb_items as items
from monitor.state.sqlite_rows import to_milliseconds
from monitor.state.table import Table

_DAY = timedelta(days=1)


class DynamoDbReader:
    """Reads what replicas store, without taking anything over. Every method raises `StateError`."""

    def __init__(self, table: Table) -> None:
        """Read from this table."""
        self._table = table

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product."""
        item = self._table.get((items.PRODUCTS, product_id))
        if item is None:
            return StoredProduct(None, missing=False)
        last = items.instances_key(product_id, int(item.get("items", 0)))[1]
        found = self._table.query(items.state_partition(product_id), items.INSTANCES, last)
        return items.stored_product(product_id, item, found)

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that the last search of a source found, by id."""
        item = self._table.get((items.DISCOVERED, source))
        return items.discovered_products(item) if item else ()

    def products(self) -> Sequence[Product]:
        """Return every product of the state under its name at AWS, or its id if that is not known."""
        found = self._table.query(items.PRODUCTS)
        return [Product(str(item["sk"]), str(item.get("name") or item["sk"])) for item in found]

    def transitions(
        self, since: datetime, products: Sequence[str] = (), accounts: Sequence[str] = ()
    ) -> Iterator[Transition]:
        """Yield the stored transitions of stack instances since a moment, oldest first.

        Empty `products` or `accounts` let all pass.
        """
        first, day = to_milliseconds(since), since
        # The clock of a replica may be ahead of this one.
        while day.date() <= (datetime.now(UTC) + _DAY).date():
            for item in self._table.query(items.history_partition(to_milliseconds(day)), f"{first:015}"):
                if products and item["product_id"] not in products:
                    continue
                for transition in items.transitions_of(item):
                    if isinstance(transition, Transition) and (not accounts or transition.account in accounts):
                        yield transition
            day += _DAY
