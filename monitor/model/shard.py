"""Shards: each daemon of several monitors a part of the products."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Shard:
    """Shard `ordinal` of `total`, counted from 0 like the pods of a StatefulSet."""

    ordinal: int = 0
    total: int = 1

    def owns(self, product_id: str) -> bool:
        """Return whether a product is in this shard. Each product is in exactly one, the same on every machine."""
        return shard_of(product_id, self.total) == self.ordinal


def shard_of(product_id: str, total: int) -> int:
    """Return which of `total` shards a product is in."""
    return int.from_bytes(sha256(product_id.encode()).digest()[:8]) % total


def parse_shard(text: str) -> Shard:
    """Parse `I/N` with I from 0 to N - 1. Raises `ValueError`, whose message goes on after the text."""
    ordinal, slash, total = text.partition("/")
    if not (slash and ordinal.isdecimal() and total.isdecimal() and int(ordinal) < int(total)):
        message = "is not a shard: write I/N with I from 0 to N - 1, like 0/3, 1/3 or 2/3"
        raise ValueError(message)
    return Shard(int(ordinal), int(total))
