"""What the pages and the API read. They never call AWS, and do not know which process polls."""

from collections.abc import Sequence
from typing import Protocol

from monitor.model.accepted import Acceptance, Unused
from monitor.model.diff import Transition
from monitor.model.paging import Page, TransitionFilter
from monitor.model.views import ProductView, SourceView


class Views(Protocol):
    """The monitored products and sources, and the stored transitions. Safe to use from several threads."""

    def products(self) -> Sequence[ProductView]:
        """Return every product, in no particular order. Takes no longer than a copy of the list."""

    def product(self, product_id: str) -> ProductView | None:
        """Return a product; None if it is not monitored."""

    def sources(self) -> Sequence[SourceView]:
        """Return every source, as they are in the configuration."""

    def unused_entries(self) -> Sequence[tuple[Acceptance, Unused]]:
        """Return the entries of `accepted` in the configuration that accept nothing, and why."""

    def transitions(self, wanted: TransitionFilter, limit: int, cursor: str | None) -> Page[Transition]:
        """Return a page of the stored transitions of stack instances, the newest first. May read from a disk.

        Raises:
            StateError: the state cannot be read.
            CursorError: the cursor is not one of this list.
        """
