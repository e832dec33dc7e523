"""The families that have few series a product: how many instances, which polls, which failures.

Prometheus wants a family's lines together, so the lines of a product are spread over all families. To write a
thousand products' lines again whenever one is polled would cost more than the poll. So products are put into
groups; a poll packs the lines of its own group again, and of those only the families whose lines have changed.
"""

import threading
from collections.abc import Mapping

from monitor.metrics.families import PRODUCT_FAMILIES, Family
from monitor.metrics.pieces import EMPTY, Part, Piece, Section, part, piece

GROUP = 32
"""Products in a group."""

_NOTHING: Mapping[Family, bytes] = dict.fromkeys(PRODUCT_FAMILIES, b"")


class ProductFamilies:
    """The lines of all products, by family. Safe to use from many threads."""

    def __init__(self) -> None:
        """Begin without products."""
        self._lock = threading.Lock()
        self._lines: list[Mapping[Family, bytes]] = []
        self._places: dict[str, int] = {}
        self._free: list[int] = []
        self._packed: dict[Family, list[Piece]] = {family: [] for family in PRODUCT_FAMILIES}
        self._sections: dict[bool, Section] = {}

    def put(self, product_id: str, lines: Mapping[Family, bytes]) -> None:
        """Show a product's lines in place of those that it had."""
        with self._lock:
            place = self._places.get(product_id)
            if place is None:
                place = self._places[product_id] = self._free.pop() if self._free else self._new_place()
            self._write(place, lines)

    def remove(self, product_id: str) -> None:
        """Show a product no more."""
        with self._lock:
            place = self._places.pop(product_id, None)
            if place is not None:
                self._write(place, _NOTHING)
                self._free.append(place)

    def section(self, *, openmetrics: bool) -> Section:
        """Return all families, ready to be sent; the same object as long as nothing has changed."""
        with self._lock:
            section = self._sections.get(openmetrics)
            if section is None:
                section = self._sections[openmetrics] = Section(self._parts(openmetrics=openmetrics))
            return section

    def _new_place(self) -> int:
        place = len(self._lines)
        self._lines.append(_NOTHING)
        if place % GROUP == 0:
            for packed in self._packed.values():
                packed.append(EMPTY)
        return place

    def _write(self, place: int, lines: Mapping[Family, bytes]) -> None:
        before, self._lines[place] = self._lines[place], lines
        group = place // GROUP
        members = self._lines[group * GROUP : (group + 1) * GROUP]
        for family in PRODUCT_FAMILIES:
            if lines[family] != before[family]:
                self._packed[family][group] = piece(b"".join(one[family] for one in members))
                self._sections = {}

    def _parts(self, *, openmetrics: bool) -> list[Part]:
        return [
            part([piece(family.header(openmetrics=openmetrics)), *self._packed[family]]) for family in PRODUCT_FAMILIES
        ]
