"""The state in a table of DynamoDB, which several replicas share. The items are those of dynamodb_items.py."""

import math
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from monitor.model.diff import Change, Transition
from monitor.model.instances import Product
from monitor.model.paging import Page, TransitionFilter
from monitor.model.products import Description
from monitor.poller.protocols import NotOwnerError, StateError, StoredProduct
from monitor.state import dynamodb_items as items
from monitor.state.details import encode_details
from monitor.state.dynamodb_items import AnyTransition
from monitor.state.dynamodb_outbox import UnpublishedTransitions
from monitor.state.dynamodb_reader import DynamoDbReader
from monitor.state.sqlite_rows import to_milliseconds
from monitor.state.table import Item, Key, Table, Value

# A poll without a change writes when it took place only if the last such write is older: a product that is polled
# each minute would otherwise cost 43,000 written units a month for nothing but its time.
UNCHANGED_SECONDS = 600.0


class Ownership(Protocol):
    """Which products this replica owns."""

    def epoch(self, product_id: str) -> int:
        """Return the epoch of the lease of a product. Raises `NotOwnerError` if this replica does not hold it."""


@dataclass(slots=True)
class _Known:
    """A product as this replica wrote or read it last."""

    item: Item
    observed_at: int | None
    """When it was polled last, whether that was written or not."""


