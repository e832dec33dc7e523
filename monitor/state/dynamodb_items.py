"""Convert values to items of DynamoDB and back.

| pk | sk | what |
|---|---|---|
| `product` | product id | when it was polled, its details, the epoch of its owner; small, and often written |
| `instances#` and product id | a number | up to ITEM_ROWS stack instances of the last snapshot |
| `outbox` | product id, and the sort key of transitions | a copy of these transitions, not published yet |
| `history#` and a day in UTC | time, product, poll, number | transitions that one poll found |
| `unreadable` | pk, poll and sk | a copy of instances that could not be read |
| `discovered` | source | the products that the last search found |
| `lease` | shard or replica | see leases.py |
"""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from monitor.model.diff import Transition
from monitor.model.instances import InstanceKey, InstanceState, Product, Snapshot, count_statuses
from monitor.model.products import Description, ProductTransition, event_id
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import columns
from monitor.state import sqlite_rows as rows
from monitor.state.details import decode_details
from monitor.state.sqlite_schema import COLUMNS
from monitor.state.table import Item, Key, Value

PRODUCTS, DISCOVERED, OUTBOX, UNREADABLE = "product", "discovered", "outbox", "unreadable"
# An item has at most 400 KB: 50,000 instances with random account ids take 183 KB, and usually 30 KB.
ITEM_ROWS = 50_000
# Limits of TransactWriteItems. The size is that of all items, of which content is nearly all.
MAX_ACTIONS = 100
MAX_BYTES = 4_000_000

AnyTransition = Transition | ProductTransition

_DESCRIPTION = COLUMNS["product"][3:]


def product_item(product_id: str, known: Item, description: Description | None, **changed: Value) -> Item:
    """Return the item of a product with a new description and other changed attributes."""
    item: dict[str, Value] = {**known, "pk": PRODUCTS, "sk": product_id, **changed}
    if description is not None:
        row: Any = rows.description_row(description)
        item |= {
            name: str(value) if isinstance(value, str) else value for name, value in zip(_DESCRIPTION, row, strict=True)
        }
    return item


def instance_items(snapshot: Snapshot, poll_id: str) -> list[Item]:
    """Return the items of the instances of a snapshot that a poll found."""
    states = {key: (str(state.status), rows.to_milliseconds(state.since)) for key, state in snapshot.states.items()}
    return [
        {**_item(instances_key(snapshot.product_id, number)), "poll_id": poll_id, "content": columns.encode(part)}
        for number, part in enumerate(_parts(states))
    ]


def instances_key(product_id: str, number: int) -> Key:
    """Return the key of an item of instances."""
    return instances_partition(product_id), f"{number:04}"


def instances_partition(product_id: str) -> str:
    """Return the partition key of the instances of a product."""
    return f"instances#{product_id}"


def stored_product(
    product_id: str, item: Item, instances: Iterable[Item]
) -> tuple[StoredProduct, list[tuple[Item, StateError]]]:
    """Return what is stored about a product, and the items of its instances that cannot be read, each with why.

    An instance whose status cannot be read is UNKNOWN. Without one of the items there is no snapshot: the next poll
    would find that the instances in it appeared.

    Raises `StateError` if an item is not of the poll that the product was committed with: another replica wrote
    meanwhile.
    """
    detail, status_since = rows.description(product_id, tuple(item.get(name) for name in _DESCRIPTION))
    snapshot: Snapshot | None = None
    unreadable: list[tuple[Item, StateError]] = []
    if "observed_at" in item:
        found = list(instances)
        if [part["poll_id"] for part in found] != [item["poll_id"]] * int(item["items"]):
            message = f"the snapshot of {product_id} was replaced while it was read"
            raise StateError(message)
        moment = rows.from_milliseconds(int(item["observed_at"]))
        states, unreadable, whole = _instance_states(product_id, found, moment)
        snapshot = Snapshot(product_id, moment, states, count_statuses(states.values())) if whole else None
    details = decode_details(item.get("details"))
    return StoredProduct(snapshot, bool(item.get("missing")), detail, status_since, details), unreadable


def _instance_states(
    product_id: str, found: Iterable[Item], moment: datetime
) -> tuple[dict[InstanceKey, InstanceState], list[tuple[Item, StateError]], bool]:
    """Return the instances in some items, the items that cannot be read, and whether each was read at least in part."""
    states: dict[InstanceKey, InstanceState] = {}
    unreadable: list[tuple[Item, StateError]] = []
    whole = True
    for part in found:
        try:
            decoded = columns_of(part)
        except StateError as error:
            unreadable.append((part, error))
            whole = False
            continue
        readable, damaged = rows.instance_states((*key, *values) for key, values in decoded.items())
        if damaged:
            unreadable.append((part, StateError(f"{len(damaged)} instances of {product_id} cannot be read")))
        states |= readable | rows.repaired(damaged, moment)
    return states, unreadable, whole


def unreadable_item(item: Item) -> Item:
    """Return the copy of instances that cannot be read."""
    return {**item, **_item((UNREADABLE, "#".join(str(item[name]) for name in ("pk", "poll_id", "sk"))))}


