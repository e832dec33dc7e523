"""Read the state in a table of DynamoDB, beside the replicas that write it."""

import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from monitor.model.diff import Transition
from monitor.model.instances import Product
from monitor.model.paging import Page, Place, TransitionFilter, decode, encode
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import dynamodb_items as items
from monitor.state.dynamodb_items import history_partition
from monitor.state.sqlite_rows import to_milliseconds
from monitor.state.table import Table

_DAY = timedelta(days=1)
QUERY_SECONDS = 5.0


class DynamoDbReader:
    """Reads what replicas store, without taking anything over. Every method raises `StateError`."""

    def __init__(self, table: Table, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read from this table."""
        self._table = table
        self._now = now

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product."""
        item = self._table.get((items.PRODUCTS, product_id))
        if item is None:
            return StoredProduct(None, missing=False)
        instances = self._table.query(items.instances_partition(product_id))
        stored, unreadable = items.stored_product(product_id, item, instances)
        for _, error in unreadable:
            raise error
        return stored

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
        first = to_milliseconds(since)
        for day in self._days(since):
            for item in self._table.query(history_partition(to_milliseconds(day)), f"{first:015}"):
                if products and item["product_id"] not in products:
                    continue
                for transition in items.transitions_of(item):
                    if isinstance(transition, Transition) and (not accounts or transition.account in accounts):
                        yield transition

    def page(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of transitions of stack instances, by time (the newest first), product, account and Region.

        Raises:
            CursorError: the cursor is not one of this list.
            StateError: the query took more than 5 seconds.
        """
        after = decode(cursor, (int, str, str, str))
        last = None if after is None else (-int(after[0]), *after[1:])
        end = time.monotonic() + QUERY_SECONDS
        found: list[Transition] = []
        for day in reversed(self._days(wanted.since)):
            partition = history_partition(to_milliseconds(day))
            if after is not None and partition > history_partition(int(after[0])):
                continue
            matching = self._matching(partition, wanted, end)
            later = (transition for transition in matching if last is None or _order(transition) > last)
            # A day may have millions: no more than the page are kept.
            found += heapq.nsmallest(limit + 1 - len(found), later, key=_order)
            if len(found) > limit:
                return Page(found[:limit], encode(_place(found[limit - 1])))
        return Page(found, None)

    def _matching(self, partition: str, wanted: TransitionFilter, end: float) -> Iterator[Transition]:
        """Yield the transitions of a day that a filter selects. Raises `StateError` after `end`."""
        _check_time(end)
        for item in self._table.query(partition, f"{to_milliseconds(wanted.since):015}"):
            _check_time(end)
            if wanted.products and item["product_id"] not in wanted.products:
                continue
            for transition in items.transitions_of(item):
                if (
                    isinstance(transition, Transition)
                    and (not wanted.accounts or transition.account in wanted.accounts)
                    and (not wanted.statuses or transition.status in wanted.statuses)
                ):
                    yield transition

    def _days(self, since: datetime) -> Sequence[datetime]:
        """Return a moment of each day until tomorrow: the clock of a replica may be ahead of this one."""
        days = (self._now().date() - since.date()).days + 1
        return [since + number * _DAY for number in range(days + 1)]


def _check_time(end: float) -> None:
    if time.monotonic() > end:
        message = f"the query took longer than {QUERY_SECONDS:g} s: choose a later time, or a product"
        raise StateError(message)


def _place(transition: Transition) -> Place:
    return (to_milliseconds(transition.observed_at), transition.product.id, *transition.key)


def _order(transition: Transition) -> tuple[int | str, ...]:
    observed_at, *others = _place(transition)
    return (-int(observed_at), *others)
