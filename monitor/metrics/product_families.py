"""The families with few series for each product: instance counts, polls, failures.

Both formats require that all lines of a family are together, so the lines of one product are spread over all
families. Products are divided into groups. A changed line costs the compression of one family of one group, and only
when the next scrape reads it: several polls between two scrapes cost one compression.
"""

from collections.abc import Mapping

from monitor.metrics.chunk import EMPTY, Chunk
from monitor.metrics.families import PRODUCT_FAMILIES, Family

GROUP_PRODUCTS = 32

Lines = Mapping[Family, bytes]
"""The lines of one product in each of PRODUCT_FAMILIES."""

_NO_LINES: Lines = dict.fromkeys(PRODUCT_FAMILIES, b"")


class _Group:
    """Up to GROUP_PRODUCTS products."""

    def __init__(self) -> None:
        self.lines: list[Lines] = []
        self.chunks = dict.fromkeys(PRODUCT_FAMILIES, EMPTY)
        self.changed: set[Family] = set()

    def chunk(self, family: Family) -> Chunk:
        if family in self.changed:
            self.chunks[family] = Chunk.compress(b"".join([lines[family] for lines in self.lines]))
            self.changed.remove(family)
        return self.chunks[family]


class ProductFamilies:
    """The lines of all products, by family. Not safe to use from several threads."""

    def __init__(self) -> None:
        """Start without products."""
        self._groups: list[_Group] = []
        self._places: dict[str, tuple[_Group, int]] = {}
        self._free: list[tuple[_Group, int]] = []
        self._chunks = dict.fromkeys(PRODUCT_FAMILIES, EMPTY)
        self._changed: set[Family] = set()

    def put(self, product_id: str, lines: Lines) -> None:
        """Replace the lines of a product, or add it."""
        if product_id not in self._places:
            self._places[product_id] = self._free.pop() if self._free else self._new_place()
        self._write(self._places[product_id], lines)

    def remove(self, product_id: str) -> None:
        """Remove a product; the next new product takes its place."""
        place = self._places.pop(product_id, None)
        if place is not None:
            self._write(place, _NO_LINES)
            self._free.append(place)

    def chunks(self) -> Mapping[Family, Chunk]:
        """Return the lines of each family, without its header; the same object for a family without a change."""
        for family in self._changed:
            self._chunks[family] = Chunk.concatenate(group.chunk(family) for group in self._groups)
        self._changed.clear()
        return self._chunks

    def _new_place(self) -> tuple[_Group, int]:
        if not self._groups or len(self._groups[-1].lines) == GROUP_PRODUCTS:
            self._groups.append(_Group())
        group = self._groups[-1]
        group.lines.append(_NO_LINES)
        return group, len(group.lines) - 1

    def _write(self, place: tuple[_Group, int], lines: Lines) -> None:
        group, index = place
        changed = [family for family in PRODUCT_FAMILIES if lines[family] != group.lines[index][family]]
        group.lines[index] = lines
        group.changed.update(changed)
        self._changed.update(changed)
