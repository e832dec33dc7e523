"""What the state needs from a table of DynamoDB."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

Value = str | int | bytes
Item = Mapping[str, Value]
Key = tuple[str, str]
"""Partition key and sort key: the attributes `pk` and `sk` of an item."""


class Table(Protocol):
    """A table. Every method raises `StateError`; a write may have been carried out all the same."""

    def get(self, key: Key) -> Item | None:
        """Return an item; None if there is none."""

    def query(self, partition: str, first: str = "", last: str = "\uffff") -> Iterator[Item]:
        """Yield the items of a partition whose sort keys are between two texts, by their sort keys."""

    def write(
        self, items: Sequence[Item], deleted: Sequence[Key] = (), expected: Mapping[str, Value | None] | None = None
    ) -> bool:
        """Put and delete items, all or nothing; return False if the first item is not as expected.

        `expected` has attributes of the stored item in place of the first one; None: the attribute must be absent.
        """

    def raise_number(self, key: Key, name: str, value: int) -> Item | None:
        """Set an attribute of an item, which is created if it does not exist; None if it is higher already."""
