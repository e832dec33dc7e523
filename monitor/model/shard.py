"""A share of the products, for fleets that are too large for one daemon."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Shard:
    """The share `ordinal` of `total`, counted from 0, as the pods of a StatefulSet are."""

    ordinal: int = 0
    total: int = 1

    def owns(self, product_id: str) -> bool:
        """Say whether a product is in this share. Each is in exactly one, the same on every machine."""
        return int.from_bytes(sha256(product_id.encode()).digest()[:8]) % self.total == self.ordinal


def parse_shard(text: str) -> Shard:
    """Read `I/N`, with I from 0 to N - 1; raise `ValueError` with what is wrong."""
    ordinal, slash, total = text.partition("/")
    if not (slash and ordinal.isdecimal() and total.isdecimal() and int(ordinal) < int(total)):
        message = "is not a share as 0/3, 1/3 or 2/3: which one, counted from 0, and of how many"
        raise ValueError(message)
    return Shard(int(ordinal), int(total))