def transition_items(
    transitions: Iterable[AnyTransition], history_seconds: float
) -> Iterator[tuple[Item, list[AnyTransition]]]:
    """Yield the items of transitions, with what each contains. DynamoDB deletes them after `history_seconds`."""
    for (poll_id, product, moment), group in groupby(transitions, lambda t: (t.poll_id, t.product, t.observed_at)):
        # The columns of a transition are those of sqlite_schema.py: 4 and 5 are account and Region.
        found: dict[Any, Any] = {row[4:6]: (t, row[6:-1]) for t in group for row in [rows.transition_row(t)]}
        observed_at = rows.to_milliseconds(moment)
        for number, part in enumerate(_parts(found)):
            item = {
                "pk": history_partition(observed_at),
                "sk": f"{observed_at:015}#{product.id}#{poll_id}#{number:04}",
                "poll_id": poll_id,
                "product_id": product.id,
                "product_name": product.name,
                "observed_at": observed_at,
                "expires": int(observed_at / 1000 + history_seconds),
                "content": columns.encode({key: values for key, (_, values) in part.items()}),
            }
            yield item, [transition for transition, _ in part.values()]


def history_partition(milliseconds: int) -> str:
    """Return the partition key of the transitions of a day, by a time in milliseconds since 1970."""
    return f"history#{rows.from_milliseconds(milliseconds):%Y-%m-%d}"


def transitions_of(item: Item) -> Iterator[AnyTransition]:
    """Yield the transitions of an item. Raises `StateError` if it cannot be read."""
    found = columns_of(item)
    try:
        product, poll_id = Product(str(item["product_id"]), str(item["product_name"])), str(item["poll_id"])
        for key, values in found.items():
            identity = event_id(poll_id, product, key if any(key) else ())
            yield rows.transition((identity, poll_id, product.id, product.name, *key, *values, item["observed_at"]))
    except (*rows.UNREADABLE, KeyError) as error:
        message = f"the item {item['pk']!r} {item['sk']!r} of the table cannot be read: {error!r}"
        raise StateError(message) from error


def outbox_item(transitions: Item) -> Item:
    """Return the copy of transitions that is kept until they are published.

    The copy does not expire, so the time to live cannot delete what is not published. Up to 1 KB it costs as many
    written units as a reference, and saves the read of the history.
    """
    kept = {name: value for name, value in transitions.items() if name != "expires"}
    sort_key = str(transitions["product_id"]) + "#" + str(transitions["sk"])
    return {**kept, "pk": OUTBOX, "sk": sort_key, "history": transitions["pk"]}


def outbox_range(product_id: str) -> tuple[str, str]:
    """Return the first and the last sort key that the unpublished transitions of a product may have."""
    return f"{product_id}#", f"{product_id}#\uffff"


def history_key(outbox: Item) -> Key:
    """Return the key of the transitions that an item of the outbox stands for."""
    return str(outbox["history"]), str(outbox["sk"]).partition("#")[2]


def discovered_item(source: str, products: Sequence[Product]) -> Item:
    """Return the item of the products that a search found."""
    text = json.dumps([[product.id, product.name] for product in products])
    return {"pk": DISCOVERED, "sk": source, "content": zlib.compress(text.encode())}


def discovered_products(item: Item) -> list[Product]:
    """Return the products of `discovered_item`. Raises `StateError`."""
    try:
        return [Product(*row) for row in json.loads(zlib.decompress(_content(item)))]
    except (zlib.error, ValueError, TypeError) as error:
        message = f"the discovered products of source {item['sk']!r} cannot be read: {error}"
        raise StateError(message) from error


def check_size(product_id: str, items: Sequence[Item], actions: int) -> None:
    """Raise `StateError` if DynamoDB would refuse to write these items in one transaction."""
    size = sum(len(value) for item in items for value in item.values() if isinstance(value, str | bytes))
    if actions > MAX_ACTIONS or size > MAX_BYTES:
        message = (
            f"product {product_id} needs {actions} items of {size / 1e6:.1f} MB in one transaction, and DynamoDB takes"
            f" {MAX_ACTIONS} items of 4 MB: keep its state in a file (state.path)"
        )
        raise StateError(message)


def columns_of(item: Item) -> dict[InstanceKey, columns.Values]:
    """Return the instances in an item. Raises `StateError`."""
    try:
        return columns.decode(_content(item))
    except ValueError as error:
        message = f"the item {item['pk']!r} {item['sk']!r} of the table cannot be read: {error}"
        raise StateError(message) from error


def _content(item: Item) -> bytes:
    content = item.get("content")
    return content if isinstance(content, bytes) else b""


def _item(key: Key) -> dict[str, Value]:
    return {"pk": key[0], "sk": key[1]}


def _parts(found: Mapping[InstanceKey, Any]) -> Iterator[dict[InstanceKey, Any]]:
    keys = sorted(found)
    for start in range(0, len(keys), ITEM_ROWS):
        yield {key: found[key] for key in keys[start : start + ITEM_ROWS]}
