"""Copy the state from one engine to the other, so that since-times and history stay."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import Protocol

from monitor.model.details import StackSetDetails
from monitor.model.diff import Change, Transition
from monitor.model.instances import Product, Snapshot, count_statuses
from monitor.model.products import Description, ProductTransition
from monitor.poller.protocols import StateError, StoredProduct
from monitor.state import dynamodb_items as items
from monitor.state import leases
from monitor.state import sqlite_rows as rows
from monitor.state.dynamodb import DynamoDbStore
from monitor.state.dynamodb_reader import DynamoDbReader
from monitor.state.errors import translated_errors
from monitor.state.sqlite import SqliteStore
from monitor.state.sqlite_file import StateFile
from monitor.state.sqlite_reader import load_discovered, load_product
from monitor.state.table import Table

AnyTransition = Transition | ProductTransition
# A transaction of DynamoDB has at most 100 items, and the transitions of each poll are two of them.
_POLLS = 40
_BATCH = 5000
# Days of history that are read from a table, whose partitions are days. DynamoDB cannot list partitions.
HISTORY_DAYS = 731


class Source(Protocol):
    """A state that no daemon is using. Every method raises `StateError`."""

    def products(self) -> Sequence[Product]:
        """Return every product under its name."""

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product."""

    def searches(self) -> dict[str, Sequence[Product]]:
        """Return the products that were discovered, by source."""

    def all_transitions(self, *, published: bool) -> Iterator[AnyTransition]:
        """Yield the transitions that were published, or those that were not, in the order in which they are stored."""


@dataclass(slots=True)
class Copied:
    """How much was copied."""

    products: int = 0
    instances: int = 0
    transitions: int = 0


def migrate(source: Source, target: SqliteStore | DynamoDbStore) -> Copied:
    """Copy everything into a state that is empty. Raises `StateError`: then the target is incomplete."""
    copied = Copied()
    for published in (True, False):
        for part in _parts(source.all_transitions(published=published)):
            _commit(target, part[0].product, Snapshot(part[0].product.id, part[-1].observed_at, {}, {}), part)
            copied.transitions += len(part)
        while published and (batch := target.unpublished(_BATCH)):
            target.mark_published(batch[-1][0])
    target.delete_products(lambda _: True)  # the empty snapshots that came with the transitions
    for product in source.products():
        stored = source.load(product.id)
        if stored.snapshot is not None:
            _commit(target, product, stored.snapshot, (), stored.details)
            copied.instances += len(stored.snapshot.states)
        if stored.detail is not None and stored.status_since is not None:
            target.save_description(product.id, Description(stored.detail, None, stored.status_since))
        if stored.missing:
            target.mark_missing(product.id)
        copied.products += 1
    for name, found in source.searches().items():
        target.save_discovered_products(name, found)
    return copied


class SqliteSource:
    """A state file."""

    def __init__(self, path: Path) -> None:
        """Lock the file. Raises `StateError` if there is none, or a daemon uses it."""
        if not path.is_file():
            message = f"there is no state file {path}"
            raise StateError(message)
        self._path = path
        self._file = StateFile(path)

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def products(self) -> Sequence[Product]:
        """Return every product under its name."""
        with translated_errors(self._path):
            found = self._file.connection.execute("SELECT id, coalesce(name, id) FROM product ORDER BY id").fetchall()
        return [Product(*row) for row in found if all(isinstance(value, str) for value in row)]

    def load(self, product_id: str) -> StoredProduct:
        """Return what is stored about a product."""
        with translated_errors(self._path):
            return load_product(self._file.connection, product_id)[0]

    def searches(self) -> dict[str, Sequence[Product]]:
        """Return the products that were discovered, by source."""
        connection = self._file.connection
        with translated_errors(self._path):
            names = [row[0] for row in connection.execute("SELECT DISTINCT source FROM discovered")]
            return {name: load_discovered(connection, name)[0] for name in names if isinstance(name, str)}

    def all_transitions(self, *, published: bool) -> Iterator[AnyTransition]:
        """Yield transitions; those that cannot be read stay in the file.

        A poll of which only some are published counts as not published: in a table, one item has all of them.
        """
        waiting = "(poll_id, product_id) IN (SELECT poll_id, product_id FROM transition WHERE published = 0)"
        query = (
            f"SELECT {rows.TRANSITION_COLUMNS} FROM transition"  # noqa: S608 - constants
            f" WHERE {'NOT ' if published else ''}{waiting} ORDER BY rowid"
        )
        with translated_errors(self._path), closing(self._file.connection.execute(query)) as found:
            for row in found:
                try:
                    yield rows.transition(row)
                except rows.UNREADABLE:
                    continue


class DynamoDbSource(DynamoDbReader):
    """A table that no replica is using."""

    def __init__(self, table: Table) -> None:
        """Raise `StateError` if a replica holds a lease."""
        super().__init__(table)
        refuse_leases(table)

    def searches(self) -> dict[str, Sequence[Product]]:
        """Return the products that were discovered, by source."""
        return {str(item["sk"]): items.discovered_products(item) for item in self._table.query(items.DISCOVERED)}

    def all_transitions(self, *, published: bool) -> Iterator[AnyTransition]:
        """Yield the transitions of the last two years, or all that were not published."""
        if not published:
            for outbox in self._table.query(items.OUTBOX):
                yield from items.transitions_of(outbox)
            return
        waiting = {items.history_key(outbox) for outbox in self._table.query(items.OUTBOX)}
        for day in self._days(datetime.now(UTC) - timedelta(days=HISTORY_DAYS)):
            for item in self._table.query(items.history_partition(rows.to_milliseconds(day))):
                if (item["pk"], item["sk"]) not in waiting:
                    yield from items.transitions_of(item)


class MigrationOwner:
    """Owns every product of a table that no replica is using."""

    def __init__(self, table: Table) -> None:
        """Raise `StateError` if the table is not empty."""
        refuse_leases(table)
        if next(table.query(items.PRODUCTS), None) is not None:
            raise StateError("the table is not empty: migrate into a new one")

    def epoch(self, product_id: str) -> int:  # noqa: ARG002 - the interface of the store
        """Return the lowest epoch: each replica may take over."""
        return 0


def refuse_leases(table: Table) -> None:
    """Raise `StateError` if a replica holds a lease of the table."""
    owners = sorted({str(item["owner"]) for item in table.query(leases.PARTITION) if item.get("owner")})
    if owners:
        message = (
            f"a lease of the table is held by {', '.join(owners)}: stop every replica; if one was killed, start it and"
            " stop it again"
        )
        raise StateError(message)


def _commit(
    target: SqliteStore | DynamoDbStore,
    product: Product,
    snapshot: Snapshot,
    earlier: Sequence[AnyTransition],
    details: StackSetDetails | None = None,
) -> None:
    whole = Snapshot(product.id, snapshot.observed_at, snapshot.states, count_statuses(snapshot.states.values()))
    target.commit(Change(f"migration-{len(earlier)}", product, None, whole, (), tuple(earlier), details))


def _parts(transitions: Iterable[AnyTransition]) -> Iterator[list[AnyTransition]]:
    """Yield the transitions of up to `_POLLS` polls of one product at a time."""
    polls = (list(group) for _, group in groupby(transitions, key=lambda t: (t.product, t.poll_id)))
    for _, same_product in groupby(polls, key=lambda poll: poll[0].product):
        while part := [transition for poll in islice(same_product, _POLLS) for transition in poll]:
            yield part
