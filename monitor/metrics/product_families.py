"""The families with few series for each product: instance counts, polls, failures.

Both formats require that all lines of a family are together, so the lines of one product are spread over all
families. Products are divided into groups. A changed line costs the compression of one family of one group, and only
when the next scrape reads it: several polls between two scrapes cost one compression.
"""

from collections.abc import Mapping

from monitor.metrics.chunk import EMPTY, Chunk
from monitor.metrics.families import PRODUCT_FAMILIES, Family

GROUP_PRODUCTS = 32

# The lines of one product in each of PRODUCT_FAMILIES.
Lines = Mapping[Family, bytes]

_NO_LINES: Lines = dict.fromkeys(PRODUCT_FAMILIES, b"")


class _Group:
    def __init__(self) -> None:
        self.lines: dict[str, Lines] = {}
        self.chunks = dict.fromkeys(PRODUCT_FAMILIES, EMPTY)
        self.changed: set[Family] = set()

    def chunk(self, family: Family) -> Chunk:
        if family in self.changed:
            self.chunks[family] = Chunk.compress(b"".join([lines[family] for lines in self.lines.values()]))
            self.changed.remove(family)
        return self.chunks[family]


class ProductFamilies:
    """The lines of all products, by family. Not safe to use from several threads."""

    def __init__(self) -> None:
        """Start without products."""
        self._groups: dict[str, _Group] = {}
        """The group of each product. A group whose last product is removed is gone with it."""
        self._newest = _Group()
        self._chunks = dict.fromkeys(PRODUCT_FAMILIES, EMPTY)
        self._changed: set[Family] = set()

    def put(self, product_id: str, lines: Lines) -> None:
        """Replace the lines of a product, or add it."""
        if product_id not in self._groups:
            if len(self._newest.lines) == GROUP_PRODUCTS:
                self._newest = _Group()
            self._groups[product_id] = self._newest
        group = self._groups[product_id]
        before = group.lines.get(product_id, _NO_LINES)
        group.lines[product_id] = lines
        self._note_changes(group, before, lines)

    def remove(self, product_id: str) -> None:
        """Remove a product."""
        group = self._groups.pop(product_id, None)
        if group is not None:
            self._note_changes(group, group.lines.pop(product_id), _NO_LINES)

    def chunks(self) -> Mapping[Family, Chunk]:
        """Return the lines of each family, without its header; the same object for a family without a change."""
        groups = dict.fromkeys(self._groups.values())  # each of them once
        for family in self._changed:
            self._chunks[family] = Chunk.concatenate(group.chunk(family) for group in groups)
        self._changed.clear()
        return self._chunks

    def _note_changes(self, group: _Group, before: Lines, after: Lines) -> None:
        changed = [family for family in PRODUCT_FAMILIES if before[family] != after[family]]
        group.changed.update(changed)
        self._changed.update(changed)