class DynamoDbStore:
    """The `Store` of the poller, and what the outbox, the product set and the supervisor need. Thread-safe.

    Each write carries the epoch of the lease that the replica holds, and DynamoDB refuses it once the next owner has
    loaded the product. So a replica that was stopped for longer than its lease cannot overwrite anything.
    """

    def __init__(
        self,
        table: Table,
        ownership: Ownership,
        history_seconds: float,
        on_commit: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_error: Callable[[StateError], None] = lambda _: None,
    ) -> None:
        """Use a table that exists; `on_commit` is called after each commit, `on_error` for what cannot be read."""
        self._reader = DynamoDbReader(table, now)
        self._table = table
        self._ownership = ownership
        self._history_seconds = history_seconds
        self._on_commit = on_commit
        self.stale_after = math.inf
        """Seconds after which a stored snapshot is not shown: half of it also limits UNCHANGED_SECONDS."""
        self._lock = threading.Lock()
        self._known: dict[str, _Known] = {}
        self._loaded_with: dict[str, int] = {}
        """The epoch with which a product was loaded: with another one, the caller's snapshot may not be the last."""
        self._on_error = on_error
        self._unpublished = UnpublishedTransitions(on_error)

    def load(self, product_id: str) -> StoredProduct:
        """Return the last snapshot of a product, and take over its unpublished transitions. Raises `StateError`."""
        epoch = self._ownership.epoch(product_id)
        known = self._take_over(product_id)
        instances = self._table.query(items.instances_partition(product_id))
        stored, unreadable = items.stored_product(product_id, known.item, instances)
        for item, error in unreadable:
            # The next commit replaces the item: keep a copy, as the state file does.
            self._table.write([items.unreadable_item(item)])
            follows = "" if stored.snapshot else ", and the next poll of the product is a baseline"
            self._on_error(StateError(f"{error}; the table keeps a copy under pk {items.UNREADABLE!r}{follows}"))
        self._unpublished.adopt(self._table.query(items.OUTBOX, *items.outbox_range(product_id)))
        if self._ownership.epoch(product_id) != epoch:  # reading may have taken longer than the lease
            raise _taken_over(product_id)
        self._loaded_with[product_id] = epoch
        return stored

    def adopt_unpublished(self) -> None:
        """Take over the unpublished transitions of all owned products, also of those that are not monitored any more.

        Raises `StateError`.
        """
        found = self._table.query(items.OUTBOX)
        self._unpublished.adopt(item for item in found if self._owns(str(item["sk"]).partition("#")[0]))

    def commit(self, change: Change, description: Description | None = None) -> None:
        """Write a snapshot, a description and their transitions in one transaction. Raises `StateError`."""
        product_id, snapshot = change.product.id, change.snapshot
        known = self._known_of(product_id)  # also if nothing is written: a poll without a change is published
        observed_at = to_milliseconds(snapshot.observed_at)
        more: dict[str, Value] = {"details": encode_details(change.details)} if change.details else {}
        item = items.product_item(product_id, known.item, description, observed_at=observed_at, missing=0, **more)
        base = None if change.previous is None else to_milliseconds(change.previous.observed_at)
        same_instances = base is not None and base == known.observed_at and not change.instance_transitions
        transitions = [*change.earlier, *_transition_of(description), *change.transitions]
        if same_instances and not transitions and item == {**known.item, "observed_at": observed_at}:
            unwritten = (observed_at - int(known.item["observed_at"])) / 1000
            if unwritten >= min(UNCHANGED_SECONDS, self.stale_after / 2):
                self._write(product_id, item, observed_at)
            known.observed_at = observed_at
            return
        parts: list[Item] = []
        deleted: list[Key] = []
        if not same_instances:
            parts = items.instance_items(snapshot, change.poll_id)
            item = {**item, "poll_id": change.poll_id, "items": len(parts)}
            before = int(known.item.get("items", 0))
            deleted = [items.instances_key(product_id, number) for number in range(len(parts), before)]
        self._write(product_id, item, observed_at, parts, deleted, transitions)

    def save_description(self, product_id: str, description: Description) -> None:
        """Write a description and its transition. Raises `StateError`."""
        known = self._known_of(product_id)
        item = items.product_item(product_id, known.item, description)
        self._write(product_id, item, known.observed_at, transitions=_transition_of(description))

    def mark_missing(self, product_id: str) -> None:
        """Record that AWS does not know the product; its last snapshot is kept. Raises `StateError`."""
        known = self._known_of(product_id)
        self._write(product_id, items.product_item(product_id, known.item, None, missing=1), known.observed_at)

    def discovered_products(self, source: str) -> Sequence[Product]:
        """Return the products that the last search of a source found, by id. Raises `StateError`."""
        item = self._table.get((items.DISCOVERED, source))
        return items.discovered_products(item) if item else ()

    def save_discovered_products(self, source: str, products: Sequence[Product]) -> None:
        """Replace the products that the last search of a source found. Raises `StateError`."""
        self._table.write([items.discovered_item(source, products)])
        self._on_commit()

    def delete_products(self, which: Callable[[str], bool]) -> None:
        """Delete the snapshots of some products: if they come back, they start with a baseline. Raises `StateError`."""
        for item in list(self._table.query(items.PRODUCTS)):
            if which(str(item["sk"])):
                self._delete(item)

    def unpublished(self, limit: int) -> Sequence[tuple[int, AnyTransition]]:
        """Return the oldest transitions that were not published yet, each with its position."""
        return self._unpublished.oldest(limit)

    def mark_published(self, through: int) -> None:
        """Record that every transition up to and including this position was published.

        Raises `StateError`; the transitions are not returned again all the same, and the next call tries again.
        """
        for key in self._unpublished.published(through):
            self._table.write((), [key])
            self._unpublished.deleted(key)

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of stored transitions, the newest first. Raises `StateError`, `CursorError`."""
        return self._reader.page(wanted, limit, cursor)

    def release(self, which: Callable[[str], bool]) -> None:
        """Forget the products that another replica owns now, with their unpublished transitions."""
        with self._lock:
            self._known = {product_id: known for product_id, known in self._known.items() if not which(product_id)}
        self._unpublished.release(which)

    def prune(self, before: datetime, monitored: Collection[str] = ()) -> int:
        """Delete owned products that are not monitored, if older than a moment; DynamoDB deletes old transitions.

        Nothing is deleted if all that is stored is older: the clock is probably wrong. Raises `StateError`.
        """
        horizon = to_milliseconds(before)
        found = list(self._table.query(items.PRODUCTS))
        if max((int(item.get("observed_at", 0)) for item in found), default=0) < horizon:
            return 0
        for item in found:
            old = int(item.get("observed_at", 0)) < horizon
            if old and item["sk"] not in monitored and self._owns(str(item["sk"])):
                self._delete(item)
        return 0

    def check_file(self) -> None:
        """Do nothing: there is no file."""

    def close(self) -> None:
        """Do nothing: nothing is open."""

    def _known_of(self, product_id: str) -> _Known:
        epoch = self._ownership.epoch(product_id)
        if self._loaded_with.setdefault(product_id, epoch) != epoch:
            message = f"{product_id} was not loaded since another replica may have owned it; nothing was written"
            raise NotOwnerError(message)
        return self._known.get(product_id) or self._take_over(product_id)

    def _take_over(self, product_id: str) -> _Known:
        """Read a product, and have DynamoDB refuse what a previous owner may still write of it."""
        item = self._table.raise_number((items.PRODUCTS, product_id), "epoch", self._ownership.epoch(product_id))
        if item is None:
            raise _taken_over(product_id)
        known = _Known(item, int(item["observed_at"]) if "observed_at" in item else None)
        with self._lock:
            self._known[product_id] = known
        return known

    def _write(
        self,
        product_id: str,
        item: Item,
        observed_at: int | None,
        parts: Sequence[Item] = (),
        deleted: Sequence[Key] = (),
        transitions: Sequence[AnyTransition] = (),
    ) -> None:
        """Write a product and what belongs to it, unless another replica has taken it over."""
        epoch = self._ownership.epoch(product_id)
        batches = list(items.transition_items(transitions, self._history_seconds))
        written = [{**item, "epoch": epoch}, *parts]
        for history, _ in batches:
            written += [history, items.outbox_item(history)]
        items.check_size(product_id, written, len(written) + len(deleted))
        with self._lock:
            # If the answer is lost, what is stored is not known: the next write reads it first.
            self._known.pop(product_id, None)
        if not self._table.write(written, deleted, {"epoch": epoch}):
            raise _taken_over(product_id)
        # The answer may have taken longer than the lease: then the next owner publishes what was written.
        self._ownership.epoch(product_id)
        with self._lock:
            self._known[product_id] = _Known(written[0], observed_at)
        for history, found in batches:
            self._unpublished.add(items.outbox_item(history), found)
        self._on_commit()

    def _delete(self, item: Item) -> None:
        product_id = str(item["sk"])
        keys = [items.instances_key(product_id, number) for number in range(int(item.get("items", 0)))]
        self._table.write((), [(items.PRODUCTS, product_id), *keys])
        with self._lock:
            self._known.pop(product_id, None)

    def _owns(self, product_id: str) -> bool:
        try:
            self._ownership.epoch(product_id)
        except NotOwnerError:
            return False
        return True


def _transition_of(description: Description | None) -> list[AnyTransition]:
    return [description.transition] if description and description.transition else []


def _taken_over(product_id: str) -> NotOwnerError:
    return NotOwnerError(f"another replica has taken over {product_id}; nothing was written")
